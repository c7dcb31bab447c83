"""P1: one writer per item."""

from typing import Any

import pytest

from tests.sodarcache.support import APP, at_once


@pytest.mark.parametrize("with_project", [True, False])
def test_racing_writers_leave_one_row_and_no_error(
    api: Any, items: Any, project: Any, with_project: bool
) -> None:
    """P1: concurrent sets of one item give one row, and no error to anyone."""
    of = project if with_project else None
    for _ in range(10):
        items.all().delete()
        done = at_once(
            *(lambda n=n: api.set_cache_item(APP, "count", {"n": n}, project=of) for n in range(8))
        )
        assert [result for result in done if isinstance(result, BaseException)] == []
        row = items.get()
        assert {item.pk for item in done} == {row.pk}
        assert {item.sodar_uuid for item in done} == {row.sodar_uuid}


def test_racing_bulk_writers_do_not_wait_in_a_circle(api: Any, items: Any, project: Any) -> None:
    """P1: bulk writers of the same items in opposite orders all succeed."""
    new = [{"app_name": APP, "name": f"n{n}", "data": n, "project": project} for n in range(50)]
    for _ in range(5):
        done = at_once(
            *(lambda part=part: api.set_cache_items(part) for part in (new, new[::-1]) * 3)
        )
        assert [result for result in done if isinstance(result, BaseException)] == []
    assert items.count() == 50
