"""A database of the site, through Django's ORM."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from asgiref.sync import sync_to_async
from django.db import Error, IntegrityError, connections, transaction
from django.db.models import Q, QuerySet

from cacheback_app.exceptions import ConfigurationException

from .checked import CheckedStore
from .keys import digest

if TYPE_CHECKING:
    from cacheback_app.models import StoreItem

T = TypeVar("T")


class DatabaseStore(CheckedStore):
    """Keeps entries in the table of the model ``StoreItem``.

    A write inside ``transaction.atomic`` belongs to that transaction: others see it, and a
    condition is settled, when it commits.

    :param using: alias of the database in ``DATABASES``.
    :param namespace: stores of different namespaces share the table and no entries.
    """

    driver_errors = (Error,)

    def __init__(self, using: str = "default", *, namespace: str = "") -> None:
        if using not in connections:
            raise ConfigurationException(f"the option 'using': no {using!r} in DATABASES")
        if len(namespace) > 100:
            raise ConfigurationException("the option 'namespace' is longer than 100 characters")
        try:
            from cacheback_app.models import StoreItem
        except RuntimeError as exc:
            raise ConfigurationException(
                "DatabaseStore needs 'cacheback_app' in INSTALLED_APPS"
            ) from exc
        self._model = StoreItem
        self._using = using
        self._namespace = namespace

    def _get(self, pk: str, sk: str) -> str | None:
        live = self._entry(pk, sk).filter(_live(time.time()))
        value = live.values_list("value", flat=True).first()
        return None if value is None else bytes(value).decode()

    def _set(
        self,
        pk: str,
        sk: str,
        value: str,
        not_set: bool,
        constraint: str | None,
        lifetime: float | None,
    ) -> bool:
        now = time.time()
        new = {"value": value.encode(), "expires": None if lifetime is None else now + lifetime}
        entry = self._entry(pk, sk)
        if constraint is not None:
            holds = entry.filter(_live(now), value=constraint.encode())
            return holds.update(**new) == 1
        if not_set:
            # Two statements: an upsert can't tell on MariaDB what it did. Between them the key
            # may be taken by another writer, which the second one then finds.
            return entry.filter(expires__lte=now).update(**new) == 1 or self._adds(pk, sk, new)
        while not entry.update(**new):
            if self._adds(pk, sk, new):
                break
        return True

    def _delete(self, pk: str, sk: str, constraint: str | None) -> bool:
        entry = self._entry(pk, sk)
        if constraint is not None:
            entry = entry.filter(_live(time.time()), value=constraint.encode())
        return self._remove(entry) == 1

    def _delete_expired(self) -> int:
        return self._remove(self._items().filter(expires__lte=time.time()))

    async def _run(self, do: Callable[[], T]) -> T:
        # In the thread whose connections and transactions the caller's own queries use.
        result: T = await sync_to_async(do)()
        return result

    def _items(self) -> QuerySet[StoreItem]:
        return self._model.objects.using(self._using)

    def _key(self, pk: str, sk: str) -> str:
        return digest(pk, sk, self._namespace)

    def _entry(self, pk: str, sk: str) -> QuerySet[StoreItem]:
        return self._items().filter(key=self._key(pk, sk))

    def _remove(self, entries: QuerySet[StoreItem]) -> int:
        # One DELETE. delete() first loads the rows for whoever listens to signals of all models,
        # and then deletes what has their keys, whatever has become of the condition.
        return entries._raw_delete(self._using)

    def _adds(self, pk: str, sk: str, new: dict[str, Any]) -> bool:
        """Insert an entry; return False when there is one."""
        item = self._model(
            key=self._key(pk, sk),
            namespace=self._namespace,
            partition_key=pk.encode(),
            sort_key=sk.encode(),
            **new,
        )
        try:
            with transaction.atomic(using=self._using):
                item.save(using=self._using, force_insert=True)
        except IntegrityError:
            return False
        return True


def _live(now: float) -> Q:
    return Q(expires=None) | Q(expires__gt=now)
