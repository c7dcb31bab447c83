"""What happens to caches that users don't plan for, and sessions by themselves."""

import errno
import shutil
from dataclasses import dataclass, field, make_dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, ForwardRef

import pytest
import time_machine
from pydantic import BaseModel, SecretStr

from cacheback_app.engine import files
from cacheback_app.records import (
    JSONCache,
    JSONSession,
    Query,
    RecordCache,
    Shape,
    UnsuitableModel,
)
from tests.records.conftest import KINDS, Make, close
from tests.records.models import Tracker, endpoint_of

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
ONE, TWO, THREE = Tracker(1), Tracker(2), Tracker(3)


def two_versions(**default: Any) -> tuple[Any, Any]:
    """Return a model with an id, and its next version, which has a name, too."""
    before = make_dataclass("Versioned", [("id", int)])
    name = ("name", str, field(**default))
    return before, make_dataclass("Versioned", [("id", int), name])


@pytest.mark.parametrize("default", [{}, {"default": ""}], ids=["required", "with a default"])
def test_answers_of_another_version_are_asked_for_again(
    make: Make, default: dict[str, str]
) -> None:
    """R6, R7: after a field was added an answer is neither fresh nor confirmed by its ETag.

    Otherwise a record without the required field would be missing in what is served as the whole
    list, and one with a default would have that for ever, with every 304.
    """
    before, after = two_versions(**default)
    make(None, before).keep_answer("a", [before(1)], Shape.LIST, '"1"', "yesterday")
    cache = make(None, after)
    assert cache.answer("a") is None
    stale = cache.answer("a", expired=True)
    if default:
        assert stale is not None and stale.entries == (after(1),)
        assert (stale.etag, stale.last_modified, stale.is_fresh) == (None, None, False)
    else:
        assert stale is None
    cache.keep_answer("a", [after(1, name="new")], Shape.LIST, '"1"')
    found = cache.answer("a")
    assert found is not None and found.etag == '"1"'


class Strict(BaseModel):
    """A model whose JSON schema does not say what is valid."""

    id: int
    name: str = ""


