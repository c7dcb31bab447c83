"""Fragments, and jobs that are none."""

import asyncio
from typing import Any

from django.contrib.auth.models import Group
from django.utils.translation import get_language

from cacheback_app import Job, cacheback
from cacheback_app.fragments import cacheback_fragment

made: list[Any] = []
"""The arguments of every context that was made."""
gates: dict[str, asyncio.Event] = {}
"""What the fragments of some shops wait for."""


@cacheback_fragment("http/books.html", lifetime=600)
def books(shop: str, *, limit: int = 2) -> dict[str, Any]:
    """Return the books of a shop."""
    made.append((shop, limit))
    return {"shop": shop, "number": len(made), "limit": limit}


@cacheback_fragment("http/books.html", lifetime=600)
async def abooks(shop: str) -> dict[str, Any]:
    made.append(shop)
    if shop in gates:
        await gates[shop].wait()
    return {"shop": shop, "number": len(made)}


@cacheback_fragment("http/books.html", lifetime=600, fetch_on_miss=False)
def lazy(shop: str) -> dict[str, Any]:
    made.append(shop)
    return {"shop": shop, "number": len(made)}


@cacheback_fragment("http/books.html")
def from_database(shop: str) -> dict[str, Any]:
    made.append(shop)
    return {"shop": shop, "number": Group.objects.count()}


@cacheback_fragment("http/outer.html")
def outer(shop: str) -> dict[str, Any]:
    return {"shop": shop}


@cacheback_fragment("http/local.html")
def local(shop: str) -> dict[str, Any]:
    return {"told": get_language()}


@cacheback_fragment("http/local.html")
async def alocal(shop: str) -> dict[str, Any]:
    return {"told": get_language()}


class Shop:
    """Has a fragment of its own."""

    @cacheback_fragment("http/books.html")
    @staticmethod
    def shelf(shop: str) -> dict[str, Any]:
        return {"shop": shop, "number": 0}


class Markup(Job):
    """Not a fragment: its value is text that somebody wrote."""

    def fetch(self, text: str = "<b>") -> str:
        return text


@cacheback
def amount(value: Any) -> Any:
    """Return what it was given, with its type."""
    return f"{type(value).__name__} {value}"


def plain(shop: str) -> str:
    """Not a job at all."""
    raise AssertionError("this must not be called")
