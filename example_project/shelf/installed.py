"""What importlib.metadata tells about the running environment, made safe to keep and to show."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from urllib.parse import urlsplit

_REQUIREMENT = re.compile(
    r"\s*(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*(?P<rest>[^;]*)(?:;(?P<marker>.*))?"
)
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_EXTRA = re.compile(r"\bextra\s*==")
_HOME_PAGES = ("homepage", "home", "repository", "source", "source code")
_LICENCE_LINE = 60  # a longer or many-lined License field is the licence's text, not its name


@dataclass(frozen=True, slots=True)
class Asked:
    """One requirement of a distribution, taken apart."""

    target: str
    specifier: str
    marker: str
    optional: bool


def normalise(name: str) -> str:
    """Return the name as the package index compares it: `Zope_Interface` is `zope-interface`."""
    return re.sub(r"[-_.]+", "-", name).lower()


def distributions(path: list[str] | None = None) -> Iterator[metadata.Distribution]:
    """Yield each installed distribution once: of two with one name, the one that Python imports.

    Passed over is a folder with broken metadata, or with none or no valid name in them, as an
    interrupted installation leaves behind.
    """
    seen = set()
    found = metadata.distributions() if path is None else metadata.distributions(path=path)
    for distribution in found:
        name = name_of(distribution)
        if _NAME.fullmatch(name) and normalise(name) not in seen:
            seen.add(normalise(name))
            yield distribution


def name_of(distribution: metadata.Distribution) -> str:
    """Return the name in the distribution's metadata, or "" when it cannot be read."""
    try:
        return field(distribution, "Name", 200)
    except (OSError, ValueError, TypeError):
        return ""


def field(distribution: metadata.Distribution, name: str, limit: int) -> str:
    """Return a field of the metadata as `tidy` makes it, or "" when it is missing."""
    return tidy(_raw(distribution, name), limit)


def _raw(distribution: metadata.Distribution, name: str) -> str:
    fields = distribution.metadata
    return str(fields[name]).strip() if name in fields else ""


def find(key: str) -> metadata.Distribution:
    """Return the installed distribution, or raise PackageNotFoundError."""
    return metadata.distribution(key)


def tidy(text: object, limit: int) -> str:
    """Return a metadata field as one line, at most `limit` long, that a database can hold."""
    line = str(text or "").encode("utf-8", "replace").decode().replace("\0", "")
    line = " ".join(line.split())
    return "" if line == "UNKNOWN" else line if len(line) <= limit else line[: limit - 1] + "…"


def licence(distribution: metadata.Distribution) -> str:
    """Return the licence's name from whichever of the three fields has it, or ""."""
    named = _raw(distribution, "License")
    classified = [
        classifier.rpartition("::")[2].strip()
        for classifier in distribution.metadata.get_all("Classifier") or ()
        if classifier.startswith("License ::") and classifier.count("::") > 1
    ]
    candidates = [
        _raw(distribution, "License-Expression"),
        named if len(named) <= _LICENCE_LINE and "\n" not in named else "",
        ", ".join(classified),
        named.partition("\n")[0],
    ]
    return next((line for line in (tidy(each, 120) for each in candidates) if line), "")


def home_page(distribution: metadata.Distribution) -> str:
    """Return an http(s) address of the project, or "" (a `javascript:` one is not an address)."""
    urls = [line.partition(",") for line in distribution.metadata.get_all("Project-URL") or ()]
    by_label = {label.strip().lower().replace("-", ""): url.strip() for label, _, url in urls}
    candidates = [
        _raw(distribution, "Home-page"),
        *(by_label.get(label, "") for label in _HOME_PAGES),
        *by_label.values(),
    ]
    return next((tidy(url, 500) for url in candidates if _is_web_address(url)), "")


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.netloc) and len(url) <= 500


def requirements(distribution: metadata.Distribution) -> list[Asked]:
    """Return the distribution's requirements; a line that is none is passed over."""
    matches = (_REQUIREMENT.fullmatch(tidy(line, 900)) for line in distribution.requires or ())
    return [
        Asked(
            target=normalise(match["name"])[:200],
            specifier=tidy(match["rest"], 500),
            marker=(marker := tidy(match["marker"], 500)),
            optional=bool(_EXTRA.search(marker)),
        )
        for match in matches
        if match
    ]


def is_editable(distribution: metadata.Distribution) -> bool:
    """Tell whether the distribution is a link to somebody's working copy (PEP 610)."""
    try:
        origin = json.loads(distribution.read_text("direct_url.json") or "{}")
        return bool(origin["dir_info"]["editable"])
    except (OSError, ValueError, KeyError, TypeError):
        return False
