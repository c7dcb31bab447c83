"""A TCP proxy in front of a broker, whose connections can be cut or left to hang."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit, urlunsplit


class Proxy:
    """Forwards a port of its own to the server of ``url``."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._target = (parts.hostname, parts.port)
        self._sockets: list[socket.socket] = []
        self._frozen: set[socket.socket] = set()
        self._refuses = self._hangs = False
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        credentials = parts.netloc.rpartition("@")[0]
        netloc = f"{credentials}{'@' * bool(credentials)}127.0.0.1:{self.port}"
        self.url = urlunsplit(parts._replace(netloc=netloc))
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """End all connections, as a server does that restarts."""
        with self._lock:
            for end in self._sockets:
                _shut(end)
            self._sockets.clear()

    def freeze(self) -> None:
        """Let what is connected hang for ever, as when a host vanishes; new connections work."""
        with self._lock:
            self._frozen.update(self._sockets)

    def refuse(self) -> None:
        """End all connections and every new one, as a server does that is down."""
        self._refuses = True
        self.cut()

    def hang(self) -> None:
        """Let everybody hang, who connects from now on as well."""
        self._hangs = True
        self.freeze()

    def restore(self) -> None:
        """Work again; what hung is ended, as by a host that has come back."""
        self._refuses = self._hangs = False
        self.cut()
        with self._lock:
            self._frozen.clear()

    def close(self) -> None:
        """End it all."""
        _shut(self._listener)
        self.cut()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self._refuses:
                    _shut(client)
                    continue
                server = socket.create_connection(self._target)
                with self._lock:
                    self._sockets += [client, server]
                    if self._hangs:
                        self._frozen.update((client, server))
                for ends in ((client, server), (server, client)):
                    threading.Thread(target=self._forward, args=ends, daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if source not in self._frozen:
                    sink.sendall(data)
        for end in (source, sink):
            if end not in self._frozen:
                _shut(end)


def _shut(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()


@contextlib.contextmanager
def proxy(url: str) -> Iterator[Proxy]:
    """Run a proxy in front of ``url``."""
    running = Proxy(url)
    try:
        yield running
    finally:
        running.close()
