"""The code in docs/stores.md works."""

import re
from pathlib import Path
from typing import Any

import pytest

from cacheback_app.stores import LocalMemoryStore
from cacheback_app.stores.handler import build
from cacheback_app.stores.options import Options
from tests.services import ROOT

TEXT = (ROOT / "docs" / "stores.md").read_text()
CURSOR, SETTINGS, STORE, SUITE = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)

namespace: dict[str, Any] = {"__name__": __name__}
exec(STORE + SUITE, namespace)
PigeonStore = namespace["PigeonStore"]
TestPigeonStore = namespace["TestPigeonStore"]  # S6: the suite runs on it


def test_twenty_lines() -> None:
    """What a store needs of its own is about twenty lines."""
    body = STORE[STORE.index("    def __init__") :]
    assert len([line for line in body.splitlines() if line.strip()]) <= 20


def test_cursor(settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The example advances a cursor, once."""
    monkeypatch.chdir(tmp_path)
    configured: dict[str, Any] = {}
    exec(SETTINGS, configured)
    settings.CACHEBACK_STORES = configured["CACHEBACK_STORES"]
    seen: list[str] = []

    def sync_from(cursor: str) -> str:
        seen.append(cursor)
        return f"{cursor}+"

    for _ in range(2):
        exec(CURSOR, {"sync_from": sync_from})
    assert seen == ["2026-01-01", "2026-01-01+"]


def test_options() -> None:
    """The table names every option of every store, with its default."""
    import cacheback_app.stores as package

    table = TEXT[TEXT.index("## Options") : TEXT.index("Drivers come")]
    rows = re.findall(r"^\| (?:`(\w+)`)? ?\| `(\w+)` \| (?:`(.*?)`)? ?\|", table, re.MULTILINE)
    told: dict[str, dict[str, str]] = {}
    last = ""
    for name, option, default in rows:
        last = name or last
        told.setdefault(last, {})[option] = default
    for name in package.__all__:
        cls = getattr(package, name)
        if name.endswith("Store") and name not in ("BaseStore", "CheckedStore", "LocalMemoryStore"):
            parameters = Options(cls)._parameters.values()
            defaults = {
                one.name: "" if one.default is one.empty else repr(one.default).replace("'", '"')
                for one in parameters
            }
            assert told.pop(name) == defaults
    assert not told


def test_by_dotted_path() -> None:
    """A store of one's own is configured as the others are."""
    store = build("birds", {"BACKEND": f"{__name__}.PigeonStore", "OPTIONS": {"loft": "barn"}})
    assert isinstance(store, PigeonStore)
    assert not isinstance(store, LocalMemoryStore)
