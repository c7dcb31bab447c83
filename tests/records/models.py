"""Models and endpoints of the tests, which other processes import, too."""

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from types import SimpleNamespace
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, Field

from cacheback_app.records import Indexed


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Client:
    id: int
    name: str


@dataclass
class Tracker:
    id: int
    name: Annotated[str, Indexed()] = ""
    start: Annotated[datetime | None, Indexed()] = None
    tags: Annotated[list[str], Indexed()] = field(default_factory=list)
    seconds: int = field(default=0, metadata={"indexed": True})


@dataclass
class Everything:
    """A field of each type, half of them indexed."""

    id: int
    count: Annotated[int | None, Indexed()] = None
    ratio: float | None = None
    amount: Annotated[Decimal | None, Indexed()] = None
    flag: bool | None = None
    name: Annotated[str | None, Indexed()] = None
    moment: Annotated[datetime | None, Indexed()] = None
    day: date | None = None
    clock: time | None = None
    length: Annotated[timedelta | None, Indexed()] = None
    code: UUID | None = None
    colour: Annotated[Colour | None, Indexed()] = None
    client: Client | None = None
    tags: Annotated[list[str], Indexed()] = field(default_factory=list)
    numbers: list[Decimal] = field(default_factory=list)
    moments: list[datetime] = field(default_factory=list)
    anything: Annotated[Any, Indexed()] = None


class Person(BaseModel):
    id: str
    name: Annotated[str, Indexed()] = Field("", alias="fullName")
    born: date | None = None
    client: Client | None = None


@dataclass
class Blob:
    id: int
    content: bytes = b""


@dataclass
class Loose:
    """Fields that may hold a list or not, each said in another way."""

    id: int
    any: Any = None
    optional: Any | None = None
    union: int | list[int] | None = None
    several: list[Any] = field(default_factory=list)


def endpoint_of(model: type) -> Any:
    """Return what a cache needs of an endpoint: its model."""
    return SimpleNamespace(MODEL=model)
