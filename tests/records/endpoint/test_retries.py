"""R6: 429, 5xx and connection errors are retried with backoff, where that is safe."""

import time
from email.utils import formatdate
from typing import Any

import httpx
import pytest

from cacheback_app.engine.flow import Pause
from cacheback_app.records import CachedEndpoint, RequestMethod
from cacheback_app.records.sending import Retries, Send, retry_after, send
from tests.records.endpoint.api import PATH, Api, Tracker
from tests.records.endpoint.conftest import Ask, Make

A = Tracker(1, "a")
ALL = ["GET", "PUT", "DELETE", "POST", "PATCH"]
SAFE = {"GET", "PUT", "DELETE"}


def attempts(
    method: str, *outcomes: int | httpx.Response | Exception, retries: int = 3, **policy: float
) -> tuple[int, list[float], Any]:
    """Return how often was sent, with which pauses, and what came of it: no I/O, no waiting."""
    options = {"delay": 1.0, "max_delay": 30.0, **policy}
    request = httpx.Request(method, "http://a/")
    flow = send(httpx.Client(), request, Retries(retries, **options))
    queue, pauses, sent, result = list(outcomes), [], 0, None
    step = next(flow)
    while True:
        try:
            if isinstance(step, Pause):
                pauses.append(step.seconds)
                step = flow.send(None)
                continue
            assert isinstance(step, Send)
            sent += 1
            outcome = queue.pop(0)
            if isinstance(outcome, Exception):
                step = flow.throw(outcome)
            else:
                known = isinstance(outcome, httpx.Response)
                step = flow.send(outcome if known else httpx.Response(outcome))
        except StopIteration as stop:
            result = stop.value.status_code
            break
        except httpx.TransportError as exc:
            result = type(exc)
            break
    return sent, pauses, result


@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_which_statuses_are_retried(method: str, status: int) -> None:
    """R6: 5xx only where doing it twice is as doing it once; 429 always, as nothing was done."""
    sent, _, result = attempts(method, status, 200, 200)
    is_retried = method in SAFE or status == 429
    assert (sent, result) == ((2, 200) if is_retried else (1, status))


@pytest.mark.parametrize("method", ALL)
def test_503_with_a_time_is_retried(method: str) -> None:
    """R6: a server that says when to come back has not done what was asked."""
    later = httpx.Response(503, headers={"Retry-After": "2"})
    assert attempts(method, later, 200) == (2, [2.0], 200)


@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize("status", [200, 204, 301, 304, 400, 401, 404, 409, 422])
def test_what_is_not_retried(method: str, status: int) -> None:
    """R6: a success or refusal is final."""
    assert attempts(method, status) == (1, [], status)


@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize(
    ("error", "is_sent"),
    [
        (httpx.ConnectError, False),
        (httpx.ConnectTimeout, False),
        (httpx.PoolTimeout, False),
        (httpx.ReadTimeout, True),
        (httpx.ReadError, True),
        (httpx.WriteError, True),
        (httpx.RemoteProtocolError, True),
    ],
)
def test_which_errors_are_retried(method: str, error: Any, is_sent: bool) -> None:
    """R6: POST and PATCH are repeated only if the server cannot have seen them."""
    sent, _, result = attempts(method, error("x"), 200)
    is_retried = method in SAFE or not is_sent
    assert (sent, result) == ((2, 200) if is_retried else (1, error))


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_the_last_outcome_is_the_answer(retries: int) -> None:
    """R6: after ``retries`` repetitions the last response or error is the answer."""
    assert attempts("GET", *[500] * 9, retries=retries)[::2] == (retries + 1, 500)
    errors = [httpx.ReadError("x")] * 9
    assert attempts("GET", *errors, retries=retries)[::2] == (retries + 1, httpx.ReadError)


