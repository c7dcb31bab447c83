"""One request to an API: redirects within the API, and retries of what may be repeated.

tenacity decides whether and when to try again. Its loop is driven here, as its own sync and async
loops would be two flows.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import httpx
import tenacity

from cacheback_app.engine.flow import Flow, Pause, Step

from .addresses import is_same_origin

_MAX_HOPS = 5
_REPEATABLE = frozenset({"GET", "PUT", "DELETE"})
"""Doing one of these twice leaves the server as doing it once does (RFC 9110, 9.2.2)."""
_OURS = (httpx.LocalProtocolError, httpx.UnsupportedProtocol)
"""What is wrong with the request itself: the server has nothing to do with it."""
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, *_OURS)
_OVERLOADED = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)


@dataclass(frozen=True, slots=True)
class Retries:
    """How often and how long to try.

    :ivar retries: how many times a request is repeated.
    :ivar delay: seconds before the first repetition; they double each time.
    :ivar max_delay: seconds that a pause lasts at most. A server that asks for a longer one
        (``Retry-After``) is not asked again.
    """

    retries: int
    delay: float
    max_delay: float


@dataclass(frozen=True, slots=True)
class Send(Step):
    """One exchange with the server."""

    client: httpx.Client | httpx.AsyncClient
    request: httpx.Request

    def run(self) -> httpx.Response:
        assert isinstance(self.client, httpx.Client)
        return self.client.send(self.request, follow_redirects=False)

    async def arun(self) -> httpx.Response:
        if isinstance(self.client, httpx.AsyncClient):
            return await self.client.send(self.request, follow_redirects=False)
        return await asyncio.to_thread(self.run)


def send(
    client: httpx.Client | httpx.AsyncClient, request: httpx.Request, policy: Retries
) -> Flow[httpx.Response]:
    """Return the last response, whatever its status.

    :raises httpx.TransportError: when there was none.
    """
    retrying = tenacity.Retrying(
        retry=_may_be_repeated(request.method),
        wait=_pause(policy),
        stop=_is_over(policy),
        retry_error_callback=_last_outcome,
    )
    retrying.begin()
    state = tenacity.RetryCallState(retrying, None, (), {})
    while True:
        todo = retrying.iter(state)
        if isinstance(todo, tenacity.DoAttempt):
            try:
                state.set_result((yield from _follow(client, request)))
            except Exception as exc:
                state.set_exception((type(exc), exc, exc.__traceback__))
        elif isinstance(todo, tenacity.DoSleep):
            state.prepare_for_next_attempt()
            yield Pause(todo)
        else:
            assert isinstance(todo, httpx.Response)
            return todo


def _follow(
    client: httpx.Client | httpx.AsyncClient, request: httpx.Request
) -> Flow[httpx.Response]:
    """Return the response, following redirects that keep the method and stay on the server.

    httpx takes ``Authorization`` away from a request to another host, but no other header that
    may hold a key.
    """
    response: httpx.Response = yield Send(client, request)
    for _ in range(_MAX_HOPS):
        further = response.next_request
        if (
            further is None
            or further.method != request.method
            or not is_same_origin(request.url, further.url)
        ):
            break
        response = yield Send(client, further)
    return response


def was_never_sent(exc: httpx.TransportError) -> bool:
    """Return whether the server cannot have seen the request that failed so."""
    return isinstance(exc, _NEVER_SENT)


def is_our_fault(exc: httpx.TransportError) -> bool:
    """Return whether a request failed because it can't be sent as it is, to any server."""
    return isinstance(exc, _OURS)


def is_outage(response: httpx.Response) -> bool:
    """Return whether the server failed, or has had enough, rather than refused the request."""
    return response.status_code == HTTPStatus.TOO_MANY_REQUESTS or response.is_server_error


def retry_after(response: httpx.Response) -> float | None:
    """Return the seconds that a response asks to wait, None if it does not say."""
    value = response.headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    # An HTTP date is in UTC, even where the letters that say so are missing.
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, moment.timestamp() - time.time())


def _outcome(state: tenacity.RetryCallState) -> httpx.Response | BaseException:
    assert state.outcome is not None
    response: httpx.Response | BaseException = state.outcome.exception() or state.outcome.result()
    return response


def _may_be_repeated(method: str) -> Callable[[tenacity.RetryCallState], bool]:
    """Return what decides by the outcome.

    POST and PATCH are repeated only if the server did nothing: it was not reached, refused for
    its rate limit, or says when it will be available.
    """

    def decide(state: tenacity.RetryCallState) -> bool:
        outcome = _outcome(state)
        if isinstance(outcome, httpx.TransportError):
            may_be_sent_again = method in _REPEATABLE or was_never_sent(outcome)
            return may_be_sent_again and not is_our_fault(outcome)
        if not isinstance(outcome, httpx.Response) or not is_outage(outcome):
            return False
        if method in _REPEATABLE or outcome.status_code == HTTPStatus.TOO_MANY_REQUESTS:
            return True
        return outcome.status_code in _OVERLOADED and retry_after(outcome) is not None

    return decide


def _pause(policy: Retries) -> Callable[[tenacity.RetryCallState], float]:
    # Who failed together shall not come back together.
    backoff = tenacity.wait_exponential(policy.delay) + tenacity.wait_random(0, policy.delay)

    def seconds(state: tenacity.RetryCallState) -> float:
        outcome = _outcome(state)
        asked = retry_after(outcome) if isinstance(outcome, httpx.Response) else None
        return min(backoff(state), policy.max_delay) if asked is None else asked

    return seconds


def _is_over(policy: Retries) -> Callable[[tenacity.RetryCallState], bool]:
    def decide(state: tenacity.RetryCallState) -> bool:
        return state.attempt_number > policy.retries or state.upcoming_sleep > policy.max_delay

    return decide


def _last_outcome(state: tenacity.RetryCallState) -> httpx.Response:
    assert state.outcome is not None
    response: httpx.Response = state.outcome.result()  # or what it raised
    return response
