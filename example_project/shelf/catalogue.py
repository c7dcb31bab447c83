"""The shelf as somebody else sees it: through its API, with what was answered kept as records.

The site asks itself over HTTP, so it needs a second thread or process to answer: ``runserver`` has
one for each request.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from itertools import count
from typing import Annotated

import httpx
from django.conf import settings

from cacheback_app.records import (
    CachedEndpoint,
    Indexed,
    InvalidResponse,
    LastAnswer,
    Source,
    SqliteCache,
)
from example_project.shelf.api import PAGE_SIZE

LIFETIME = timedelta(seconds=30)
FAILURES = (httpx.HTTPError, InvalidResponse)

# The last that is true of any page is told of all.
_ORDER = [Source.CACHE, Source.NOT_MODIFIED, Source.NETWORK, Source.STALE]


@dataclass
class Package:
    """What the API has records of."""

    id: int
    key: str
    name: Annotated[str, Indexed()]
    version: str = ""
    summary: str = ""
    licence: str = ""
    editable: bool = False
    requirements: list[str] = field(default_factory=list)

    @property
    def needs(self) -> int:
        """The number of its requirements."""
        return len(self.requirements)


@dataclass(frozen=True)
class Answer:
    """All records of the API, and where they come from."""

    packages: list[Package]
    told: LastAnswer


@cache
def endpoint() -> CachedEndpoint[Package]:
    """Return the endpoint, one for all threads, made at first use."""

    class Packages(CachedEndpoint[Package]):
        MODEL = Package
        BASE_ENDPOINT = settings.SHELF_API

    # A visitor should not wait long for an API that is slow; what was kept is shown instead.
    kept: SqliteCache[Package] = SqliteCache(settings.SHELF_RECORDS, LIFETIME)
    return Packages(kept, timeout=3, retries=1)


def read(*, refresh: bool = False) -> Answer:
    """Return the packages of all pages, from the cache while it is fresh."""
    packages, told = [], []
    asked = endpoint()
    for page in count(1):
        found = asked.request(f"distributions/?page={page}", refresh=refresh)
        assert isinstance(found, list)
        packages += found
        assert asked.last_answer
        told.append(asked.last_answer)
        if len(found) < PAGE_SIZE:
            break
    return Answer(packages, max(told, key=lambda one: _ORDER.index(one.source)))


def in_words(error: Exception | None) -> str:
    """Return what a visitor may know of a failure."""
    if isinstance(error, httpx.HTTPStatusError):
        response = error.response
        wait = response.headers.get("Retry-After")
        again = f", try again in {wait} s" if wait else ""
        return f"{response.status_code} {response.reason_phrase}{again}"
    if isinstance(error, InvalidResponse):
        return "its answer is not what was expected"
    if isinstance(error, httpx.TimeoutException):
        return "it took too long"
    return "it can't be reached"