def test_pauses_grow() -> None:
    """R6: each pause is twice as long as the one before, up to a bound, and a bit by chance."""
    _, pauses, _ = attempts("GET", *[500] * 7, retries=6, max_delay=8)
    for pause, least in zip(pauses, [1, 2, 4, 8, 8, 8], strict=True):
        assert least <= pause <= min(least + 1, 8)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("0", 0), ("7", 7), (" 7 ", 7), ("", None), ("-1", None), ("1.5", None), ("soon", None)],
)
def test_retry_after_in_seconds(value: str, seconds: float | None) -> None:
    """R6: a number of seconds is honoured, nonsense is not."""
    assert retry_after(httpx.Response(429, headers={"Retry-After": value})) == seconds


def test_retry_after_as_a_date(time_machine: Any) -> None:
    """R6: an HTTP date is honoured, and one that is over means at once."""
    time_machine.move_to(1_000_000_000.0, tick=False)
    for moment, seconds in [(1_000_000_020, 20.0), (999_999_000, 0.0)]:
        response = httpx.Response(429, headers={"Retry-After": formatdate(moment, usegmt=True)})
        assert retry_after(response) == seconds
    no_zone = httpx.Response(429, headers={"Retry-After": "Sun, 09 Sep 2001 01:46:50"})
    assert retry_after(no_zone) == 10.0
    far = httpx.Response(429, headers={"Retry-After": "Fri, 31 Dec 99999 23:59:59 GMT"})
    assert retry_after(far) is None


def test_a_server_that_asks_for_too_long_is_left_alone() -> None:
    """R6: it is not asked before the time that it names, nor waited for beyond the bound."""
    later = httpx.Response(429, headers={"Retry-After": "31"})
    assert attempts("GET", later, 200) == (1, [], 429)
    assert attempts("GET", later, 200, max_delay=31.0) == (2, [31.0], 200)


def test_a_server_that_recovers(api: Api, endpoint: CachedEndpoint[Any], ask: Ask) -> None:
    """R6: over real HTTP, 500, 429 and a body cut short lead to the answer in the end."""
    api.will_answer(
        {"status": 500},
        {"status": 429, "headers": {"Retry-After": "0"}},
        {"body": '[{"id":', "short": 20},
    )
    assert ask(endpoint, "trackers/1") == A
    assert ask(endpoint, "trackers")[0] == A
    assert api.count == 5


def test_a_server_that_does_not(api: Api, endpoint: CachedEndpoint[Any], ask: Ask) -> None:
    """R6: with nothing cached the last error reaches the caller, after ``retries`` repetitions."""
    api.will_answer(*[{"status": 503}] * 4)
    with pytest.raises(httpx.HTTPStatusError, match="503"):
        ask(endpoint, "trackers")
    assert api.count == 4
    assert ask(endpoint, "trackers")[0] == A


def test_a_body_that_is_always_cut_short(api: Api, make: Make, cache: Any) -> None:
    """R6: a truncated answer is an error of the transport, and nothing of it is kept."""
    api.will_answer(*[{"body": '[{"id": 1, "name": "a"}', "short": 1}] * 2)
    endpoint = make(api, cache, retries=1)
    with pytest.raises(httpx.RemoteProtocolError):
        endpoint.request("trackers")
    assert endpoint.load_cache() == []


def test_a_delete_is_repeated(api: Api, endpoint: CachedEndpoint[Any]) -> None:
    """R6: a DELETE that failed with 502 is done in the end, and reaches the cache."""
    endpoint.request("trackers")
    api.will_answer({"status": 502}, path=f"{PATH}/1")
    endpoint.request("trackers/1", method=RequestMethod.DELETE)
    assert A not in endpoint.load_cache()


def test_a_slow_server_is_given_up(own_api: Api, make: Make) -> None:
    """``timeout`` bounds the wait for a server that accepts connections and says nothing."""
    endpoint = make(own_api, None, retries=1, timeout=0.05)
    own_api.pause()
    began = time.monotonic()
    with pytest.raises(httpx.TimeoutException):
        endpoint.request("trackers")
    assert time.monotonic() - began < 10
    own_api.resume()


@pytest.mark.parametrize("options", [{"retries": -1}, {"timeout": -1}, {"retry_delay": "soon"}])
def test_options_are_checked(api: Api, make: Make, options: Any) -> None:
    """What can't be is refused when the endpoint is made."""
    with pytest.raises(ValueError, match=r"negative|duration"):
        make(api, None, **options)
