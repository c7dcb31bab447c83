"""The settings of the site: the only module that reads ``django.conf.settings``.

``conf.task_queue`` and the like are read once and kept until a setting changes, because some
of them are asked for on every cache hit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.conf import settings
from django.core.signals import setting_changed

from .durations import Duration
from .exceptions import ConfigurationException

_DEFAULTS: Mapping[str, Any] = {
    "CACHEBACK_CACHE_ALIAS": "default",
    "CACHEBACK_TASK_QUEUE": "celery",
    "CACHEBACK_TASK_IGNORE_RESULT": True,
    "CACHEBACK_VERIFY_CACHE_WRITE": None,
    "CACHEBACK_IGNORE_CACHE_ERRORS": True,
    "CACHEBACK_STORES": {},
    "CACHEBACK_CONTAINERS": {},
    "CACHEBACK_ENABLED": True,
    "CACHEBACK_STATS": True,
    "CACHEBACK_STATS_INTERVAL": 5,
}


class Conf:
    """One attribute per ``CACHEBACK_*`` setting, in lower case and without the prefix."""

    cache_alias: str
    task_queue: str
    task_ignore_result: bool
    verify_cache_write: bool | None
    ignore_cache_errors: bool
    stores: Mapping[str, Any]
    containers: Mapping[str, Any]
    enabled: bool
    stats: bool
    stats_interval: Duration

    @property
    def has_urls(self) -> bool:
        """Whether the site has a URL configuration."""
        return bool(of_site("ROOT_URLCONF"))

    @property
    def language(self) -> str:
        """The site's own language."""
        return str(settings.LANGUAGE_CODE)

    def __getattr__(self, name: str) -> Any:
        setting = f"CACHEBACK_{name.upper()}"
        if setting not in _DEFAULTS:
            raise AttributeError(name)
        value = getattr(settings, setting, _DEFAULTS[setting])
        if isinstance(_DEFAULTS[setting], dict) and not isinstance(value, Mapping):
            raise ConfigurationException(f"{setting} must be a dict, not {type(value).__name__}")
        self.__dict__[name] = value
        return value


conf = Conf()


def of_site(name: str, default: Any = None) -> Any:
    """Return a setting that is not this package's own, as it is now."""
    return getattr(settings, name, default)


def ensure_of_site(name: str, default: Any) -> None:
    """Give a setting that the site does not have its default."""
    if not hasattr(settings, name):
        setattr(settings, name, default)


def on_change(forget: Callable[[], None], *names: str) -> None:
    """Call ``forget`` when one of the settings ``names`` changes (as tests make them)."""

    def receiver(*, setting: str, **kwargs: Any) -> None:
        if setting in names:
            forget()

    setting_changed.connect(
        receiver, weak=False, dispatch_uid=(forget.__module__, forget.__qualname__)
    )


def _forget() -> None:
    conf.__dict__.clear()


on_change(_forget, *_DEFAULTS)
