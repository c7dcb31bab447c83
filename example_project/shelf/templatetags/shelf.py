"""How the shelf's pages write durations, and the line that tells how a value came."""

from time import perf_counter
from typing import Any

from django import template
from django.template import Context
from django.urls import reverse

from example_project.shelf.served import Served

register = template.Library()


@register.filter
def duration(seconds: float | None) -> str:
    """Write seconds as a reader would say them: 0.4 ms, 340 ms, 2.1 s, 3 min 5 s, 2 h 10 min."""
    if seconds is None:
        return ""
    return _in_words(max(0.0, seconds)).replace(" ", "\N{NO-BREAK SPACE}")


def _in_words(seconds: float) -> str:
    if seconds < 0.01:
        return f"{seconds * 1000:.1f} ms"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60:,} h {minutes % 60} min"


@register.simple_tag(takes_context=True)
def page_time(context: Context) -> float:
    """Seconds since the request arrived."""
    arrived: float = context["request"].arrived
    return perf_counter() - arrived


@register.inclusion_tag("shelf/_served.html", takes_context=True)
def how_served(context: Context, served: Served, name: str, key: str = "") -> dict[str, Any]:
    """Tell how the value came, with the buttons that invalidate and forget it."""
    view, args = ("shelf:act", [key]) if key else ("shelf:act_on_shelf", [])
    return {
        "served": served,
        "name": name,
        "invalidate_url": reverse(view, args=[*args, "invalidate", name]),
        "forget_url": reverse(view, args=[*args, "forget", name]),
        "csrf_token": context.get("csrf_token"),
    }
