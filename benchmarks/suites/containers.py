"""A container's hit in an SQLite file, beside that of the library that containers come from."""

from collections.abc import Iterator
from contextlib import closing

import score.kvcache

from benchmarks import settings
from benchmarks.environment import Environment
from benchmarks.report import FLOOR, OURS, Row, timed
from benchmarks.subjects import VALUE
from benchmarks.timing import calls, interleaved
from cacheback_app.containers import init

ROW = "hit, container on SQLiteStore / score.kvcache on its FileCache"


def run(environment: Environment) -> Iterator[Row]:
    ours, theirs = (
        make(
            {
                "backend.file": "score.kvcache.backend.FileCache",
                "backend.file.path": str(settings.FOLDER / f"{name}.sqlite3"),
                "container.tweets.backend": "file",
                "container.tweets.expire": "1h",
            }
        )["tweets"]
        for name, make in [("containers", init), ("kvcache", score.kvcache.init)]
    )
    with closing(ours.backend):
        for container in (ours, theirs):
            container["alice"] = VALUE
        hit = "container['alice']"
        blocks = {FLOOR: calls(hit, container=theirs), OURS: calls(hit, container=ours)}
        yield timed(ROW, interleaved(blocks, number=200, rounds=100), 0.25)
