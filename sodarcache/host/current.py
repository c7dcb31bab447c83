"""Which host this is."""

from __future__ import annotations

from functools import cache

from django.apps import apps

from .base import Host


@cache
def get_host() -> Host:
    """Return the host, which is SODAR Core where ``projectroles`` is installed.

    :raises AppRegistryNotReady: before ``INSTALLED_APPS`` are known.
    """
    if apps.is_installed("projectroles"):
        from .sodar_core import SodarCoreHost

        return SodarCoreHost()
    from .standalone import StandaloneHost

    return StandaloneHost()
