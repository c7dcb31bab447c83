"""LocalFileStore: what is on the disk, and what a crash leaves there."""

import os
import stat
import threading
import time
from pathlib import Path

import pytest

from cacheback_app.stores import (
    AccessException,
    ConfigurationException,
    DataFormatException,
    LocalFileStore,
    NotFoundException,
    local_file,
)
from cacheback_app.stores.keys import digest
from cacheback_app.testing.stores import PAIRS


def entry(folder: Path, pk: str = "pk", sk: str = "sk") -> Path:
    name = digest(pk, sk)
    return folder / name[:2] / name


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_reading_creates_nothing(folder: Path) -> None:
    """Neither making a store nor reading nor deleting what is missing makes a file or folder."""
    store = LocalFileStore(folder)
    with pytest.raises(NotFoundException):
        store.get("pk", "sk")
    store.delete("pk", "sk")
    with pytest.raises(DataFormatException):
        store.delete("pk", "sk", constraint="value")
    assert store.delete_expired() == 0
    assert not folder.parent.exists()


def test_nothing_escapes(folder: Path) -> None:
    """S3: whatever the keys, every file is in the store's folder, named by a digest."""
    store = LocalFileStore(folder, durable=False)
    (folder.parent.parent / "etc").mkdir()
    for pk, sk in PAIRS:
        store.set(pk, sk, "value")
    allowed = {digest(pk, sk) for pk, sk in PAIRS} | {"lock"}
    found = files(folder.parent.parent)
    assert {path.name for path in found} == allowed
    assert all(path.parent.parent == folder for path in found)


def test_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path is relative to where the store was made, wherever the process goes."""
    monkeypatch.chdir(tmp_path)
    store = LocalFileStore("here")
    monkeypatch.chdir("/")
    store.set("pk", "sk", "value")
    assert entry(tmp_path / "here").is_file()


def test_private(folder: Path) -> None:
    """Other users of the machine can't read what is stored, as with Django's file-based cache."""
    LocalFileStore(folder).set("pk", "sk", "value")
    assert stat.S_IMODE(entry(folder).stat().st_mode) == 0o600
    assert stat.S_IMODE(entry(folder).parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_killed_writers_rest(folder: Path) -> None:
    """S4: half a file that a killed writer left is not read, and the next writer replaces it."""
    store = LocalFileStore(folder)
    store.set("pk", "sk", "old")
    rest = entry(folder).with_name("new")
    rest.write_bytes(b"x" * 1000)
    assert store.get("pk", "sk") == "old"
    store.set("pk", "sk", "new", constraint="old")
    assert store.get("pk", "sk") == "new"
    assert not rest.exists()


def test_a_write_that_fails_leaves_the_old_value(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S4: when the disk is full, the old value stays, and the lock is free."""
    store = LocalFileStore(folder)
    store.set("pk", "sk", "old")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: (_ for _ in ()).throw(OSError(28, "full")))
        with pytest.raises(AccessException):
            store.set("pk", "sk", "new")
    assert store.get("pk", "sk") == "old"
    store.set("pk", "sk", "new")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"never",
        b"never 5 5\n",
        b"soon 4 5\n2:pkskvalue",
        b"never 6 5\n2:pkskvalu",
        b"never 6 5\n2:pXskvalue",
        b"never 6 5\n2:pkskvalue!",
        b"never 6 1\n2:pksk\xff",
    ],
)
def test_broken_files(folder: Path, content: bytes) -> None:
    """A file that is cut off or none of ours is an AccessException; it can be overwritten."""
    store = LocalFileStore(folder)
    store.set("pk", "sk", "value")
    assert entry(folder).read_bytes() == b"never 6 5\n2:pkskvalue"
    entry(folder).write_bytes(content)
    for call in (
        lambda: store.get("pk", "sk"),
        lambda: store.set("pk", "sk", "new", not_set=True),
        lambda: store.set("pk", "sk", "new", constraint="value"),
        lambda: store.delete("pk", "sk", constraint="value"),
    ):
        with pytest.raises(AccessException):
            call()
    assert store.delete_expired() == 0
    store.set("pk", "sk", "new")
    assert store.get("pk", "sk") == "new"
    entry(folder).write_bytes(content)
    store.delete("pk", "sk")
    with pytest.raises(NotFoundException):
        store.get("pk", "sk")


def test_durable(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """S4: the file is synced before it gets its name, and the folder after; durable=False: none."""
    calls: list[str] = []
    sync, rename = os.fsync, os.replace

    def record_sync(descriptor: int) -> None:
        folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        calls.append("folder" if folder else "file")
        sync(descriptor)

    def record_rename(old: str, new: str) -> None:
        calls.append("rename")
        rename(old, new)

    monkeypatch.setattr(os, "fsync", record_sync)
    monkeypatch.setattr(os, "replace", record_rename)
    store = LocalFileStore(folder)
    store.set("pk", "sk", "value")
    assert calls[-3:] == ["file", "rename", "folder"]
    assert calls[:-3] == ["folder"] * 3  # each new folder's name is in its parent
    calls.clear()
    store.set("pk", "sk", "new")
    store.delete("pk", "sk")
    assert calls == ["file", "rename", "folder", "folder"]
    calls.clear()
    LocalFileStore(folder, durable=False).set("pk", "sk", "value")
    assert calls == ["rename"]


def test_delete_expired(folder: Path) -> None:
    """The files of expired entries are removed, and no others."""
    store = LocalFileStore(folder, durable=False)
    for number in range(20):
        store.set("pk", str(number), "value", expire=0.01 if number % 2 else 60)
    store.set("pk", "kept", "value")
    time.sleep(0.02)
    assert store.delete_expired() == 10
    assert store.delete_expired() == 0
    assert len([path for path in files(folder) if path.name != "lock"]) == 11


def test_readers_do_not_wait(folder: Path) -> None:
    """Readers need no lock, and writers of another folder none of ours."""
    store = LocalFileStore(folder)
    store.set("pk", "sk", "value")
    elsewhere = next(str(n) for n in range(99) if entry(folder, "pk", str(n)) != entry(folder))
    done = threading.Event()
    with store._lock(str(entry(folder).parent)):
        writer = threading.Thread(target=lambda: (store.set("pk", "sk", "new"), done.set()))
        writer.start()
        assert store.get("pk", "sk") == "value"
        store.set("pk", elsewhere, "value")
        assert not done.wait(0.05)
    writer.join(10)
    assert store.get("pk", "sk") == "new"


def test_no_locks(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """S2: a system that can't lock files is refused, rather than served without atomicity."""
    monkeypatch.setattr(local_file.files, "can_lock", False)
    with pytest.raises(ConfigurationException, match="lock files"):
        LocalFileStore(folder)
