"""Which licences a distribution's own licence files hold, told by their texts.

It stands for somebody's rate-limited API: all processes of the site together may look up one
distribution each half second, and a look-up reads the files. The container `licences` keeps what
came of it, so that each version is looked up once.
"""

import re
import time
from pathlib import PurePosixPath

from cacheback_app.containers import containers
from cacheback_app.stores import DataFormatException, stores
from example_project.shelf import installed, report
from example_project.shelf.models import Distribution

PAUSE = 0.5
"""Seconds from one look-up to the next."""

_FILE = re.compile(r"licen[cs]es?|copying|unlicense", re.IGNORECASE)
_WORD = re.compile(r"[a-z0-9.]+")
_PHRASES = {
    # The first that a text has all phrases of; a licence comes before those that it quotes.
    "PSF-2.0": ["python software foundation license"],
    "AGPL": ["gnu affero general public license"],
    "LGPL": ["gnu lesser general public license"],
    "GPL": ["gnu general public license"],
    "MPL-2.0": ["mozilla public license version 2.0"],
    "Apache-2.0": ["apache license version 2.0"],
    "Unlicense": ["this is free and unencumbered software"],
    "MIT": ["permission is hereby granted free of charge to any person obtaining a copy"],
    "ISC": ["permission to use copy modify and or distribute this software for any purpose"],
    "BSD-3-Clause": ["redistribution and use in source and binary forms", "neither the name"],
    "BSD-2-Clause": ["redistribution and use in source and binary forms"],
}
"""Each in words alone."""


def of(row: Distribution) -> dict[str, str]:
    """Return the licence that each licence file of a distribution holds: looked up at most once."""
    kept: dict[str, str] = containers["licences"][f"{row.key} {row.version}"]
    return kept


def look_up(key: str) -> dict[str, str]:
    """Return what `of` keeps: the generator of the container, which calls it when it has to."""
    _wait_for_turn()
    found = report.listed_files(installed.find(key.partition(" ")[0]))
    named = [(name, path) for name, path in found or () if _FILE.match(PurePosixPath(name).name)]
    return {name: classify(report.beginning(path)) for name, path in named}


def classify(text: str) -> str:
    """Return the name of the licence with that text, or "unknown"."""
    words = " ".join(_WORD.findall(text.lower()))
    for name, phrases in _PHRASES.items():
        if all(phrase in words for phrase in phrases):
            return name
    return "unknown"


def _wait_for_turn() -> None:
    """Wait until nobody has looked anything up for a while, and let everybody else wait."""
    while True:
        try:
            # Of all who try, in any process, one stores it; and it is gone when time is up.
            stores["default"].set("licences", "turn", "taken", not_set=True, expire=PAUSE)
        except DataFormatException:
            time.sleep(PAUSE / 10)
        else:
            return
