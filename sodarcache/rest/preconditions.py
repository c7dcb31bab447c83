"""Conditional requests (RFC 9110, section 13): 304 for reads, 412 for writes."""

from __future__ import annotations

import datetime
import uuid
from dataclasses import dataclass
from typing import Self

from django.db.models import Q
from django.http import HttpResponseBase
from django.utils import timezone
from django.utils.cache import get_conditional_response
from django.utils.http import http_date, parse_etags, parse_http_date_safe
from rest_framework.exceptions import APIException
from rest_framework.request import Request

CONDITIONAL_HEADERS = frozenset(
    {"If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"}
)
# A cache that has only Last-Modified to go by may take it for leave not to ask for a while.
CACHE_CONTROL = "private, no-cache"

_LAST_SECOND = 253402300799  # of the year 9999


class PreconditionFailed(APIException):
    """The item is not in the state that the request's headers speak of."""

    status_code = 412
    default_detail = "The item is not in the state that the request takes for granted."
    default_code = "precondition_failed"


@dataclass(frozen=True)
class Validators:
    """What tells one state of an item from another, of which only the tag is exact."""

    revision: uuid.UUID
    date_modified: datetime.datetime

    @property
    def etag(self) -> str:
        """The entity tag: a strong one, as each set gives the item another revision."""
        return f'"{self.revision.hex}"'

    def headers(self) -> dict[str, str]:
        """Return the headers that go with this state."""
        return {
            "ETag": self.etag,
            "Last-Modified": http_date(self.date_modified.timestamp()),
            "Cache-Control": CACHE_CONTROL,
        }

    def answer(self, request: Request) -> HttpResponseBase | None:
        """As ``conditional_answer``, for a read of this state."""
        answer = conditional_answer(request, self.etag, int(self.date_modified.timestamp()))
        if answer is not None:
            answer["Last-Modified"] = self.headers()["Last-Modified"]
        return answer


def conditional_answer(
    request: Request, etag: str, modified: int | None = None
) -> HttpResponseBase | None:
    """Return the 304 that the headers of a read ask for; None when they ask for the content.

    :param modified: seconds since the epoch.
    :raises PreconditionFailed: when a read has ``If-Match`` or ``If-Unmodified-Since``, in vain.
    """
    answer: HttpResponseBase | None = get_conditional_response(request._request, etag, modified)
    if answer is None:
        return None
    if answer.status_code == PreconditionFailed.status_code:
        raise PreconditionFailed
    answer["ETag"], answer["Cache-Control"] = etag, CACHE_CONTROL
    return answer


@dataclass(frozen=True)
class Preconditions:
    """What a writer takes for granted about the item that is there."""

    match: list[str] | None
    none_match: list[str] | None
    unmodified_since: int | None

    @classmethod
    def of(cls, request: Request) -> Self:
        """Read them from the headers; a date that is none is ignored."""
        match = _tags(request, "If-Match")
        date = request.headers.get("If-Unmodified-Since") if match is None else None
        return cls(
            match=match,
            none_match=_tags(request, "If-None-Match"),
            unmodified_since=parse_http_date_safe(date) if date else None,
        )

    def __bool__(self) -> bool:
        return self != Preconditions(match=None, none_match=None, unmodified_since=None)

    @property
    def allow_absent(self) -> bool:
        """Whether there may be no item. A date says nothing of one that is absent."""
        return self.match is None

    @property
    def states(self) -> Q | None:
        """The states that may be overwritten, for a ``WHERE``; None when no item may."""
        if self.none_match is not None and "*" in self.none_match:
            return None
        states = Q()
        if self.match is not None and "*" not in self.match:
            states &= Q(revision__in=_revisions(self.match, weak=False))
        if self.none_match:
            states &= ~Q(revision__in=_revisions(self.none_match, weak=True))
        if self.unmodified_since is not None:
            states &= Q(date_modified__lt=_after_second(self.unmodified_since))
        return states


def _tags(request: Request, header: str) -> list[str] | None:
    value = request.headers.get(header)
    return None if value is None else parse_etags(value)


def _after_second(second: int) -> datetime.datetime:
    """Return the first moment after that second, as HTTP's dates know no fractions.

    It is naive where the site's times are.
    """
    zone = timezone.now().tzinfo
    return datetime.datetime.fromtimestamp(min(second + 1, _LAST_SECOND), zone)


def _revisions(tags: list[str], *, weak: bool) -> list[uuid.UUID]:
    """Return the revisions that ``tags`` name, leaving out what is no tag of ours."""
    revisions = []
    for tag in tags:
        text = tag.removeprefix("W/") if weak else tag
        try:
            revisions.append(uuid.UUID(hex=text.strip('"')))
        except ValueError:
            continue
    return revisions
