"""The seam between a site of its own and SODAR Core: all that differs is asked of the host."""

from .base import Host
from .current import get_host

__all__ = ["Host", "get_host"]
