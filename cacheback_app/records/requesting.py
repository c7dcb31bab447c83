"""What happens between a request and its answer; ``docs/records-flow.md`` has the picture.

The flows are generators, as those of the engine are, so that sync and async callers share them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import httpx

from cacheback_app.engine.flights import Flight, Landing, flights
from cacheback_app.engine.flow import Await, Flow, StorageIo
from cacheback_app.engine.forks import watch
from cacheback_app.engine.outages import log
from cacheback_app.exceptions import InvalidResponse

from .answers import Answer, Shape
from .base import RecordCache
from .failing import bear
from .last_answer import LastAnswer, Source
from .methods import RequestMethod
from .responses import Parsed, identifiers, last_segment
from .sending import is_our_fault, is_outage, retry_after, send, was_never_sent

if TYPE_CHECKING:
    from .endpoint import CachedEndpoint

M = TypeVar("M")

_LONGEST_OUTAGE = 3600.0  # a server that asks for days is looked at before that


class Fence:
    """Keeps what was asked before a change out of the cache after it, within this process."""

    def __init__(self) -> None:
        self.changes = 0
        self.behind: set[type] = set()
        """The models of which a change was made at the server that the cache was not told of."""
        self.after_fork()
        watch(self)

    def after_fork(self) -> None:
        """Renew what a child must not share: a thread may hold it that the child doesn't have."""
        self.lock = threading.RLock()


@dataclass(frozen=True, slots=True)
class Since:
    """When a request was sent: after how many changes, and the Unix time."""

    changes: int
    time: float


_fences: dict[str, Fence] = {}


@dataclass(frozen=True, slots=True)
class Read(Generic[M]):
    """The answer to a request, and where it comes from."""

    entries: list[M]
    shape: Shape
    told: LastAnswer

    @classmethod
    def of(cls, answer: Answer[M], source: Source, error: Exception | None = None) -> Read[M]:
        """Return an answer that was kept."""
        return cls.told_of(answer, LastAnswer.at(source, answer.saved_at, error))

    @classmethod
    def told_of(cls, answer: Answer[M], told: LastAnswer) -> Read[M]:
        """Return an answer that was kept, of which something else is told."""
        return cls(list(answer.entries), answer.shape, told)

    @property
    def value(self) -> list[M] | M | None:
        """The records as the server gave them."""
        if self.shape is Shape.LIST:
            return self.entries
        return self.entries[0] if self.shape is Shape.SINGLE else None


@dataclass(frozen=True, slots=True)
class Asked(Generic[M]):
    """One GET request of an endpoint that has a cache."""

    endpoint: CachedEndpoint[M]
    cache: RecordCache[M]
    request: httpx.Request
    signature: str
    refresh: bool

    @property
    def place(self) -> Hashable:
        """What requests have in common that may share one flight: no change is between them."""
        path, changes = str(self.cache.cache_path), fence_of(self.cache).changes
        return path, self.endpoint.MODEL, self.signature, changes

    def look(self) -> Answer[M] | None:
        """Return what is kept, fresh or not; None also when the cache fails."""
        behind, model = fence_of(self.cache).behind, self.endpoint.MODEL
        if model in behind:
            _change(self.endpoint, self.cache, self.cache.outdate_answers, is_new=False)
        try:
            known = self.cache.answer(self.signature, expired=True)
        except Exception as exc:
            bear(self.endpoint, self.cache, exc)
            return None
        return replace(known, is_fresh=False) if known and model in behind else known

    def keep(self, response: httpx.Response, since: Since) -> Read[M]:
        """Return what a response says; keep it unless it may be older than what is kept."""
        entries, shape = self.endpoint.parse(response)
        error: Exception | None = None
        try:
            self._keep(entries, shape, response.headers, since)
        except Exception as exc:
            error = bear(self.endpoint, self.cache, exc)
        return Read(entries, shape, LastAnswer.now(Source.NETWORK, error))

    def _keep(self, entries: list[M], shape: Shape, headers: httpx.Headers, since: Since) -> None:
        fence = fence_of(self.cache)
        with fence.lock:
            known = self.look()
            # Unless the clock was set back, when all that is known would be later.
            is_late = known is not None and since.time < known.saved_at <= time.time()
            if fence.changes == since.changes and not is_late:
                self.cache.keep_answer(
                    self.signature,
                    entries,
                    shape,
                    headers.get("ETag"),
                    headers.get("Last-Modified"),
                )

    def extend(self, known: Answer[M]) -> Read[M] | None:
        """Return what is kept, which the server has confirmed; None if it is gone."""
        try:
            self.cache.extend_answer(self.signature)
        except Exception as exc:
            error = bear(self.endpoint, self.cache, exc)
            return Read.told_of(known, LastAnswer.now(Source.NOT_MODIFIED, error))
        found = self.look()
        return None if found is None else Read.of(found, Source.NOT_MODIFIED)


