"""System checks of the settings, both sides of each."""

from typing import Any

import pytest

from sodarcache import checks


@pytest.mark.parametrize(
    ("model", "field", "longest", "expected"),
    [
        ("sodarcache.Project", "sodar_uuid", 200, []),
        ("sodarcache.Project", "colour", 200, ["sodarcache.E001"]),
        ("sessions.Session", "session_key", 40, []),
        ("sessions.Session", "session_key", 39, ["sodarcache.E002"]),
        ("sodarcache.Porject", "sodar_uuid", 200, ["sodarcache.E003"]),
        ("shop.Project", "sodar_uuid", 200, ["sodarcache.E003"]),
        ("Project", "sodar_uuid", 200, ["sodarcache.E003"]),
    ],
)
def test_project_model(
    settings: Any, monkeypatch: Any, model: str, field: str, longest: int, expected: list[str]
) -> None:
    """A project model that is not there, that has no such field, or whose primary key the unique
    index could not hold is an error that the check tells (section 6)."""
    settings.SODARCACHE_PROJECT_MODEL = model
    settings.SODARCACHE_PROJECT_UUID_FIELD = field
    monkeypatch.setattr(checks, "SCOPE_LENGTH", longest)
    assert [message.id for message in checks.check_project_model()] == expected


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["sodar_cache"], []),
        ([], []),
        (None, []),
        (("sodar_cache", "sodar_cahce"), ["sodarcache.E004"]),
        ("sodar_cache", ["sodarcache.E004"]),
    ],
)
def test_backend_plugins(settings: Any, names: Any, expected: list[str]) -> None:
    """An enabled backend that no app has, or a text in place of a list, is an error that the check
    tells; otherwise ``get_backend_api`` would give None (section 6)."""
    settings.SODARCACHE_ENABLED_BACKEND_PLUGINS = names
    found = list(checks.check_backend_plugins())
    assert [message.id for message in found] == expected
    assert all("sodar_ca" in message.msg for message in found)