def test_a_record_that_has_become_invalid(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """R6: a list that can't be read whole is no answer, as the server's has that record, too."""
    cache = make(None, Strict)
    cache.keep_answer("a", [Strict(id=1), Strict(id=2)], Shape.LIST)
    schema = cache.schema
    monkeypatch.setattr(
        type(schema),
        "readable",
        lambda self, texts: [schema.read(text) for text in texts if b'"id":1' in _bytes(text)],
    )
    assert cache.answer("a", expired=True) is None


def _bytes(text: Any) -> bytes:
    return text if isinstance(text, bytes) else text.encode()


def test_an_answer_from_the_future(make: Make) -> None:
    """R2: when the clock was set back by years, an answer is not fresh until it comes back."""
    with time_machine.travel(NOON + timedelta(days=1000)):
        cache = make(3600)
        cache.keep_answer("a", [ONE], Shape.LIST)
        assert cache.answer("a") is not None
    with time_machine.travel(NOON):
        assert cache.answer("a") is None
        assert cache.answer("a", expired=True) is not None
        cache.expire_after = None
        assert cache.answer("a") is not None


@pytest.mark.parametrize("count", [1_500, 260_000])
def test_a_query_of_many_values(make: Make, count: int) -> None:
    """R5: a list in a query may have any length, in SQLite, too."""
    cache = make()
    cache.add_entry(ONE, Tracker(2, "b", tags=["1"], seconds=2), Tracker(-3))
    assert [one.id for one in cache.query(Query("id", list(range(count))))] == [1, 2]
    names = [str(number) for number in range(count)]
    assert [one.id for one in cache.query(Query("tags", names))] == [2]
    assert [one.id for one in cache.query(Query("seconds", [*range(1, count), 2.5]))] == [2]


def test_a_query_of_many_days(make: Make) -> None:
    """R5: years of days can be asked for, each as a whole, in a list's members and beside None."""
    cache = make()
    cache.add_entry(Tracker(1, start=NOON), Tracker(2), Tracker(3, start=datetime(1999, 1, 1)))
    days: list[Any] = [date(2020, 1, 1) + timedelta(days=number) for number in range(3_000)]
    assert [one.id for one in cache.query(Query("start", days))] == [1]
    assert [one.id for one in cache.query(Query("start", [None, *days]))] == [1, 2]


@pytest.mark.parametrize("kind", KINDS)
def test_another_working_directory(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cache with a relative path stays where it is when a daemon changes its directory."""
    monkeypatch.chdir(tmp_path)
    cache: RecordCache[Tracker] = KINDS[kind](Path("cache"), 3600, endpoint_of(Tracker))
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    cache.add_entry(ONE)
    assert cache.load_cache() == [ONE]
    assert cache.cache_path.is_relative_to(tmp_path / "cache")
    assert list((tmp_path / "other").iterdir()) == []
    close(cache)


def test_a_folder_that_is_removed(tmp_path: Path) -> None:
    """R3: who removes the folder of a JSON cache that is in use starts anew."""
    cache: JSONCache[Tracker] = JSONCache(tmp_path / "a" / "b", None, endpoint_of(Tracker))
    cache.add_entry(ONE)
    shutil.rmtree(tmp_path / "a")
    assert cache.load_cache() == []
    cache.add_entry(TWO)
    shutil.rmtree(tmp_path / "a")
    cache.add_entry(THREE)
    assert cache.load_cache() == [THREE]


def test_a_snapshot_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """R3: when the disk is full while both files are replaced, what wasn't saved isn't found."""
    cache: JSONCache[Tracker] = JSONCache(tmp_path, None, endpoint_of(Tracker))

    def full(*args: Any, **options: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(files, "replace", full)
        with pytest.raises(OSError, match="No space"):
            cache.add_entry(ONE)
        assert cache.load_cache() == []
    cache.add_entry(TWO)
    assert cache.load_cache() == [TWO]


def test_models_that_cannot_be_kept(make: Make) -> None:
    """A model with a secret, of which JSON has asterisks, or with an unknown type is refused."""

    class WithSecret(BaseModel):
        id: int
        token: SecretStr | None = None

    @dataclass
    class Around:
        id: int
        inner: WithSecret

    unknown = make_dataclass("Unknown", [("id", int), ("other", ForwardRef("Nowhere"))])  # type: ignore[misc]
    for model, why in [(WithSecret, "secret"), (Around, "secret"), (unknown, "Nowhere")]:
        with pytest.raises(UnsuitableModel, match=why):
            make(None, model).load_cache()


# Sessions by themselves


def test_a_session_takes_the_model_of_its_records(tmp_path: Path) -> None:
    """A session that nobody told its model takes that of the records that it is given."""
    assert JSONSession(max_length=2).process_data([ONE, TWO, THREE]) == [TWO, THREE]
    session: JSONSession[Tracker] = JSONSession(max_length=2, data=[ONE])
    session.data.append(TWO)  # type: ignore[attr-defined]
    session.save(tmp_path / "x.json")
    other: JSONSession[Tracker] = JSONSession(model=Tracker)
    other.load(str(tmp_path / "x.json"))
    assert other.data == [ONE, TWO]
    third: JSONSession[Tracker] = JSONSession(data=[THREE])
    third.save(tmp_path / "x.json")
    assert other.refresh(tmp_path / "x.json") and other.data == [ONE, TWO, THREE]


def test_when_a_session_was_modified(tmp_path: Path) -> None:
    """``modified`` is when the file was changed, in nanoseconds, after saving and loading it."""
    path = tmp_path / "x.json"
    session: JSONSession[Tracker] = JSONSession(model=Tracker)
    session.load(path)
    assert session.modified == 0
    session.data.append(ONE)  # type: ignore[attr-defined]
    session.save(path)
    written = (tmp_path / "x.journal").stat().st_mtime_ns
    assert session.modified == written
    other: JSONSession[Tracker] = JSONSession(model=Tracker)
    other.load(path)
    assert other.modified == written