def fence_of(cache: RecordCache[Any]) -> Fence:
    """Return the fence of all caches with the file of ``cache``."""
    path = str(cache.cache_path)
    return _fences.get(path) or _fences.setdefault(path, Fence())


def read(asked: Asked[M]) -> Flow[Read[M]]:
    """Answer from the cache, or ask the server once for all who ask meanwhile."""
    known: Answer[M] | None = yield StorageIo(asked.look)
    if asked.refresh:
        # Not from a flight that began before this call: it may bring what was true before it.
        return (yield from _ask(asked, known))
    if known is not None and known.is_fresh:
        return Read.of(known, Source.CACHE)
    while True:
        place = asked.place
        flight, is_leader = flights.join(place)
        if is_leader:
            return (yield from _lead(asked, place, flight))
        if not (yield Await(flight, asked.endpoint.patience)):
            return (yield from _ask(asked, known))
        landing, cargo = flight.answer()
        if landing is Landing.ERROR:
            raise cargo
        if landing is Landing.VALUE:
            return cargo  # type: ignore[no-any-return]


def _lead(asked: Asked[M], place: Hashable, flight: Flight) -> Flow[Read[M]]:
    with flights.leading(place, flight) as bring:
        # Somebody may have landed between our look and our flight.
        known = yield StorageIo(asked.look)
        if known is not None and known.is_fresh:
            found = Read.of(known, Source.CACHE)
        else:
            found = yield from _ask(asked, known)
        # After a failure each has to hear of it, and finds at once that the server has failed.
        if found.told.source is not Source.STALE:
            bring(found)
        return found


def _ask(asked: Asked[M], known: Answer[M] | None) -> Flow[Read[M]]:
    """Ask the server; give the answer that is known when it fails."""
    endpoint, outages = asked.endpoint, asked.endpoint.outages
    may_be_stale = known is not None and endpoint.stale_if_error
    if known is not None and may_be_stale and not asked.refresh:
        error = outages.error(None, asked.signature)
        if error is not None:
            return Read.of(known, Source.STALE, error)
    since = Since(fence_of(asked.cache).changes, time.time())
    try:
        # Who can be served at once does not wait for repetitions, unless that was the wish.
        response = yield from _send(asked, known, repeats=asked.refresh or not may_be_stale)
    except (httpx.TransportError, httpx.HTTPStatusError) as exc:
        if isinstance(exc, httpx.TransportError) and is_our_fault(exc):
            raise
        _begin_outage(asked, exc)
        if known is None or not may_be_stale:
            raise
        return Read.of(known, Source.STALE, exc)
    outages.end(None, asked.signature)
    if response.status_code == httpx.codes.NOT_MODIFIED and known is not None:
        extended: Read[M] | None = yield StorageIo(lambda: asked.extend(known))
        return extended or (yield from _ask(asked, None))  # it was removed meanwhile
    response.raise_for_status()
    found: Read[M] = yield StorageIo(lambda: asked.keep(response, since))
    return found


def _send(asked: Asked[M], known: Answer[M] | None, *, repeats: bool) -> Flow[httpx.Response]:
    """Return the server's response, which is no failure of the server's.

    :raises httpx.HTTPStatusError: when it is.
    """
    conditions = {
        "If-None-Match": known.etag if known else None,
        "If-Modified-Since": known.last_modified if known else None,
    }
    request = asked.request
    for name, value in conditions.items():
        if value is not None:
            request.headers[name] = value
        elif name in request.headers:
            del request.headers[name]
    endpoint = asked.endpoint
    response = yield from send(endpoint.client, request, endpoint.retrying(repeats))
    if is_outage(response):
        response.raise_for_status()
    return response


def _begin_outage(asked: Asked[M], exc: httpx.TransportError | httpx.HTTPStatusError) -> None:
    """Have stale answers served at once for a while, of the whole server if it failed whole."""
    endpoint, told, seconds = asked.endpoint, type(exc).__name__, asked.endpoint.error_backoff
    what: str | None = None
    if isinstance(exc, httpx.HTTPStatusError):
        told = str(exc.response.status_code)
        seconds = max(seconds, min(retry_after(exc.response) or 0.0, _LONGEST_OUTAGE))
        if exc.response.status_code not in (429, 503):
            what = asked.signature
    endpoint.outages.begin(what, exc, seconds)
    name = type(endpoint).__qualname__
    message = "The server of %s fails (%s); what it answered before, if anything, is served"
    if endpoint.stale_if_error:
        log.warning(f"records:{name}", message, name, told)


