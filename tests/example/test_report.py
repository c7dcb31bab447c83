"""The report over the files of a distribution, and the totals."""

import hashlib
import os
import sys
from pathlib import Path

import pytest

from example_project.shelf import report
from tests.example.made_up import MadeUp


def test_the_figures_are_right(made_up: MadeUp) -> None:
    """Files, bytes and lines of Python are counted; a last line without a newline is a line."""
    files = {"t/a.py": b"1\n2", "t/b.py": b"", "t/data.txt": b"x\ny\n"}
    made = report.read(made_up.install("tiny", files, ["License: MIT"]), [("z", "Z"), ("a", "A")])
    assert (made.listed, made.files, made.size, made.python_lines) == (True, 3, 7, 2)
    assert (made.licence, made.unreadable) == ("MIT", 0)
    assert made.dependants == (("a", "A"), ("z", "Z"))
    assert [(file.path, file.size) for file in made.largest] == [("t/data.txt", 4), ("t/a.py", 3)]


def test_the_digest_is_over_sorted_paths_and_contents(made_up: MadeUp) -> None:
    """It is the SHA-256 over each path, NUL and the SHA-256 of the file, in the paths' order."""
    made = report.read(made_up.install("tiny", {"b.py": b"B", "a.py": b"A"}))
    tree = b"".join(
        path + b"\0" + hashlib.sha256(content).digest()
        for path, content in [(b"a.py", b"A"), (b"b.py", b"B")]
    )
    assert made.sha256 == hashlib.sha256(tree).hexdigest()


def test_the_digest_tells_every_change(tmp_path: Path) -> None:
    """Other content, another name, or bytes moved from one file to the next make another digest."""
    trees = [
        {"a": b"xy", "b": b"z"},
        {"a": b"x", "b": b"yz"},
        {"a": b"xy", "c": b"z"},
        {"a": b"xy"},
    ]
    digests = {
        report.read(MadeUp(tmp_path / str(number)).install("t", tree)).sha256
        for number, tree in enumerate(trees)
    }
    assert len(digests) == len(trees)


def test_without_a_list_of_files_there_is_an_empty_report(made_up: MadeUp) -> None:
    """A distribution that has no RECORD is reported as unlisted, without an error."""
    made = report.read(made_up.install("tiny", {"a.py": b"1\n"}, record=None))
    assert (made.listed, made.files, made.size) == (False, 0, 0)


def test_a_broken_list_of_files_is_no_list(made_up: MadeUp) -> None:
    """A RECORD in no known encoding is reported as unlisted."""
    distribution = made_up.install("tiny", {})
    (made_up.folder / "tiny-1.0.dist-info" / "RECORD").write_bytes(b"\xff\xfe\x00,,\n")
    assert report.read(distribution).listed is False


def test_nothing_outside_the_folder_is_read(made_up: MadeUp) -> None:
    """Paths that lead out, absolute ones and byte code are left out of every figure."""
    (made_up.folder.parent / "secret").write_bytes(b"secret")
    away = [
        "../secret",
        str(made_up.folder.parent / "secret"),
        "a/../../secret",
        "__pycache__/a.pyc",
    ]
    made = report.read(made_up.install("tiny", {"a.py": b"1\n"}, record=away))
    assert (made.files, made.size, made.unreadable) == (1, 2, 0)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_what_cannot_be_read_is_counted_and_never_waited_for(made_up: MadeUp) -> None:
    """A missing file, a folder and a named pipe in the list are unreadable; the rest is read."""
    (made_up.folder / "folder").mkdir()
    os.mkfifo(made_up.folder / "pipe")
    made = report.read(
        made_up.install("tiny", {"a.py": b"1\n"}, record=["gone.py", "folder", "pipe", "nul\0"])
    )
    # Since Python 3.12 importlib.metadata leaves out what is not there.
    missing = 2 if sys.version_info < (3, 12) else 0
    assert (made.files, made.unreadable) == (1, 2 + missing)


def test_totals_count_every_distribution(made_up: MadeUp) -> None:
    """Files and bytes are summed over the shelf, and licences ranked by how many have them."""
    shelf = [
        made_up.install("a", {"a.py": b"12"}, ["License: MIT"]),
        made_up.install("b", {"b.py": b"3"}, ["License: MIT"], record=["gone.py"]),
        made_up.install("c", {}, record=None),
    ]
    totals = report.count(shelf)
    assert (totals.distributions, totals.files, totals.size) == (3, 2, 3)
    assert totals.licences == (("MIT", 2), ("not stated", 1))
