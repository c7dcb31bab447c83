"""Generators with a dotted path."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cacheback_app.containers import CacheContainer
from cacheback_app.stores.handler import build


def generate(name: str) -> str:
    return f"Hello {name}!"


NOT_A_FUNCTION = "Hello"


def read_slowly(
    index: int, definition: Mapping[str, Any], folder: str, seconds: float, timeout: float
) -> Any:
    """Read one key in this process; a file in ``folder`` tells of each run of the generator."""
    store = build("shared", definition)

    def generate(key: str) -> list[Any]:
        (Path(folder) / f"{index}-{time.time_ns()}").touch()
        time.sleep(seconds)
        return [key, index]

    try:
        return CacheContainer("greeting", store, generate, timeout=timeout)["Peter"]
    finally:
        store.close()


def fail(index: int, definition: Mapping[str, Any], folder: str) -> str:
    """Read one key in this process; the generator notes when it runs, and raises."""
    store = build("shared", definition)

    def generate(key: str) -> None:
        began = time.time()
        time.sleep(0.1)
        (Path(folder) / str(index)).write_text(f"{began} {time.time()}")
        raise LookupError(index)

    try:
        CacheContainer("greeting", store, generate)["Peter"]
    except LookupError as exc:
        return str(exc)
    finally:
        store.close()
    return "no error"
