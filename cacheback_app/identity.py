"""Who a job is: its name, its keys, and how a worker finds it again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Self

from .engine import codec, keys, registry
from .hooks import Hooks
from .options import without_task_options


class Identity(Hooks):
    """What tells a job from others, in this process and in a worker."""

    _fetch_bind: ClassVar[Callable[..., tuple[Any, ...]]]
    _fetch_names: ClassVar[tuple[str, ...]]
    _job_path: ClassVar[str]
    _has_identity = False
    """Whether instances of the class may differ in what they fetch."""

    def key(self, *args: Any, **kwargs: Any) -> str:
        """Return the cache key of a call: different arguments never share one.

        :raises TypeError: for an argument that has no key; override this method then.
        """
        return keys.make(self._key_prefix(), self._fetch_bind(*args, **kwargs), self._fetch_names)

    def _key_prefix(self) -> str:
        """Return the beginning of every key: the job's path, its version and its identity."""
        path = keys.versioned(self._job_path, self.version)
        if not self._has_identity:
            return path
        identity = self._identity()
        return keys.make(path, identity, ["init argument"] * len(identity))

    def _identity(self) -> tuple[Any, ...]:
        """Return what tells this job from others of its class, as part of every key."""
        args, kwargs = self.get_init_args(), self.get_init_kwargs()
        return (*args, kwargs)

    def _path_for(self, args: tuple[Any, ...]) -> str:
        """Return the name of this job in logs and metrics, for a call with ``args``."""
        return registry.dotted(type(self))

    def _describe(self, args: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
        """Return where a worker finds the job of a call, and the arguments that are left to send.

        :raises JobNotImportable: when a worker would not find it.
        """
        return registry.path_of(type(self)), args

    def _rebuilding(self, args: tuple[Any, ...]) -> codec.Json:
        """Return the keywords of :meth:`_rebuild` that bring the job of a call back, as JSON.

        :raises TypeError: for an argument of the job itself that cannot be sent.
        """
        if not self._has_identity:
            return self._used
        made_with = {"args": tuple(self.get_init_args()), "kwargs": self.get_init_kwargs()}
        using = without_task_options(self._used_options)
        return codec.dump({**made_with, "using": using}, "init arguments")

    @classmethod
    def _rebuild(
        cls,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] = MappingProxyType({}),
        using: Mapping[str, Any] = MappingProxyType({}),
    ) -> tuple[Self, tuple[Any, ...]]:
        """Return the job that :meth:`_describe` told of, and its first arguments."""
        job = cls(*args, **kwargs)
        return (job.using(**using) if using else job), ()
