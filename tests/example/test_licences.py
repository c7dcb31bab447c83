"""The licences that files hold: a container keeps a slow, rate-limited look-up."""

import re
import time
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
from django.test import Client

from cacheback_app.containers import containers
from example_project.shelf import licences
from example_project.shelf.fill import fill
from example_project.shelf.models import Distribution
from tests.example.made_up import MadeUp

MIT = b"""Permission is hereby granted, free of charge, to any
person obtaining a copy of this software and associated documentation files"""


@pytest.fixture
def licensed(site: MadeUp) -> Distribution:
    """A distribution with licence files."""
    files = {"x/LICENSE.txt": MIT, "x/COPYING": b"\xff\0", "x/licensing.py": b"", "x/a.py": MIT}
    site.install("licensed", files)
    fill()
    return Distribution.objects.get(key="licensed")


def test_the_files_are_classified(licensed: Distribution) -> None:
    """Each licence file is told by its text; nothing else is read."""
    assert licences.of(licensed) == {"x/LICENSE.txt": "MIT", "x/COPYING": "unknown"}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Apache License\n   Version 2.0, January 2004", "Apache-2.0"),
        ("Mozilla Public License, version 2.0", "MPL-2.0"),
        ("GNU GENERAL PUBLIC LICENSE\nVersion 3", "GPL"),
        ("GNU Lesser General Public License; see the GNU General Public License", "LGPL"),
        ("Redistribution and use in source and\nbinary forms ... Neither the name", "BSD-3-Clause"),
        ("Redistribution and use in source and binary forms", "BSD-2-Clause"),
        ("PYTHON SOFTWARE FOUNDATION LICENSE, as the GNU General Public License", "PSF-2.0"),
        ("All rights reserved", "unknown"),
        ("", "unknown"),
    ],
)
def test_texts(text: str, name: str) -> None:
    """Line breaks, case and punctuation do not matter."""
    assert licences.classify(text) == name


def test_a_version_is_looked_up_once(
    licensed: Distribution, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second read looks nothing up; another version is another key."""
    licences.of(licensed)
    with monkeypatch.context() as patch:
        patch.setattr(containers["licences"], "generator", None)
        licences.of(licensed)
    licensed.version = "2.0"
    assert "licensed 2.0" not in containers["licences"]


def test_look_ups_are_rate_limited(site: MadeUp) -> None:
    """Two look-ups are half a second apart, whoever makes them."""
    licences.look_up("other 1.0")
    began = time.monotonic()
    licences.look_up("tiny-thing 1.0")
    assert time.monotonic() - began > 0.8 * licences.PAUSE


def test_a_failure_is_not_kept(site: MadeUp) -> None:
    """What is not installed is an error, and nothing is kept of it."""
    with pytest.raises(PackageNotFoundError):
        containers["licences"]["nothing 1.0"]
    assert "nothing 1.0" not in containers["licences"]


def test_the_page_shows_them(licensed: Distribution, client: Client) -> None:
    """The page of a distribution tells which licence each file holds."""
    html = re.sub(r"\s+", " ", client.get("/d/licensed/").content.decode())
    assert "<code>x/LICENSE.txt</code> MIT" in html
    assert "Licence texts" not in client.get("/d/other/").content.decode()


def test_real_files_are_known(site: MadeUp) -> None:
    """Django's own licence is told by its text."""
    import django

    found = licences.look_up(f"django {django.get_version()}")
    assert "BSD-3-Clause" in found.values()
    assert all(not Path(name).is_absolute() for name in found)
