"""Messages that this site did not write, or that name what is no job."""

import copy
import datetime
import decimal
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from celery import current_app as celery_app
from celery.signals import task_revoked
from django.core.signing import Signer

from cacheback_app import signals
from cacheback_app.engine import codec
from cacheback_app.exceptions import MalformedCall
from cacheback_app.queues import RefreshCall
from cacheback_app.tasks import refresh_cache
from tests.jobs.support import listening

from . import jobs

Sent = Callable[..., dict[str, Any]]
HERE = "tests.trust.jobs"


def run(message: Any) -> bool:
    """Do what every worker does with a message."""
    return RefreshCall.from_message(message).run()


def signed(message: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return ``message`` with ``changes``, signed by somebody who has the site's key.

    The signature is found as the site itself would make it: by writing the changed call.
    """
    call = RefreshCall(
        **{name: value for name, value in {**message, **changes}.items() if name != "signature"},
        expires=0.0,
    )
    return call.message()


def test_honest_message(sent: Sent) -> None:
    """What this site wrote is run, so that the refusals below mean something (J15)."""
    message = sent()
    assert run(signed(message)) is True
    assert jobs.Honest().get() == "new nothing"


FOREIGN: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "another job": lambda message: {**message, "job": "x:Y"},
    "another key": lambda message: {**message, "key": "x"},
    "no signature": lambda message: {"job": "x:Y", "key": "x"},
    "nothing": lambda message: {},
}


@pytest.mark.parametrize("what", ["ours", "revoked", "another task's", "no message", *FOREIGN])
def test_what_came_too_late_is_counted_if_it_is_ours(sent: Sent, what: str) -> None:
    """Celery drops a message whose time is over. It is reported under the job that it names if this
    site wrote it (J15), and neither what was revoked by hand nor other tasks are."""
    message = FOREIGN.get(what, dict)(sent())
    task = celery_app.tasks["celery.chord" if what == "another task's" else refresh_cache.name]
    with listening(signals.refresh_skipped) as skipped:
        task_revoked.send(
            sender=task,
            request=SimpleNamespace(kwargs={} if what == "no message" else {"message": message}),
            terminated=False,
            signum=None,
            expired=what != "revoked",
        )
    if what == "ours":
        (told,) = skipped
        assert (told["job"], told["reason"]) == (f"{HERE}.Honest", "expired")
    else:
        assert skipped == []
    assert jobs.ran == []


def test_decorated_function(settings: Any, sent: Sent) -> None:
    """A decorated function is run as well, and its message names the function (J15)."""
    jobs.decorated.job.using(lifetime=0).set(jobs.decorated, "a", data="old")
    message = sent(jobs.decorated.job, jobs.decorated, "b")
    assert message["job"] == f"{HERE}:decorated"
    assert run(message) is True
    assert jobs.ran == [("decorated", "b")]


PATHS = [
    "os:system",
    "os.system",
    "subprocess:Popen",
    "subprocess:call",
    "builtins:eval",
    "builtins:exec",
    "shutil:rmtree",
    "posixpath:os.system",
    "importlib:import_module",
    "django.core.management:call_command",
    "cacheback_app.base:Job",
    "cacheback_app.base:logging.Logger",
    "cacheback_app.jobs:apps",
    "cacheback_app.engine.registry:find",
    f"{HERE}:plain",
    f"{HERE}:NotAJob",
    f"{HERE}:not_a_job",
    f"{HERE}:text",
    f"{HERE}:instance",
    f"{HERE}:instance.fetch",
    f"{HERE}:decorated.fn",
    f"{HERE}:decorated.job",
    f"{HERE}:Honest.fetch",
    f"{HERE}:Honest.wipe",
    f"{HERE}:Honest.__init_subclass__",
    f"{HERE}:Honest.__subclasses__",
    f"{HERE}:Holder",
    f"{HERE}:Holder.job",
    f"{HERE}:Holder.Inner",
    f"{HERE}:Holder.__class__",
    f"{HERE}:Job",
    f"{HERE}:",
    ":Honest",
    ":",
    "",
    "Honest",
    f"{HERE}.Honest",
    f"{HERE}:Honest ",
    f"{HERE}:Honest\x00",
    f"{HERE}:..:Honest",
    f"..{HERE}:Honest",
    ".jobs:Honest",
    "/etc/passwd:x",
    "no.such.module:Honest",
    "a" * 100_000 + ":b",
    "tests.trust.jobs:Honest:Honest",
]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path[:40] or "nothing")
def test_what_is_no_job(sent: Sent, path: str) -> None:
    """Whatever else a message names, even with a good signature, is refused and not run (J15)."""
    message = signed(sent(), job=path)
    with pytest.raises(MalformedCall):
        run(message)
    assert jobs.ran == []
    assert jobs.Honest().raw_get()[1] == "old"


@pytest.mark.parametrize("error", ["SystemError('boom')", "SyntaxError", "SystemExit(3)"])
def test_module_that_cannot_be_imported(
    sent: Sent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: str
) -> None:
    """A module that fails or leaves while it is imported makes the message a bad one, and does
    not end the worker (J15)."""
    (tmp_path / "module_of_no_use.py").write_text(f"raise {error}")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MalformedCall):
        run(signed(sent(), job="module_of_no_use:Job"))
    assert "module_of_no_use" not in sys.modules


CHANGES: dict[str, Any] = {
    "job": f"{HERE}:decorated",
    "key": "tests.trust.jobs.Honest:other",
    "claim": "p:0000000000000000:99999999999.000",
    "seen": None,
    "sent_at": 0.0,
    "payload": {"args": ["x"], "kwargs": {}, "rebuild": {}},
}


@pytest.mark.parametrize("name", CHANGES)
def test_tampered(sent: Sent, name: str) -> None:
    """No part of a message can be changed on its way (J15)."""
    message = sent()
    assert name in message
    with pytest.raises(MalformedCall):
        run({**message, name: CHANGES[name]})
    assert jobs.ran == []


def test_tampered_argument(sent: Sent) -> None:
    """Not even one character of one argument (J15)."""
    message = sent(None, "alice")
    tampered = copy.deepcopy(message)
    assert tampered["payload"]["args"]["v"] == ["alice"]
    tampered["payload"]["args"]["v"] = ["alicf"]
    with pytest.raises(MalformedCall):
        run(tampered)
    assert jobs.ran == []
    assert run(message) is True


def test_parts_of_two_messages(sent: Sent) -> None:
    """The signature of one message is none for another (J15)."""
    one, other = sent(None, "one"), sent(None, "other")
    with pytest.raises(MalformedCall):
        run({**one, "signature": other["signature"]})
    assert jobs.ran == []


@pytest.mark.parametrize("name", ["job", "key", "claim", "payload", "seen", "sent_at", "signature"])
def test_missing_part(sent: Sent, name: str) -> None:
    """A message lacks nothing, its signature least of all (J15)."""
    message = sent()
    del message[name]
    with pytest.raises(MalformedCall):
        run(message)
    assert jobs.ran == []


@pytest.mark.parametrize(
    "signature",
    ["", ":", "x", "x:y", None, 0, True, [], {}, "\ud800", "é", "a" * 100_000, b"bytes"],
    ids=lambda value: repr(value)[:12],
)
def test_bad_signature(sent: Sent, signature: Any) -> None:
    """A signature is the right one or none (J15)."""
    with pytest.raises(MalformedCall):
        run({**sent(), "signature": signature})
    assert jobs.ran == []


def test_other_key(sent: Sent, settings: Any) -> None:
    """A message that another site signed is refused (J15)."""
    settings.SECRET_KEY = "another site's"
    message = sent()
    settings.SECRET_KEY = "for the tests only"
    with pytest.raises(MalformedCall):
        run(message)
    assert jobs.ran == []


def test_retired_key(sent: Sent, settings: Any) -> None:
    """While the site's key is being replaced, messages under the old one are still run (J15)."""
    message = sent()
    settings.SECRET_KEY = "the new key"
    with pytest.raises(MalformedCall):
        run(message)
    settings.SECRET_KEY_FALLBACKS = ["for the tests only"]
    assert run(message) is True


def test_signature_for_something_else(sent: Sent) -> None:
    """What the site signed for another purpose is no message (J15)."""
    message = sent()
    body = RefreshCall.from_message(message).message()
    body.pop("signature")
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    for signer in (Signer(), Signer(salt="cookies")):
        with pytest.raises(MalformedCall):
            run({**message, "signature": signer.signature(text)})


def test_more_than_there_should_be(sent: Sent) -> None:
    """What is not signed has no effect: options, a slot, or another expiry (J15)."""
    message = {**sent(), "local": "x", "options": {"link": 1}, "expires": 1e9, "extra": 1}
    call = RefreshCall.from_message(message)
    assert (call.local, call.options, call.expires) == (None, {}, 0.0)


def test_replayed_after_completion(sent: Sent) -> None:
    """A message that is run again, as often as one likes, fetches nothing (J15, J9)."""
    message = sent(jobs.Honest().using(lifetime=0), "x")
    assert [run(message) for _ in range(5)] == [True, False, False, False, False]
    assert jobs.ran == [("fetch", "x")]


def test_replayed_after_delete(sent: Sent) -> None:
    """A recorded message does not bring back what was deleted (J15, J5)."""
    message = sent(None, "x")
    jobs.Honest().delete("x")
    assert run(message) is False
    assert jobs.Honest().raw_get("x") is None


def test_replayed_in_the_next_claim(sent: Sent) -> None:
    """An old message does not use up the claim of a new one (J15, J8)."""
    old = sent(None, "x")
    jobs.Honest().delete("x")
    new = sent(None, "x")
    assert run(old) is False
    assert run(new) is True


HOSTILE: list[Any] = [
    None,
    True,
    0,
    "",
    "text",
    b"bytes",
    [],
    {},
    [["job", "os:system"]],
    {"job": "os:system", "args": ["true"]},
    {1: 2},
    {"__reduce__": ["os.system", "true"]},
    {"py/object": "os.system"},
    datetime.datetime(2026, 1, 1),
    object(),
]


@pytest.mark.parametrize("message", HOSTILE, ids=lambda value: repr(value)[:10])
def test_not_a_message(message: Any) -> None:
    """What is no message at all is refused in the same way (J15)."""
    with pytest.raises(MalformedCall):
        run(message)
    with pytest.raises(MalformedCall):
        refresh_cache.run(message)


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        -1,
        float("nan"),
        float("inf"),
        "x",
        "\ud800",
        "\x00",
        [],
        [[]],
        {},
        {"t": "dataclass", "v": ["subprocess:Popen", ["args", "true"]]},
        {"args": [], "kwargs": [], "rebuild": []},
        {"args": 1, "kwargs": 2, "rebuild": 3},
    ],
    ids=lambda value: repr(value)[:20],
)
def test_signed_nonsense(sent: Sent, name: str, value: Any) -> None:
    """A message of the site's own, by another version or in error, runs or is refused (J15)."""
    message = signed(sent(), **{name: value})
    try:
        assert run(message) in (True, False)
    except MalformedCall:
        assert jobs.ran == []


