"""Fill the shelf's tables from the running environment."""

from dataclasses import dataclass
from importlib import metadata

from django.db import transaction

from cacheback_app import invalidate_tags
from example_project.shelf import installed
from example_project.shelf.jobs import SHELF
from example_project.shelf.models import Distribution, Requirement

_FIELDS = ["name", "version", "summary", "licence", "home_page", "requires_python", "editable"]


@dataclass(frozen=True, slots=True)
class Filled:
    """What one filling did."""

    added: int
    changed: int
    removed: int
    unchanged: int
    requirements: int


def fill(path: list[str] | None = None) -> Filled:
    """Make the tables say what is installed, in one pass and a fixed number of queries.

    All that is cached from them carries one tag. It is invalidated inside the transaction and, by
    the library, once more after the commit, so that nothing read in between is kept as fresh.
    """
    found = {
        installed.normalise(installed.name_of(each)): each for each in installed.distributions(path)
    }
    rows = {key: _row(key, distribution) for key, distribution in found.items()}
    with transaction.atomic():
        before = {row.key: row for row in Distribution.objects.all()}
        changed = [key for key in rows.keys() & before.keys() if _differs(rows[key], before[key])]
        Distribution.objects.exclude(key__in=rows).delete()
        Distribution.objects.bulk_create(
            rows.values(), update_conflicts=True, unique_fields=["key"], update_fields=_FIELDS
        )
        requirements = _requirements(found)
        Requirement.objects.all().delete()
        Requirement.objects.bulk_create(requirements)
        invalidate_tags(SHELF)
    return Filled(
        added=len(rows.keys() - before.keys()),
        changed=len(changed),
        removed=len(before.keys() - rows.keys()),
        unchanged=len(rows.keys() & before.keys()) - len(changed),
        requirements=len(requirements),
    )


def _row(key: str, distribution: metadata.Distribution) -> Distribution:
    return Distribution(
        key=key,
        name=installed.name_of(distribution),
        version=installed.field(distribution, "Version", 100),
        summary=installed.field(distribution, "Summary", 500),
        licence=installed.licence(distribution),
        home_page=installed.home_page(distribution),
        requires_python=installed.field(distribution, "Requires-Python", 100),
        editable=installed.is_editable(distribution),
    )


def _differs(new: Distribution, old: Distribution) -> bool:
    return any(getattr(new, name) != getattr(old, name) for name in _FIELDS)


def _requirements(found: dict[str, metadata.Distribution]) -> list[Requirement]:
    ids = dict(Distribution.objects.values_list("key", "id"))
    return [
        Requirement(
            distribution_id=ids[key],
            target=asked.target,
            specifier=asked.specifier,
            marker=asked.marker,
            optional=asked.optional,
        )
        for key, distribution in found.items()
        for asked in installed.requirements(distribution)
    ]
