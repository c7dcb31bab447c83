"""System checks: what is configured in a way that cannot work. ``docs/checks.md`` has them all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, register

from cacheback_app.conf import conf

from . import caches, jobs, queues, statistics, stores


@register("cacheback")
def check_settings(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Return what is wrong with the settings: cache, queue, statistics, and so on."""
    cache = caches.check(conf.cache_alias, "CACHEBACK_CACHE_ALIAS")
    return [*cache, *queues.check(), *statistics.check(), *stores.check()]


@register("cacheback")
def check_jobs(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Return what is wrong with the site's jobs, each of which is a message's ``obj``."""
    return list(jobs.check())
