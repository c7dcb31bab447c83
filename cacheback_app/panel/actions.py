"""The buttons: what each does, and where it is written down."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from django.apps import apps
from django.contrib.contenttypes.models import ContentType
from django.http import HttpRequest

from cacheback_app.catalogue import KnownCall
from cacheback_app.engine.status import MISS
from cacheback_app.models import CachedValue
from cacheback_app.previews import printable

from .calls import reads_any_model

logger = logging.getLogger("cacheback")

DONE: Mapping[str, str] = {
    "refresh": "Fetched and stored.",
    "async_refresh": "A refresh was handed to the queue, unless one was under way already.",
    "invalidate": "Marked stale, to be refreshed in the background.",
    "delete": "Deleted.",
}
"""What is said after each action."""


class Refused(Exception):
    """An action that is not done, and why."""


def perform(request: HttpRequest, action: str, call: KnownCall) -> str:
    """Do what a button says; return what was done.

    :param action: one of :data:`DONE`.
    :raises Refused: when it was not done; the text says why.
    """
    try:
        is_missing = call.explain().status == MISS
        if is_missing and "refresh" in action and reads_any_model(type(call.job)):
            # Otherwise a form would read any table of the site, by any condition.
            raise Refused("Nothing is cached for this, and the panel does not run new queries.")
        _ACTIONS[action](call)
    except Refused:
        raise
    except Exception as exc:  # the job's fetch() and tags() may raise anything
        _note(request, action, call, f"failed with {type(exc).__name__}")
        raise Refused(printable(f"{type(exc).__name__}: {exc}")) from exc
    if is_missing and action == "invalidate":
        return "Nothing was cached, so nothing was marked stale."
    _note(request, action, call, "done")
    return DONE[action]


_ACTIONS: Mapping[str, Callable[[KnownCall], object]] = {
    "refresh": KnownCall.refresh,
    "async_refresh": KnownCall.async_refresh,
    "invalidate": KnownCall.invalidate,
    "delete": KnownCall.delete,
}


def _note(request: HttpRequest, action: str, call: KnownCall, outcome: str) -> None:
    """Write down who did what: for the log without arguments, for the admin with the key."""
    user = request.user
    assert user.pk is not None  # whoever may act has logged in
    logger.info("Panel: %s of %s by user %s", action, call.name, user.pk)
    logger.debug("Panel: %s of the key %s by user %s", action, call.key, user.pk)
    if not apps.is_installed("django.contrib.admin"):
        return
    from django.contrib.admin.models import CHANGE, DELETION, LogEntry

    LogEntry.objects.create(
        user_id=user.pk,
        content_type=ContentType.objects.get_for_model(CachedValue, for_concrete_model=False),
        object_id=call.key,
        object_repr=call.name[:200],
        action_flag=DELETION if action == "delete" else CHANGE,
        change_message=f"{action} {outcome}: {call.key}",
    )