def read_uncached(endpoint: CachedEndpoint[M], request: httpx.Request) -> Flow[Read[M]]:
    """Ask the server, without a cache."""
    response = yield from send(endpoint.client, request, endpoint.retrying(True))
    response.raise_for_status()
    entries, shape = endpoint.parse(response)
    return Read(entries, shape, LastAnswer.now(Source.NETWORK))


def write(
    endpoint: CachedEndpoint[M], request: httpx.Request, method: RequestMethod
) -> Flow[Read[M]]:
    """Have the server change something, and then the cache."""
    response = yield from _send_change(endpoint, request)
    response.raise_for_status()
    found: Read[M] = yield StorageIo(lambda: _keep_change(endpoint, response, method))
    return found


def fetch_raw(endpoint: CachedEndpoint[M], request: httpx.Request) -> Flow[httpx.Response]:
    """Return the response as it is. The answers that are kept are outdated if it is a change's."""
    if request.method == "GET":
        return (yield from send(endpoint.client, request, endpoint.retrying(True)))
    response = yield from _send_change(endpoint, request)
    if response.is_success:
        yield StorageIo(lambda: _outdate(endpoint))
    return response


def _send_change(endpoint: CachedEndpoint[M], request: httpx.Request) -> Flow[httpx.Response]:
    """Return the response to a change. When it leaves open whether that was made, lists may be old.

    A redirect leads to what was made of a POST; a 5xx may come from what is before the server.
    """
    try:
        response = yield from send(endpoint.client, request, endpoint.retrying(True))
    except (httpx.TransportError, httpx.DecodingError) as exc:
        if not (isinstance(exc, httpx.TransportError) and was_never_sent(exc)):
            yield StorageIo(lambda: _outdate(endpoint))
        raise
    if not (response.is_success or response.is_client_error):
        yield StorageIo(lambda: _outdate(endpoint))
    return response


def _outdate(endpoint: CachedEndpoint[M]) -> None:
    if endpoint.cache is not None:
        _change(endpoint, endpoint.cache, endpoint.cache.outdate_answers)


def _keep_change(
    endpoint: CachedEndpoint[M], response: httpx.Response, method: RequestMethod
) -> Read[M]:
    """Do to the cache what the server did, and return what it answered."""
    entries, shape = _said(endpoint, response, method)
    cache, error = endpoint.cache, None
    if cache is not None:
        saved: list[Any] = entries
        if shape is Shape.NONE or method is RequestMethod.DELETE:
            # All we know of what the server has now is that it is not what we have.
            saved, method = _gone(endpoint, response.request, entries), RequestMethod.DELETE
        error = _change(endpoint, cache, lambda: cache.save_cache(saved, method))
    return Read(entries, shape, LastAnswer.now(Source.NETWORK, error))


def _change(
    endpoint: CachedEndpoint[M],
    cache: RecordCache[M],
    change: Callable[[], None],
    *,
    is_new: bool = True,
) -> Exception | None:
    """Change the cache; return how it failed.

    That is no failure of the request's, which would be made again then. But until a change is
    kept, with which all answers are outdated, none is given as if it were fresh.

    :param is_new: False to make up for a change that failed.
    """
    fence = fence_of(cache)
    with fence.lock:
        fence.changes += is_new
        try:
            change()
        except Exception as exc:
            fence.behind.add(endpoint.MODEL)
            return bear(endpoint, cache, exc)
        fence.behind.discard(endpoint.MODEL)
    return None


def _said(
    endpoint: CachedEndpoint[M], response: httpx.Response, method: RequestMethod
) -> Parsed[M]:
    """Return what the server says of a change that it has made."""
    try:
        return endpoint.parse(response)
    except InvalidResponse:
        if method is not RequestMethod.DELETE:
            raise
        return [], Shape.NONE  # "OK", say: nothing of it is kept, and the record is gone


def _gone(endpoint: CachedEndpoint[M], request: httpx.Request, entries: list[M]) -> list[Any]:
    """Return the records that a request was about: those answered, or that of its URL."""
    if entries:
        return list(entries)
    found = identifiers(endpoint.MODEL, last_segment(request.url))
    return [{"id": each} for each in found]