PAYLOADS: list[Any] = [
    {"t": "dataclass", "v": ["subprocess:Popen", ["args", "true"]]},
    {"t": "dataclass", "v": [f"{HERE}:NotAJob"]},
    {"t": "enum", "v": ["os:system", "true"]},
    {"t": "enum", "v": [f"{HERE}:Holder.job", "fetch"]},
    {"t": "model", "v": ["auth.User", 1, "../../etc/passwd"]},
    {"t": "pickle", "v": "gASVIQAAAAAAAACMBXBvc2l4lIwGc3lzdGVtlJOUjAR0cnVllIWUUpQu"},
    {"t": "eval", "v": "1"},
    {"t": "__class__", "v": []},
    {"t": "range", "v": [0, 10**15, 1]},
    {"t": "tuple", "v": [{"t": "nothing", "v": []}]},
    {"v": []},
]


@pytest.mark.django_db
@pytest.mark.parametrize("part", ["args", "kwargs", "rebuild"])
@pytest.mark.parametrize("hostile", PAYLOADS, ids=lambda value: repr(value)[:40])
def test_hostile_payload(sent: Sent, part: str, hostile: Any) -> None:
    """Arguments call nobody's code: no constructor, no pickle, no import that is not a class's
    own, even when the signature is good (J15)."""
    message = sent()
    message = signed(message, payload={**message["payload"], part: {"t": "tuple", "v": [hostile]}})
    try:
        run(message)
    except (MalformedCall, TypeError):
        assert jobs.ran == []
    else:
        assert hostile["t"] == "range"  # which is as small as any


