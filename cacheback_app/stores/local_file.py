"""One file an entry, in a folder that the processes of one machine share.

``PATH/ab/abcd...`` holds the entry whose keys have the digest ``abcd...``: keys never become part
of a path. Writers of one folder hold a lock on ``PATH/ab/lock``, so that a condition still holds
when the new file, made as ``PATH/ab/new``, takes the old one's place. Readers need no lock.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cacheback_app.engine import files
from cacheback_app.exceptions import ConfigurationException

from .checked import CheckedStore
from .keys import digest, joined


class NotAnEntry(OSError):
    """A file in the store's folder that is cut off, or none of ours."""


class LocalFileStore(CheckedStore):
    """Keeps entries in files.

    :param path: the folder, made by the first write.
    :param durable: whether a write returns only when it would survive a loss of power.
    """

    driver_errors = (OSError, UnicodeDecodeError)

    def __init__(self, path: str | Path, *, durable: bool = True) -> None:
        if not files.can_lock:
            raise ConfigurationException("LocalFileStore needs a system that can lock files")
        if path == "":  # of an empty variable, say, which would be the working directory
            raise ConfigurationException("the option 'path' is empty; '.' is this folder")
        self._root = os.path.abspath(path)
        self._durable = durable

    def _get(self, pk: str, sk: str) -> str | None:
        return _read(os.path.join(*self._place(pk, sk)), pk, sk)

    def _set(
        self,
        pk: str,
        sk: str,
        value: str,
        not_set: bool,
        constraint: str | None,
        lifetime: float | None,
    ) -> bool:
        folder, name = self._place(pk, sk)
        entry = _pack(pk, sk, value, None if lifetime is None else time.time() + lifetime)
        with self._lock(folder, make=True):
            path = os.path.join(folder, name)
            if not_set and _read(path, pk, sk) is not None:
                return False
            if constraint is not None and _read(path, pk, sk) != constraint:
                return False
            # A name that all writers of the folder use: what a killed one leaves is overwritten.
            new = os.path.join(folder, "new")
            files.replace(path, entry, new, durable=self._durable)
        return True

    def _delete(self, pk: str, sk: str, constraint: str | None) -> bool:
        folder, name = self._place(pk, sk)
        path = os.path.join(folder, name)
        try:
            with self._lock(folder):
                if constraint is not None and _read(path, pk, sk) != constraint:
                    return False
                os.unlink(path)
                self._sync(folder)
        except FileNotFoundError:
            return False
        return True

    def _delete_expired(self) -> int:
        return sum(map(self._delete_expired_in, self._folders()))

    def _delete_expired_in(self, folder: str) -> int:
        gone = 0
        with self._lock(folder), os.scandir(folder) as found:
            for file in found:
                if len(file.name) == 64 and _has_expired(file.path):
                    os.unlink(file.path)
                    gone += 1
        return gone

    def _folders(self) -> list[str]:
        every = (os.path.join(self._root, f"{number:02x}") for number in range(256))
        return [folder for folder in every if os.path.isdir(folder)]

    def _place(self, pk: str, sk: str) -> tuple[str, str]:
        name = digest(pk, sk)
        return f"{self._root}{os.sep}{name[:2]}", name

    @contextmanager
    def _lock(self, folder: str, *, make: bool = False) -> Iterator[None]:
        """Keep all other writers out of ``folder``.

        :raises FileNotFoundError: when there is no such folder, unless it is to be made.
        """
        if make and not os.path.isdir(folder):
            self._make(folder)
        with files.locked(os.path.join(folder, "lock")):
            yield

    def _make(self, folder: str) -> None:
        missing = []
        while not os.path.isdir(folder):
            missing.append(folder)
            folder = os.path.dirname(folder)
        for name in reversed(missing):
            os.makedirs(name, files.PRIVATE_FOLDER, exist_ok=True)
            self._sync(os.path.dirname(name))

    def _sync(self, folder: str) -> None:
        if self._durable:
            files.sync_folder(folder)


def _pack(pk: str, sk: str, value: str, expires: float | None) -> bytes:
    """Return an entry as it is in a file: expiry and lengths, the keys, the value."""
    key, content = joined(pk, sk).encode(), value.encode()
    ends = "never" if expires is None else repr(expires)
    return b"%b %d %d\n%b%b" % (ends.encode(), len(key), len(content), key, content)


def _read(path: str, pk: str, sk: str) -> str | None:
    """Return the value in a file, None when it is missing or expired.

    :raises NotAnEntry: when the file does not hold the entry of these keys.
    """
    try:
        with open(path, "rb", buffering=0) as file:
            data = file.read()
    except FileNotFoundError:
        return None
    header, _, body = data.partition(b"\n")
    expires, key_length, length = _parse(header, path)
    key = joined(pk, sk).encode()
    if len(body) != key_length + length or key_length != len(key) or not body.startswith(key):
        raise NotAnEntry(f"{path} does not hold what its name says")
    if expires is not None and expires <= time.time():
        return None
    return body[key_length:].decode()


def _has_expired(path: str) -> bool:
    with open(path, "rb") as file:
        header = file.readline().rstrip(b"\n")
    try:
        expires, _, _ = _parse(header, path)
    except NotAnEntry:  # who reads it will hear of it
        return False
    return expires is not None and expires <= time.time()


def _parse(header: bytes, path: str) -> tuple[float | None, int, int]:
    try:
        expires, key_length, length = header.split(b" ")
        return None if expires == b"never" else float(expires), int(key_length), int(length)
    except ValueError as exc:
        raise NotAnEntry(f"{path} is not an entry of a store") from exc
