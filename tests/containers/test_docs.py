"""The code in docs/containers.md works."""

import inspect
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import cacheback_app.containers as package
from cacheback_app.stores import stores
from tests.services import ROOT

TEXT = (ROOT / "docs" / "containers.md").read_text()
MODULE, SETTINGS, USE, REGISTER, INIT = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
(PRINTED,) = re.findall(r"```text\n(.*?)```", TEXT, re.DOTALL)


@pytest.fixture
def _greetings(settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.chdir(tmp_path)
    module = ModuleType("greetings")
    exec(MODULE, vars(module))
    monkeypatch.setitem(sys.modules, "greetings", module)
    configured: dict[str, Any] = {}
    exec(SETTINGS, configured)
    settings.CACHEBACK_STORES = configured["CACHEBACK_STORES"]
    settings.CACHEBACK_CONTAINERS = configured["CACHEBACK_CONTAINERS"]
    yield
    stores.close()


@pytest.mark.usefixtures("_greetings")
def test_the_examples(capsys: pytest.CaptureFixture[str]) -> None:
    """The first example prints what is printed below it, and the last one works as well."""
    exec(USE, {})
    assert capsys.readouterr().out == PRINTED
    names: dict[str, Any] = {}
    exec(INIT, names)
    assert names["kvcache"]["greeting"]["Peter"] == "Hello Peter!"
    names["kvcache"]["greeting"].backend.close()


def test_registering(monkeypatch: pytest.MonkeyPatch) -> None:
    """The example of generators in code works, with a registry of its own."""
    registry = package.init({})
    monkeypatch.setattr(package, "containers", registry)
    exec(REGISTER, {})
    assert registry["greeting"]["Peter"] == "Hello Peter!"
    assert registry["length"]["Peter"] == 5
    assert list(registry) == ["greeting", "length", "other"]


@pytest.mark.parametrize("name", package.__all__)
def test_every_export_is_documented(name: str) -> None:
    """Each public name has a docstring, and so has each public method of its own."""
    exported = getattr(package, name)
    assert exported.__doc__
    for method, value in vars(exported).items() if inspect.isclass(exported) else ():
        if inspect.isfunction(value) and not method.startswith("_"):
            assert inspect.getdoc(value), f"{name}.{method}"


def test_everything_imported_is_exported() -> None:
    """``__all__`` has every public name of the package, and nothing that is not there."""
    names = {
        name
        for name, value in vars(package).items()
        if not name.startswith("_") and not inspect.ismodule(value)
    }
    assert names == set(package.__all__)
