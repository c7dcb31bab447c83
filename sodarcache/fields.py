"""Text that is equal only when it is the same, on every database; a new UUID for each state."""

from __future__ import annotations

import uuid
from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper


class ExactCharField(models.CharField):  # type: ignore[type-arg]
    """A ``CharField`` for names: ``"a"``, ``"A"`` and ``"a "`` are three.

    They are one for MariaDB's and MySQL's usual collations.
    """

    def db_parameters(self, connection: BaseDatabaseWrapper) -> Any:
        """Return the column's type, with an exact collation where the usual one is not."""
        parameters: dict[str, Any] = dict(super().db_parameters(connection))
        if connection.vendor == "mysql":
            is_mariadb = getattr(connection, "mysql_is_mariadb", False)
            parameters["collation"] = "utf8mb4_nopad_bin" if is_mariadb else "utf8mb4_0900_bin"
        return parameters


class RevisionField(models.UUIDField):  # type: ignore[type-arg]
    """Another random UUID each time the row is saved, as ``auto_now`` is another time.

    A time is not enough to tell two states apart: two writes may share a tick of the clock.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs |= {"default": uuid.uuid4, "db_default": uuid.UUID(int=0), "editable": False}
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> Any:
        """Leave out what the constructor sets."""
        name, path, args, kwargs = super().deconstruct()
        for fixed in ("default", "db_default", "editable"):
            kwargs.pop(fixed, None)
        return name, path, args, kwargs

    def pre_save(self, model_instance: models.Model, add: bool) -> uuid.UUID:
        """Return the new revision."""
        revision = uuid.uuid4()
        setattr(model_instance, self.attname, revision)
        return revision
