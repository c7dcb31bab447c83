"""`manage.py scan_shelf`: a store keeps the cursor."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from example_project.shelf import report, scan
from example_project.shelf.fill import fill
from tests.example.made_up import MadeUp
from tests.example.test_settings import environment_of, manage


def test_the_command_counts_what_is_new(site: MadeUp, capsys: Any) -> None:
    """A second scan counts only what was put on the shelf since; `--restart` begins anew."""
    call_command("scan_shelf")
    site.install("newer", {"a.py": b"1", "b.py": b"2"})
    fill()
    call_command("scan_shelf")
    call_command("scan_shelf")
    call_command("scan_shelf", "--restart")
    assert capsys.readouterr().out.splitlines() == [
        "2 distributions with 2 files counted; 2 with 2 in all.",
        "1 distributions with 2 files counted; 3 with 4 in all.",
        "0 distributions with 0 files counted; 3 with 4 in all.",
        "3 distributions with 4 files counted; 3 with 4 in all.",
    ]


def test_a_scan_that_was_overtaken_counts_nothing_twice(
    site: MadeUp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What another scan counted while this one was at it is not counted again."""
    real, others = report.count, []

    def count(distributions: Any) -> report.Totals:
        if not others:
            others.append(None)
            others[0] = scan.scan()
        return real(distributions)

    monkeypatch.setattr(report, "count", count)
    assert scan.scan().distributions == 0
    assert others[0].distributions == 2
    assert scan.progress().files == 2


def test_what_is_gone_is_passed_over(site: MadeUp) -> None:
    """A row whose distribution was uninstalled counts as one without files."""
    for path in (site.folder / "other-1.0.dist-info").iterdir():
        path.unlink()
    (site.folder / "other-1.0.dist-info").rmdir()
    assert (scan.scan().distributions, scan.progress().files) == (2, 1)


def test_the_list_tells_how_far_the_scans_have_come(site: MadeUp, client: Client) -> None:
    """The page of the shelf shows what the store has."""
    assert "Nothing is counted yet" in client.get("/").content.decode()
    scan.scan()
    assert "has counted 2 files of 2 distributions" in client.get("/").content.decode()


def test_two_scans_started_together(tmp_path: Path) -> None:
    """What two processes count adds up to the total, which is what one scan alone counts."""
    assert manage(tmp_path, "migrate").returncode == 0
    assert manage(tmp_path, "fill_shelf").returncode == 0
    command = [sys.executable, "-m", "django", "scan_shelf"]
    scans = [
        subprocess.Popen(command, env=environment_of(tmp_path), stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    outputs = [scan.communicate(timeout=60)[0] for scan in scans]
    counted = [[int(number) for number in re.findall(r"\d+", output)] for output in outputs]
    total = max(counted, key=lambda numbers: numbers[2])[2:]
    assert [sum(column) for column in zip(*counted, strict=True)][:2] == total
    again = re.findall(r"\d+", manage(tmp_path, "scan_shelf", "--restart").stdout)
    assert [int(number) for number in again] == [*total, *total]