def test_rebuilding_takes_options_only(sent: Sent) -> None:
    """``using`` in a message sets options, never methods or internals (J15)."""
    message = sent()
    for name in ("fetch", "_path", "__class__", "_known_key", "key"):
        rebuild = {"args": (), "kwargs": {}, "using": {name: "x"}}
        payload = {**message["payload"], "rebuild": codec.dump(rebuild)}
        with pytest.raises(MalformedCall):
            run(signed(message, payload=payload))
    assert jobs.ran == []


def nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("depth", [200, 5_000, 100_000])
@pytest.mark.parametrize("name", ["payload", "job", "signature", "extra"])
def test_endless_nesting(sent: Sent, depth: int, name: str) -> None:
    """Nesting without end is refused, and ends no worker (J15)."""
    message = sent()
    changed = {**message, name: nested(depth)}
    if name == "extra":
        assert run(changed) is True
        return
    with pytest.raises(MalformedCall):
        run(changed)
    assert jobs.ran == []


def test_what_json_does_not_have(sent: Sent) -> None:
    """Objects that another serializer made of a message are refused (J15)."""
    message = sent()
    for value in (decimal.Decimal(1), datetime.datetime(2026, 1, 1), {1}, object(), b"x"):
        with pytest.raises(MalformedCall):
            run({**message, "payload": {**message["payload"], "args": value}})
        with pytest.raises(MalformedCall):
            run({**message, "sent_at": value})
    assert jobs.ran == []


def test_error_names_no_arguments(sent: Sent) -> None:
    """The error for a bad message shows neither arguments nor the right signature (section 7)."""
    message = sent(None, "secret-argument")
    with pytest.raises(MalformedCall) as exc:
        run({**message, "sent_at": 1.0})
    shown = f"{exc.value} {exc.value.__cause__}"
    assert "secret-argument" not in shown
    assert message["signature"] not in str(exc.value)
