"""Imported by nobody but the tag."""

from cacheback_app.fragments import cacheback_fragment


@cacheback_fragment("http/books.html")
def late() -> dict[str, object]:
    """Return a context."""
    return {"shop": "late", "number": 1}
