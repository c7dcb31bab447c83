"""What the pages show, each as a cached read.

The lifetimes are short so that a visitor can watch a value go stale and be renewed.
"""

from collections.abc import Iterable

from cacheback_app import Job, QuerySetFilterJob, QuerySetGetJob, cacheback
from example_project.shelf import installed, report
from example_project.shelf.models import Distribution, Requirement

SHELF = "shelf"
"""The tag on everything that `fill_shelf` may change."""


def tag_of(key: str) -> str:
    """Return the tag on everything that is about one distribution."""
    return f"distribution:{key}"


class ReportJob(Job):
    """A job class: the report of one distribution, for which every one of its files is read."""

    lifetime = 30
    version = 1  # bump it with the fields of Report

    def fetch(self, key: str) -> report.Report:
        asking = Requirement.objects.filter(target=key).order_by("distribution__key")
        dependants = asking.values_list("distribution__key", "distribution__name").distinct()
        return report.read(installed.find(key), dependants)

    def tags(self, key: str) -> Iterable[str]:
        return [SHELF, tag_of(key)]


class DistributionJob(QuerySetGetJob):
    """A `get` of the ORM: one row, by its key."""

    lifetime = 30

    def tags(self, *, key: str) -> Iterable[str]:
        return [SHELF, tag_of(key)]


class RequirementsJob(QuerySetFilterJob):
    """A `filter` of the ORM: what one distribution asks for."""

    lifetime = 30

    def tags(self, *, distribution__key: str) -> Iterable[str]:
        return [SHELF, tag_of(distribution__key)]


class ShelfJob(QuerySetFilterJob):
    """A `filter` of the ORM without conditions: all rows."""

    lifetime = 30

    def tags(self) -> Iterable[str]:
        return [SHELF]


@cacheback(lifetime=20, tags=[SHELF])
def totals() -> report.Totals:
    """Return figures over the whole shelf: a decorated function."""
    return report.count(installed.distributions())


reports = ReportJob()
rows = DistributionJob(Distribution)
requirements = RequirementsJob(Requirement)
shelf = ShelfJob(Distribution)
