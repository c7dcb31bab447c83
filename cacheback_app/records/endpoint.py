"""An API's endpoint, whose records are kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, Self, TypeVar, overload

from cacheback_app.durations import Duration, seconds
from cacheback_app.engine.flow import Flow, adrive, drive
from cacheback_app.exceptions import (
    MissingParentError,
    NoCacheAssignedError,
    UnsuitableModel,
)

from .addresses import check_base, joined, signature
from .base import RecordCache
from .last_answer import LastAnswer, last_answer, tell
from .methods import RequestMethod
from .outages import Outages
from .own_client import OwnClient
from .query import Query

if TYPE_CHECKING:
    import httpx

    from .requesting import Read
    from .responses import Parsed
    from .sending import Retries

M = TypeVar("M")

VARY_HEADERS = ("Accept", "Accept-Language", "Authorization")
"""The headers by which requests are told apart unless an endpoint says otherwise."""


class CachedEndpoint(Generic[M]):
    """Asks a remote API for records of one kind, and keeps them.

    A subclass names the ``MODEL``, a dataclass or pydantic model with an ``id``, and the
    ``BASE_ENDPOINT``, below which all requests go. An instance serves any number of threads and
    tasks.

    :param cache: where records and answers are kept; None asks the server every time. A cache
        belongs to one model, and to one identity at the server.
    :param client: an ``httpx.Client``, or an ``httpx.AsyncClient`` for ``arequest`` alone; it stays
        yours to close. None makes one when it is needed.
    :param retries: how often a request is repeated that failed for no fault of its own.
    :param retry_delay: how long to wait before the first repetition; doubled each time.
    :param max_retry_delay: the longest pause between two tries. A server that asks for a longer one
        is not asked again.
    :param timeout: how long to wait for the server; None leaves it to the client (httpx: 5 s).
    :param stale_if_error: whether an expired answer is given when the server fails.
    :param error_backoff: how long a server that failed is left alone by those who can be given an
        expired answer.
    :param vary_headers: the headers by which two requests are told apart.
    :raises ValueError: for a negative duration, or a ``BASE_ENDPOINT`` that is no http(s) URL.
    :raises UnsuitableModel: when httpx or another library of the extra ``records`` is missing.
    """

    MODEL: ClassVar[Any]
    BASE_ENDPOINT: ClassVar[str]

    def __init__(
        self,
        cache: RecordCache[M] | None = None,
        client: httpx.Client | httpx.AsyncClient | None = None,
        *,
        retries: int = 3,
        retry_delay: Duration = 0.5,
        max_retry_delay: Duration = 30,
        timeout: Duration | None = None,
        stale_if_error: bool = True,
        error_backoff: Duration = 10,
        vary_headers: Iterable[str] = VARY_HEADERS,
    ) -> None:
        _check_extra()
        self._base = check_base(self.BASE_ENDPOINT)
        if retries < 0:
            raise ValueError("retries is not negative")
        self.retries = retries
        self.retry_delay = seconds(retry_delay)
        self.max_retry_delay = seconds(max_retry_delay)
        self.timeout = seconds(timeout)
        self.stale_if_error = stale_if_error
        self.error_backoff = seconds(error_backoff)
        self.vary_headers = tuple(vary_headers)
        self.outages = Outages()
        self._client = client
        self._own_client = OwnClient()
        self._cache: RecordCache[M] | None = None
        self.cache = cache

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._base}>"

    @property
    def cache(self) -> RecordCache[M] | None:
        """Where records are kept; a cache that is set gets this endpoint as its parent.

        :raises ValueError: for a cache of an endpoint with another model.
        """
        return self._cache

    @cache.setter
    def cache(self, cache: RecordCache[M] | None) -> None:
        if cache is not None:
            try:
                kept = cache.parent.MODEL
            except MissingParentError:
                kept = self.MODEL
            if kept is not self.MODEL:
                raise ValueError(f"this cache keeps {kept.__qualname__}: {self!r} needs its own")
            cache.parent = self
        self._cache = cache

    @property
    def client(self) -> httpx.Client | httpx.AsyncClient:
        """The client that was given, or else one of this endpoint's own."""
        return self._own_client.get() if self._client is None else self._client

    @property
    def last_answer(self) -> LastAnswer | None:
        """Where the last answer came from in this thread or task; None before the first."""
        return last_answer(self)

    @overload
    def request(
        self,
        parameters: str,
        headers: Mapping[str, str] | None = None,
        body: object = None,
        method: RequestMethod = RequestMethod.GET,
        *,
        refresh: bool = False,
        raw: Literal[False] = False,
    ) -> list[M] | M | None: ...
    @overload
    def request(
        self,
        parameters: str,
        headers: Mapping[str, str] | None = None,
        body: object = None,
        method: RequestMethod = RequestMethod.GET,
        *,
        refresh: bool = False,
        raw: Literal[True],
    ) -> httpx.Response: ...
    def request(
        self,
        parameters: str,
        headers: Mapping[str, str] | None = None,
        body: object = None,
        method: RequestMethod = RequestMethod.GET,
        *,
        refresh: bool = False,
        raw: bool = False,
    ) -> Any:
        """Return what the API answers: a list of records, one record, or None for an empty answer.

        GET is answered from the cache until that has expired, then by the server, or by what has
        expired if the server fails. What POST, PUT, PATCH and DELETE change at the server is
        changed in the cache after it, and makes the next GET ask the server. When the cache fails,
        what the server answers is returned all the same; ``last_answer.cache_error`` tells of it.

        :param parameters: a path below ``BASE_ENDPOINT``, with or without a query.
        :param body: bytes or text as it is; anything else (also a record) as JSON.
        :param refresh: ask the server for what is in the cache, too.
        :param raw: return the ``httpx.Response``, whatever its status: never from the cache, and
            not kept.
        :raises TypeError: when the client is an ``httpx.AsyncClient``.
        :raises ValueError: for ``parameters`` that would leave ``BASE_ENDPOINT``.
        :raises InvalidResponse: for an answer that is no JSON or does not fit the model.
        :raises httpx.HTTPStatusError: for a status that is no success.
        :raises httpx.TransportError: when there was no answer.
        :raises httpx.DecodingError: for an answer that is not compressed as it says.
        """
        self._check_client()
        asked = self._request(parameters, headers, body, method)
        return self._served(drive(self._flow(asked, method, refresh, raw)))

    @overload
    async def arequest(
        self,
        parameters: str,
        headers: Mapping[str, str] | None = None,
        body: object = None,
        method: RequestMethod = RequestMethod.GET,
        *,
        refresh: bool = False,
        raw: Literal[False] = False,
    ) -> list[M] | M | None: ...
    @overload
    async def arequest(
        self,
        parameters: str,
        headers: Mapping[str, str] | None = None,
        body: object = None,
        method: RequestMethod = RequestMethod.GET,
        *,
        refresh: bool = False,
        raw: Literal[True],
    ) -> httpx.Response: ...
    async def arequest(
        self,
        parameters: str,
        headers: Mapping[str, str] | None = None,
        body: object = None,
        method: RequestMethod = RequestMethod.GET,
        *,
        refresh: bool = False,
        raw: bool = False,
    ) -> Any:
        """See request()."""
        asked = self._request(parameters, headers, body, method)
        return self._served(await adrive(self._flow(asked, method, refresh, raw)))

    def query(self, *queries: Query[Any], distinct: bool = False) -> list[M]:
        """Return the records in the cache that fit all ``queries``; see ``RecordCache.query``.

        :raises NoCacheAssignedError: when there is no cache.
        """
        return list(self._assigned().query(*queries, distinct=distinct))

    def load_cache(self) -> list[M]:
        """Return all records in the cache that haven't expired.

        :raises NoCacheAssignedError: when there is no cache.
        """
        return self._assigned().load_cache()

    def save_cache(self, response: list[M] | M, method: RequestMethod) -> None:
        """Do to the cache what a request of ``method`` with this response would.

        :raises NoCacheAssignedError: when there is no cache.
        """
        self._assigned().save_cache(response, method)

    async def aquery(self, *queries: Query[Any], distinct: bool = False) -> list[M]:
        """See query()."""
        return await self._assigned().aquery(*queries, distinct=distinct)

    async def aload_cache(self) -> list[M]:
        """See load_cache()."""
        return await self._assigned().aload_cache()

    async def asave_cache(self, response: list[M] | M, method: RequestMethod) -> None:
        """See save_cache()."""
        await self._assigned().asave_cache(response, method)

    def payload(self, response: httpx.Response) -> Any:
        """Return what of a response that is not empty is a record or a list; to be overridden.

        :returns: JSON as bytes, or what JSON would be parsed to. An API that wraps its lists needs
            ``return response.json()["results"]``.
        """
        return response.content

    def close(self) -> None:
        """Close the client, if it is this endpoint's own; the next request makes another."""
        self._own_client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    # What the flows ask of an endpoint

    def parse(self, response: httpx.Response) -> Parsed[M]:
        """Return the valid records of a response."""
        from .responses import parsed

        # What unwraps a payload need not know of answers that have none.
        payload = self.payload(response) if response.content else None
        return parsed(response, payload, self.MODEL)

    def retrying(self, repeats: bool) -> Retries:
        """Return how often a request is tried, once without ``repeats``."""
        from .sending import Retries

        return Retries(self.retries if repeats else 0, self.retry_delay, self.max_retry_delay)

    @property
    def patience(self) -> float:
        """For how many seconds to wait for another caller's request: as long as it may take."""
        a_try = self.timeout or 10.0
        return a_try + self.retries * (a_try + self.max_retry_delay)

    def _flow(
        self, request: httpx.Request, method: RequestMethod, refresh: bool, raw: bool
    ) -> Flow[Any]:
        from . import requesting

        method = RequestMethod(method)
        if raw:
            return requesting.fetch_raw(self, request)
        if method.changes:
            return requesting.write(self, request, method)
        if self._cache is None:
            return requesting.read_uncached(self, request)
        told_apart_by = signature(request, self.vary_headers)
        asked = requesting.Asked(self, self._cache, request, told_apart_by, refresh)
        return requesting.read(asked)

    def _request(
        self,
        parameters: str,
        headers: Mapping[str, str] | None,
        body: object,
        method: RequestMethod,
    ) -> httpx.Request:
        import httpx
        from pydantic_core import to_json

        client = self.client
        url = joined(self._base, parameters)
        is_plain = body is None or isinstance(body, (bytes, str))
        request = client.build_request(
            RequestMethod(method).value,
            url,
            headers=headers,
            content=body if is_plain else to_json(body),  # type: ignore[arg-type]
            timeout=httpx.USE_CLIENT_DEFAULT if self.timeout is None else self.timeout,
        )
        if not is_plain:
            request.headers.setdefault("Content-Type", "application/json")
        if isinstance(client.auth, httpx.BasicAuth):
            # What the client would do later, and what tells one user's answers from another's.
            request = next(client.auth.auth_flow(request))
        return request

    def _check_client(self) -> None:
        import httpx

        if isinstance(self._client, httpx.AsyncClient):
            raise TypeError(f"the client of {self!r} is an httpx.AsyncClient: await arequest()")

    def _served(self, found: Read[M] | httpx.Response) -> Any:
        from .requesting import Read

        if not isinstance(found, Read):
            return found
        tell(self, found.told)
        return found.value

    def _assigned(self) -> RecordCache[M]:
        if self._cache is None:
            raise NoCacheAssignedError(f"{self!r} has no cache")
        return self._cache


def _check_extra() -> None:
    try:
        import httpx  # noqa: F401
        import pydantic  # noqa: F401
        import tenacity  # noqa: F401
    except ImportError as exc:
        raise UnsuitableModel(
            f"an endpoint needs {exc.name}: pip install cacheback-app[records]"
        ) from exc
