"""What the package of records exports."""

import inspect

import pytest

from cacheback_app import records


def test_everything_imported_is_exported() -> None:
    """``__all__`` is sorted and has every public name, and nothing that is not there."""
    hidden = {"Any", "TYPE_CHECKING", "import_module"}
    names = {
        name
        for name, value in vars(records).items()
        if not name.startswith("_") and not inspect.ismodule(value) and name not in hidden
    }
    assert names <= set(records.__all__) == names | set(records._LAZY)
    assert records.__all__ == sorted(records.__all__)
    with pytest.raises(AttributeError, match="Nothing"):
        _ = records.Nothing


@pytest.mark.parametrize("name", records.__all__)
def test_every_export_is_documented(name: str) -> None:
    """Each public name has a docstring, and so has each public method of its own."""
    exported = getattr(records, name)
    assert exported.__doc__
    for method, value in vars(exported).items():
        if inspect.isfunction(value) and not method.startswith("_"):
            assert inspect.getdoc(getattr(exported, method)), f"{name}.{method}"
