"""The one thing that is enqueued: a refresh, as a frozen value and as a JSON message."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import NoneType
from typing import TYPE_CHECKING, Any, ClassVar

from django.core.signing import BadSignature, Signer

from cacheback_app import signals
from cacheback_app.engine import codec, registry
from cacheback_app.engine.claims import Claim
from cacheback_app.engine.dispatching import abandon, report_unsent
from cacheback_app.engine.flow import Flow, drive
from cacheback_app.engine.refreshing import Work, refresh_claimed
from cacheback_app.engine.slot import Slot
from cacheback_app.exceptions import CacheUnavailable, JobNotImportable, MalformedCall, QueueError

if TYPE_CHECKING:
    from cacheback_app.base import Job

    from .base import BaseQueue

logger = logging.getLogger("cacheback")


@dataclass(frozen=True, slots=True)
class RefreshCall:
    """A refresh of one key, asked for by the holder of a claim.

    The message is signed with the site's key: who can write to the broker can repeat a refresh
    or lose it, but cannot name another job or other arguments.
    """

    job: str
    """The job's path, ``module:qualname``."""
    key: str
    """The cache key that the reader used; the worker writes this one."""
    claim: str
    """The reader's claim as text."""
    payload: Mapping[str, Any]
    """How to rebuild the job and its arguments (see ``engine.codec``)."""
    seen: float | None
    """When the fetch of the stale value began, None when nothing was cached."""
    sent_at: float
    """Unix timestamp."""
    expires: float
    """Seconds until the claim ends, after which nobody needs the refresh."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """The job's ``task_options``."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Texts for receivers of signals, such as a trace's context. They are not signed: who can
    write to the broker can make a trace wrong, and no more."""
    is_awaited: bool = False
    """Whether the caller wants to know what becomes of it, and waits for the broker's answer."""
    local: Slot | None = field(default=None, compare=False, repr=False)
    """For queues in this process: the slot itself, whatever its job and arguments are."""

    _SIGNED: ClassVar[Mapping[str, tuple[type, ...]]] = {
        "job": (str,),
        "key": (str,),
        "claim": (str,),
        "payload": (dict,),
        "seen": (float, int, NoneType),
        "sent_at": (float, int),
    }

    @classmethod
    def of(
        cls, slot: Slot, claim: Claim, seen: float | None, ttl: float, queue: BaseQueue
    ) -> RefreshCall:
        """Return the call that refreshes ``slot``.

        :raises QueueError: when it cannot be written down for ``queue``.
        """
        path, args = slot.job._describe(slot.args)
        local = slot if queue.in_process else None
        if local is None and not registry.is_known(path, slot.job):
            if not queue.keeps_all:
                raise JobNotImportable(
                    f"a worker would not find {path}: define it at the top of a module, and"
                    " decorate functions with @cacheback"
                )
            local = slot
        try:
            payload = {
                "args": codec.dump(args, "args"),
                "kwargs": codec.dump(dict(slot.kwargs), "kwargs")
                if slot.kwargs
                else codec.NO_KEYWORDS,
                "rebuild": slot.job._rebuilding(slot.args),
            }
        except TypeError as exc:
            if local is None and not queue.keeps_all:
                raise QueueError(f"the arguments cannot be sent to a worker: {exc}") from exc
            local, payload = slot, {}
        return cls(
            path,
            slot.key,
            str(claim),
            payload,
            seen,
            time.time(),
            ttl,
            dict(slot.job.task_options or {}),
            is_awaited=slot.job.on_dispatch_error == "raise",
            local=local,
        )

    @property
    def time_left(self) -> float:
        """Seconds until the claim ends; never less than a moment."""
        return max(0.001, self.sent_at + self.expires - time.time())

    @property
    def path(self) -> str:
        """The job's name in logs and metrics."""
        return self.job.replace(":", ".")

    @property
    def sender(self) -> type[Job] | None:
        """The job's class, where it is known without importing anything."""
        return type(self.local.job) if self.local else None

    # As a message

    def message(self) -> dict[str, Any]:
        """Return the call as a dict of JSON types, with a signature."""
        body = {name: getattr(self, name) for name in self._SIGNED}
        message = {**body, "signature": _signer().signature(_canonical(body))}
        return {**message, "headers": dict(self.headers)} if self.headers else message

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> RefreshCall:
        """Return the call that ``message`` tells of.

        :raises MalformedCall: for anything that this site did not write.
        """
        try:
            body = {name: message[name] for name in cls._SIGNED}
            signed = f"{_canonical(body)}:{message['signature']}"
            _signer().unsign(signed)
        except (BadSignature, KeyError, TypeError, ValueError, RecursionError) as exc:
            raise MalformedCall("this is not a refresh call of this site") from exc
        if not all(isinstance(body[name], kinds) for name, kinds in cls._SIGNED.items()):
            raise MalformedCall("a refresh call of another version of this package")
        return cls(**body, expires=0.0, headers=_readable_headers(message.get("headers")))

    # As a refresh

    def run(self, *, is_retry: bool = False) -> bool:
        """Refresh the value in this thread, unless there is no need any more.

        :param is_retry: whether this call failed before.
        :returns: whether it was fetched.
        :raises MalformedCall: when the call names something that is not a job.
        :raises Exception: whatever the job's ``fetch`` raises.
        """
        try:
            return drive(self.flow(is_retry=is_retry)) is not None
        except CacheUnavailable:
            return False

    def flow(self, *, is_retry: bool = False) -> Flow[Any]:
        """Return the refresh as a flow, for drivers of one's own."""
        claim = Claim.parse(self.claim)
        if claim is None:
            raise MalformedCall("a refresh call without a claim")
        lag = max(0.0, time.time() - self.sent_at)
        work = Work(claim, self.seen, lag, is_retry, headers=self.headers)
        return refresh_claimed(self.slot(), work)

    def run_quietly(self) -> None:
        """As :meth:`run` where nobody is there to catch a failure, which was reported already."""
        try:
            self.run()
        except Exception as exc:
            logger.debug("A refresh of %s failed", self.job, exc_info=exc)

    def expired(self) -> None:
        """Report that a worker's queue has dropped it, as its claim had ended."""
        details = {"job": self.path, "key": self.key, "reason": "expired"}
        signals.refresh_skipped.send_robust(self.sender, **details)

    def slot(self) -> Slot:
        """Return where the value is cached.

        :raises MalformedCall: when the call names something that is not a job.
        """
        if self.local is not None and not self.payload:
            return self.local
        try:
            parts = ("args", "kwargs", "rebuild")
            args, kwargs, rebuild = (codec.load(self.payload[part]) for part in parts)
            if self.local is not None:
                first = self.local.args[: len(self.local.args) - len(args)]
                return Slot(self.local.job, self.key, (*first, *args), kwargs)
            job, first = registry.find(self.job)._rebuild(**rebuild)
            return Slot(job, self.key, (*first, *args), kwargs)
        except (TypeError, ValueError, KeyError) as exc:
            raise MalformedCall(f"{self.job} cannot be rebuilt: {exc}") from exc

    def not_sent(self, queue: BaseQueue, exc: Exception) -> None:
        """Do what the job says when its queue cannot be reached, for a caller that has gone on."""
        from .base import queue_named

        slot = self.slot()
        report_unsent(slot, queue.name, exc)
        if slot.job.on_dispatch_error == "fetch":
            queue_named("threads").enqueue(self)
        elif claim := Claim.parse(self.claim):
            drive(abandon(slot, claim))


def _canonical(body: Mapping[str, Any]) -> str:
    return json.dumps(body, sort_keys=True, separators=(",", ":"))


def _readable_headers(headers: object) -> dict[str, str]:
    """Return the headers of a message: a few short texts, or none at all."""
    if not isinstance(headers, dict) or len(headers) > _MOST_HEADERS:
        return {}
    texts = [text for pair in headers.items() for text in pair]
    is_short = all(isinstance(text, str) and len(text) <= _LONGEST_HEADER for text in texts)
    return headers if is_short else {}


_MOST_HEADERS, _LONGEST_HEADER = 16, 4096
"""More than W3C's trace context and baggage take."""


def _signer() -> Signer:
    return Signer(salt="cacheback_app.queues.RefreshCall")
