"""Which ``sodarcache`` runs: ours, or the original that django-sodar-core installs.

Both distributions have a package of this name, so that which of them ``import`` would find depends
on how each was installed.
"""

import importlib.util
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import projectroles

OURS = Path(__file__).resolve().parents[2] / "sodarcache"
ORIGINAL = Path(projectroles.__file__).resolve().parents[1] / "sodarcache"


class Finder:
    """Finds some packages in given folders."""

    def __init__(self, folders: dict[str, Path]) -> None:
        self.folders = folders

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where the package is, None for all others."""
        folder = self.folders.get(name)
        if folder is None:
            return None
        return importlib.util.spec_from_file_location(
            name, folder / "__init__.py", submodule_search_locations=[str(folder)]
        )


def choose(*, original: bool) -> None:
    """Have ``sodarcache`` be one of the two, with the original's tests, read where pip put them.

    The original's migrations are ``original_migrations``.
    """
    folders = {
        "sodarcache": ORIGINAL if original else OURS,
        "sodarcache.tests": ORIGINAL / "tests",
        "original_migrations": ORIGINAL / "migrations",
    }
    sys.meta_path.insert(0, Finder(folders))
