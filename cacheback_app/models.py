"""The table of :class:`cacheback_app.stores.DatabaseStore`, and the panel's permission."""

from __future__ import annotations

from django.db import models


class StoreItem(models.Model):
    """One entry of a store. Applications use the store, not this."""

    key = models.CharField(max_length=64, primary_key=True, editable=False)
    """A digest: keys of 2,000 characters are longer than MariaDB and PostgreSQL index."""
    namespace = models.CharField(max_length=100, blank=True, default="")
    # Binary: PostgreSQL's text can't hold NUL, and MariaDB's is equal in any case.
    partition_key = models.BinaryField()
    sort_key = models.BinaryField()
    value = models.BinaryField()
    expires = models.FloatField(null=True, blank=True)
    """Seconds since the epoch; None is for ever."""

    class Meta:
        verbose_name = "store item"

    def __str__(self) -> str:
        keys = (self.partition_key, self.sort_key)
        return " / ".join(bytes(key).decode(errors="replace") for key in keys)


class CachedValue(StoreItem):
    """What jobs keep in caches, as permissions and the admin log name it. It has no rows.

    A proxy, as there shall be no table, and ``dumpdata`` would look for that of an unmanaged model.
    """

    class Meta:
        proxy = True
        verbose_name = "cached value"
        default_permissions = ()
        permissions = [("manage_cache", "Can see, refresh, invalidate and delete cached values")]
