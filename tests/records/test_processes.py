"""R3: two processes that write the same cache, and what a killed one leaves."""

import multiprocessing
import os
import random
import threading
import time
from pathlib import Path

from tests import services
from tests.addresses import Site
from tests.records.conftest import close
from tests.records.in_other_processes import add_and_delete, cache_of, write_pairs
from tests.records.models import Tracker

COUNT, WRITERS, KILLS = 120, 4, 12


def expected(writers: int) -> set[int]:
    added = {w * 1000 + n for w in range(writers) for n in range(COUNT) if n % 3}
    answered = {w * 1000 + n + 500 for w in range(writers) for n in range(0, COUNT, 10)}
    return added | answered | {-1, -2}


def test_processes(kind: str, tmp_path: Path, processes: services.Processes) -> None:
    """R3: what each of four processes adds is there, and what it deletes is gone, for all."""
    folder = str(tmp_path / "cache")
    reader = cache_of(kind, folder)  # which has the beginning in memory
    reader.add_entry(Tracker(-3))
    site = Site(cache="", backend="locmem")
    processes.run(site, WRITERS, add_and_delete, kind, folder, COUNT)
    for cache in (reader, cache_of(kind, folder)):
        assert {record.id for record in cache.load_cache()} == expected(WRITERS) | {-3}
        found = cache.answer("1")
        assert found is not None and [record.id for record in found.entries] == [1610, -2]
        close(cache)


def test_threads(kind: str, tmp_path: Path) -> None:
    """R3: threads that share one cache, or each have their own, lose nothing either."""
    folder = str(tmp_path / "cache")
    shared = cache_of(kind, folder)
    own = [cache_of(kind, folder) for _ in range(2)]
    failures: list[BaseException] = []

    def work(index: int, cache: object) -> None:
        try:
            for number in range(COUNT):
                cache.add_entry(Tracker(index * 1000 + number))  # type: ignore[attr-defined]
                cache.load_cache()  # type: ignore[attr-defined]
        except BaseException as exc:
            failures.append(exc)

    caches = [shared, shared, *own]
    threads = [threading.Thread(target=work, args=pair) for pair in enumerate(caches)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    ids = {index * 1000 + number for index in range(4) for number in range(COUNT)}
    for cache in (shared, *own):
        assert {record.id for record in cache.load_cache()} == ids
    close(shared, *own)


def test_killed_writers(kind: str, tmp_path: Path) -> None:
    """R3: a writer that is killed leaves all that it was told is durable, and no half of a call."""
    folder, log = str(tmp_path / "cache"), tmp_path / "log"
    # Forked from a server that has imported all it takes, not started twelve times.
    nursery = multiprocessing.get_context("forkserver")
    nursery.set_forkserver_preload([write_pairs.__module__])
    for _ in range(KILLS):
        before = log.stat().st_size if log.exists() else 0
        writer = nursery.Process(target=write_pairs, args=(kind, folder, str(log)), daemon=True)
        writer.start()
        deadline = time.monotonic() + 60
        while not (log.exists() and log.stat().st_size > before + 20):
            assert writer.is_alive() and time.monotonic() < deadline
            time.sleep(0.002)
        time.sleep(random.uniform(0, 0.02))
        writer.kill()
        writer.join()
        cache = cache_of(kind, folder)
        ids = {record.id for record in cache.load_cache()}
        acknowledged = [int(line) for line in log.read_text().splitlines()]
        deleted = {number - 1 for number in acknowledged if number % 4 == 0}
        for number in set(acknowledged) - deleted:
            if number + 1 in acknowledged or number % 4 != 3:  # else its deletion may be done
                assert {2 * number, 2 * number + 1} <= ids
        for number in deleted:
            assert not {2 * number, 2 * number + 1} & ids
        assert all((one ^ 1) in ids for one in ids), "half of a pair"
        names = {record.id: record.name for record in cache.load_cache()}
        assert all(names[one] == names[one ^ 1] for one in ids)
        close(cache)


def test_a_forked_child(kind: str, tmp_path: Path) -> None:
    """R3: a child that was forked off while a cache is in use writes to it like any process."""
    cache = cache_of(kind, str(tmp_path / "cache"))
    cache.add_entry(Tracker(1))
    child = os.fork()
    if child == 0:
        status = 1
        try:
            cache.add_entry(Tracker(2))
            status = 0 if len(cache.load_cache()) >= 2 else 2
        finally:
            os._exit(status)
    cache.add_entry(Tracker(3))
    assert os.waitpid(child, 0)[1] == 0
    assert {record.id for record in cache.load_cache()} == {1, 2, 3}
    close(cache)
