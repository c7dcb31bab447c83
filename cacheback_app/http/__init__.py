"""Pages that tell browsers and CDNs how fresh they are, by the job that they show."""

from cacheback_app.serving import Freshness, Served, aserve, serve

from .pages import cacheback_page, with_freshness

__all__ = ["Freshness", "Served", "aserve", "cacheback_page", "serve", "with_freshness"]
