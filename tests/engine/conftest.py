"""The fixtures of the jobs' tests serve those of the engine as well."""

from tests.jobs.conftest import alias, capture, clock, hanging, only_local

__all__ = ["alias", "capture", "clock", "hanging", "only_local"]
