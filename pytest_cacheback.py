"""The pytest plugin, found by its entry point: what ``cacheback_app.testing`` has, as fixtures.

pytest imports this module in every environment that has the package installed, before there are
settings, and for projects that know nothing of Django. So it is none of the package's own, which
would bring Django along, and imports nothing before a fixture is used.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from cacheback_app.testing import Clock, Refreshes


@pytest.fixture
def cacheback_sync_refresh() -> Iterator[None]:
    """Refreshes run in place. See ``sync_refresh()``."""
    from cacheback_app.testing import sync_refresh

    with sync_refresh():
        yield


@pytest.fixture
def cacheback_disabled() -> Iterator[None]:
    """Every read fetches. See ``disabled()``."""
    from cacheback_app.testing import disabled

    with disabled():
        yield


@pytest.fixture
def cacheback_refreshes() -> Iterator[Refreshes]:
    """Refreshes are listed here instead of being run. See ``capture_refreshes()``."""
    from cacheback_app.testing import capture_refreshes

    with capture_refreshes() as refreshes:
        yield refreshes


@pytest.fixture
def cacheback_clock() -> Iterator[Clock]:
    """A clock to move. See ``fake_clock()``."""
    from cacheback_app.testing import fake_clock

    with fake_clock() as clock:
        yield clock


@pytest.fixture
def cacheback_faults() -> ModuleType:
    """What can go wrong, as context managers: the module ``cacheback_app.testing.faults``."""
    from cacheback_app.testing import faults

    return faults
