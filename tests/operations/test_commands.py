"""``manage.py cacheback``: what it shows, what it does, and how it refuses."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from cacheback_app import console
from cacheback_app.catalogue import BadArguments, known_jobs, parse_call, parse_line
from cacheback_app.management.cacheback import output
from cacheback_app.management.commands.cacheback import Command
from cacheback_app.previews import preview
from cacheback_app.testing import faults
from tests.addresses import Site
from tests.operations import hostile
from tests.operations.shop import HERE, Branch, Broken, ByDay, Report, mark_stale, price
from tests.services import Processes


def run(*args: str) -> str:
    out = io.StringIO()
    call_command("cacheback", *args, stdout=out, stderr=io.StringIO())
    return out.getvalue()


def run_json(*args: str) -> Any:
    return json.loads(run(*args, "--json"))


def test_list() -> None:
    """All jobs that can be called by name are listed: classes and functions, but no base class
    (section 7)."""
    found = {job["job"]: job for job in run_json("list")}
    assert found[f"{HERE}.Report"]["about"] == "Sales of a year."
    assert found[f"{HERE}.price"]["kind"] == "function"
    assert "cacheback_app.jobs.QuerySetGetJob" in found
    assert not {"cacheback_app.jobs.FunctionJob", "cacheback_app.jobs.QuerySetJob"} & found.keys()
    assert f"{HERE}.price\tfunction\t600" in run("list")


def test_list_finds_jobs_that_nobody_imported(processes: Processes) -> None:
    """The ``jobs`` modules of installed apps are imported by the command (section 7)."""
    text = processes.manage(Site(cache="here"), "cacheback", "list")
    assert "example_project.shelf.jobs.ReportJob" in text


def test_fragments_are_found(processes: Processes) -> None:
    """So are the ``fragments`` modules, which only templates name (section 7)."""
    text = processes.manage(Site(cache="here"), "cacheback", "list")
    assert "example_project.shelf.fragments.most_wanted" in text


def test_local_memory_is_told_of() -> None:
    """On a command line, local memory is another than the site's: a warning says so. Within a
    process it is the same, and there is none (section 7)."""
    warnings = io.StringIO()
    command = Command(stdout=io.StringIO(), stderr=warnings, no_color=True)
    call_command(command, "stats")
    assert warnings.getvalue() == ""
    command._called_from_command_line = True
    call_command(command, "list")
    assert warnings.getvalue() == ""
    call_command(command, "stats")
    assert "neither sees nor changes" in warnings.getvalue()


def test_explain() -> None:
    """A call is explained by the job's dotted name and its arguments as JSON (section 7)."""
    Report().get("2026", 3, deep=True)
    found = run_json("explain", f"{HERE}.Report", '["2026", 3]', "--kwargs", '{"deep": true}')
    assert found["key"] == Report().key("2026", 3, deep=True)
    assert found["status"] == "hit" and found["value"] == "['2026', 3, True]"
    mark_stale(Report(), "2026", 3, True)
    text = run("explain", f"{HERE}.Report", '["2026", 3, true]')
    assert "status\tstale" in text and "fresh until" in text and "ago" in text
    assert run_json("explain", f"{HERE}.Report", '["2027"]')["status"] == "miss"


def test_explain_triggers_nothing() -> None:
    """Explaining fetches, stores and dispatches nothing (section 7)."""
    run("explain", f"{HERE}.Broken", '["x"]')
    assert Broken().raw_get("x") is None


def test_a_decorated_function_and_a_job_with_arguments_of_its_own() -> None:
    """A function is named like a job; what a job itself is made with goes into --init (section
    7)."""
    price("tea", currency="CHF")
    Branch("Basel").get("tea")
    assert run_json("explain", f"{HERE}:price", '["tea", "CHF"]')["status"] == "hit"
    for init in ('["Basel"]', '{"town": "Basel"}'):
        found = run_json("explain", f"{HERE}.Branch", '["tea"]', "--init", init)
        assert found["value"] == "'tea in Basel'"


def test_a_query_set_job(db: None, django_user_model: Any) -> None:
    """A query set job that is no subclass is named with its model (section 7)."""
    django_user_model.objects.create(username="alice")
    name, options = "cacheback_app.jobs.QuerySetGetJob", ["--init", '["auth.User"]']
    found = run_json("refresh", name, "--kwargs", '{"username": "alice"}', *options)
    assert found["value"] == "<User: alice>"


def test_what_json_has_no_form_for() -> None:
    """A date and the like are written as in messages, with a tag (section 7, J13)."""
    tagged = '[{"t": "date", "v": "2026-01-31"}]'
    assert run_json("refresh", f"{HERE}.ByDay", tagged)["value"] == "'2026-01-31'"
    assert run_json("explain", f"{HERE}.ByDay", tagged)["status"] == "hit"
    assert parse_line('{"day": [{"n": {"t": "set", "v": [1]}}]}').kwargs == {"day": [{"n": {1}}]}
    with pytest.raises(BadArguments, match="is no value"):
        parse_call('[{"t": "date", "v": "yesterday"}]')
    assert ByDay.fetch  # named above


def test_refresh_invalidate_delete() -> None:
    """Each does what the job's method does (section 7)."""
    call = (f"{HERE}.Report", '["2026"]')
    assert run_json("refresh", *call)["value"] == "['2026', 1, False]"
    fetched = Report().explain("2026").fetched_at
    assert run_json("invalidate", *call)["done"] == "invalidated"
    assert Report().explain("2026").fetched_at != fetched, "the sync queue refreshed it"
    assert run_json("delete", *call)["done"] == "deleted"
    assert Report().raw_get("2026") is None


@pytest.mark.parametrize(("topic", "status"), [("invalidate", "stale"), ("delete", "miss")])
def test_tags(topic: str, status: str, settings: Any) -> None:
    """Whatever has a tag is invalidated or deleted at once (section 7)."""
    settings.CACHES = {"default": settings.CACHES["default"]}
    price("tea")
    assert run_json(topic, "--tag", "prices", "--tag", "other")["tags"] == ["prices", "other"]
    assert run_json("explain", f"{HERE}.price", '["tea"]')["status"] == status


def test_warm(tmp_path: Path) -> None:
    """``warm`` fetches what is missing, by several threads, and leaves alone what is fresh; without
    a file, the job says what (section 7)."""
    Report().get("2025", 1)
    counts = {"fetched": 3, "fresh": 1, "failed": 0}
    assert run_json("warm", f"{HERE}.Report") == {"job": f"{HERE}.Report", **counts, "errors": []}
    file = tmp_path / "calls"
    file.write_text('["2030"]\n\n{"year": "2031"}\n{"args": ["2032"], "kwargs": {"deep": true}}\n')
    found = run_json("warm", f"{HERE}.Report", "--from", str(file), "--workers", "3")
    assert (found["fetched"], found["fresh"]) == (3, 0)
    assert Report().raw_get("2032", deep=True)
    again = run_json("refresh", f"{HERE}.Report", "--from", str(file))
    assert again["fetched"] == 3, "refresh fetches what is fresh, too"


def test_warm_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dash reads standard input (section 7)."""
    monkeypatch.setattr("sys.stdin", io.StringIO('["2033"]\n["2034"]\n'))
    assert run_json("warm", f"{HERE}.Report", "--from", "-")["fetched"] == 2


def test_warm_goes_on_after_a_failure(tmp_path: Path) -> None:
    """A call that fails is counted, told without its arguments' values, and ends none of the
    others; the exit code is 1 (section 7)."""
    file = tmp_path / "calls"
    file.write_text('["a"]\n["b"]\n')
    out = io.StringIO()
    with pytest.raises(CommandError, match=r"2 of .*Broken could not be fetched"):
        call_command("cacheback", "warm", f"{HERE}.Broken", "--from", str(file), "--json",
                     stdout=out)  # fmt: skip
    found = json.loads(out.getvalue())
    assert found["failed"] == 2 and all(e.endswith("ValueError") for e in found["errors"])


def test_an_interrupt_leaves_what_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends a command in a line, with an exit code of its own, and ``warm`` still tells what
    it has done (section 7)."""

    def fetch(self: Any, secret: str) -> Any:
        if secret == "b":
            raise KeyboardInterrupt

    monkeypatch.setattr(Broken, "fetch", fetch)
    file = tmp_path / "calls"
    file.write_text('["a"]\n["b"]\n["c"]\n')
    out = io.StringIO()
    with pytest.raises(CommandError, match="Interrupted") as raised:
        call_command("cacheback", "warm", f"{HERE}.Broken", "--from", str(file), "--json",
                     stdout=out)  # fmt: skip
    assert raised.value.returncode == 130
    assert json.loads(out.getvalue())["fetched"] == 1
    assert Broken().raw_get("a") and not Broken().raw_get("c")


REPORT = f"{HERE}.Report"
REFUSED = {
    "unknown job": (["explain", "shop.jobs.Nothing"], "there is no job 'shop.jobs.Nothing'"),
    "not a job": (["explain", "os.path.join", '["a"]'], "there is no job 'os.path.join'"),
    "nonsense": (["explain", "..", "[]"], "there is no job"),
    "unknown in stats": (["stats", "nothing"], "there is no job 'nothing'"),
    "a base class": (["explain", "cacheback_app.jobs.FunctionJob", "[]"], "there is no job"),
    "broken JSON": (["explain", REPORT, '["2026"'], "cannot be read as JSON"),
    "plain text": (["explain", REPORT, "north"], "text has double quotes in JSON"),
    "deep JSON": (["explain", REPORT, "[" * 100_000], "cannot be read as JSON"),
    "not a list": (["explain", REPORT, '{"a": 1}'], "must be a JSON list"),
    "not an object": (["explain", REPORT, "[]", "--kwargs", "[1]"], "must be a JSON object"),
    "too few": (["explain", REPORT], "does not take these arguments"),
    "too many": (["delete", REPORT, "[1, 2, 3, 4]"], "does not take these arguments"),
    "unknown keyword": (["refresh", REPORT, '["a"]', "--kwargs", '{"x": 1}'], "does not take"),
    "needs init": (["explain", f"{HERE}.Branch", '["tea"]'], "cannot be built like this"),
    "unknown model": (
        ["explain", "cacheback_app.jobs.QuerySetGetJob", "[]", "--init", '["no.Such"]'],
        "cannot be built like this",
    ),
    "job and tag": (["delete", REPORT, '["a"]', "--tag", "x"], "name a job and its arguments, or"),
    "neither": (["invalidate"], "name a job and its arguments, or tags"),
    "nothing to warm": (["warm", f"{HERE}.Broken"], "has no calls_to_warm()"),
    "no such file": (["warm", REPORT, "--from", "/no/such/file"], "cannot be read"),
    "fetch fails": (["refresh", f"{HERE}.Broken", '["x"]'], "failed: ValueError: no x"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_input(name: str) -> None:
    """Whatever is wrong is told in one clear line (section 7)."""
    command, message = REFUSED[name]
    with pytest.raises(CommandError) as caught:
        run(*command)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_bad_line_is_named(tmp_path: Path) -> None:
    """The number of a line that cannot be read is told, and nothing is fetched (section 7)."""
    file = tmp_path / "calls"
    file.write_text('["2030"]\n[nope\n')
    with pytest.raises(CommandError, match="line 2: a line cannot be read as JSON"):
        run("warm", f"{HERE}.Report", "--from", str(file))
    assert Report().raw_get("2030") is None


def test_exit_code_of_the_process(processes: Processes) -> None:
    """The process ends with 1 and one line, no traceback (section 7)."""
    process = processes.manage_in_background(
        Site(cache="here"), "cacheback", "explain", "shop.jobs.Nothing", "--skip-checks"
    )
    assert process._popen.wait(60) == 1
    assert process.log.strip().splitlines() == [
        "CommandError: there is no job 'shop.jobs.Nothing'; 'manage.py cacheback list' shows all"
    ]


def test_a_module_that_cannot_be_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job whose module raises is told so, not taken for unknown (section 7)."""
    (tmp_path / "broken_jobs.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(CommandError, match="broken_jobs cannot be imported: division by zero"):
        run("explain", "broken_jobs.Job", "[]")


@pytest.mark.usefixtures("counting")
def test_stats() -> None:
    """Figures of all jobs or of those named, with the last traceback when asked (section 7)."""
    for _ in range(4):
        Report().get("2025")
    with pytest.raises(ValueError, match="no x"):
        Broken().get("x")
    found = run_json("stats")
    assert found[f"{HERE}.Report"]["hits"] == 3
    assert len(found[f"{HERE}.Report"]["minutes"]) == 60
    assert found[f"{HERE}.Report"]["fetch"]["count"] == 1
    assert run_json("stats", f"{HERE}.ByDay")[f"{HERE}.ByDay"]["hits"] == 0
    text = run("stats", "--failures", "--minutes", "5")
    assert f"{HERE}.Report\t4\t75.0%\t0.0%\t25.0%\t1\t0" in text
    assert "ValueError: no x" in text


def test_values_are_shortened() -> None:
    """However large a value is, some hundred characters of it are shown (section 7)."""
    assert len(output.value({"x" * 1000: ["y" * 1000] * 1000})) <= 500
    assert len(output.value("x" * 10_000)) <= 500


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal gets a table, in which nothing is markup; anything else gets lines with tabs,
    and so does a terminal without rich (section 7)."""
    terminal, pipe, without = Terminal(), io.StringIO(), Terminal()
    rows = [["a", "[red]\tb\nc[/red]"], ["d", None]]
    console.table("Title", ["one", "two"], rows, terminal)
    assert "Title" in terminal.getvalue() and "[red]" in terminal.getvalue()
    console.table("Title", ["one", "two"], rows, pipe)
    assert pipe.getvalue() == "one\ttwo\na\t[red] b c[/red]\nd\t\n"
    monkeypatch.setitem(__import__("sys").modules, "rich", None)
    console.table("Title", ["one", "two"], rows, without)
    assert without.getvalue() == pipe.getvalue()


def test_progress(tmp_path: Path) -> None:
    """On a terminal, fetching many calls shows a bar; elsewhere a line now and then, on standard
    error, so that standard output is the result alone (section 7)."""
    file = tmp_path / "calls"
    file.write_text('["2040"]\n["2041"]\n')
    terminal, pipe, out = Terminal(), io.StringIO(), io.StringIO()
    for stream in (terminal, pipe):
        call_command(
            "cacheback", "warm", f"{HERE}.Report", "--from", str(file), stdout=out, stderr=stream
        )
    assert "2/2" in terminal.getvalue()
    assert f"{HERE}.Report: 2 of 2" in pipe.getvalue()
    assert out.getvalue() == "2 fetched, 0 fresh, 0 failed\n0 fetched, 2 fresh, 0 failed\n"


def test_names_of_jobs_are_dotted() -> None:
    """A job is known by the name that it has in logs and statistics (section 7)."""
    assert known_jobs()[f"{HERE}.Report"].target is Report


OF_HOSTILE = {
    "tags": ("explain", "BadTags", "[1]"),
    "key": ("delete", "BadKey", "[1]"),
    "job": ("invalidate", "BadInit", "[1]"),
    "calls": ("warm", "BadWarming"),
    "value": ("refresh", "BadFetch", "[1]"),
}


@pytest.mark.parametrize("part", OF_HOSTILE)
def test_a_job_whose_own_code_fails_is_told_of_in_a_line(part: str) -> None:
    """Whatever a job's methods raise ends the command with one line, and exit code 1
    (section 7)."""
    topic, job, *arguments = OF_HOSTILE[part]
    with pytest.raises(CommandError) as failed:
        run(topic, f"{hostile.__name__}.{job}", *arguments)
    assert f"RuntimeError: no {part}" in str(failed.value)
    assert failed.value.returncode == 1


@pytest.mark.parametrize("which", hostile.Hard.VALUES)
def test_values_that_are_hard_to_show(which: str) -> None:
    """Whatever is cached can be refreshed and explained (section 7)."""
    name = f"{hostile.__name__}.Hard"
    for topic in ("refresh", "explain"):
        shown = run_json(topic, name, json.dumps([which]))["value"]
        assert 0 < len(shown) <= output.LONGEST_VALUE
        shown.encode()


def test_showing_a_value_takes_no_look_at_all_of_it() -> None:
    """A preview reads the beginning of a value, however large it is (section 7)."""

    class Watched(dict[int, int]):
        def __iter__(self) -> Any:
            raise AssertionError("sorted, to show thirty of them")

    Watched.__name__ = "dict"
    shown = preview(Watched({n: n for n in range(100)}))
    assert shown.startswith("{0: 0, 1: 1,") and shown.endswith("...}")
    assert len(preview(bytes(10_000_000))) < 3_000


@pytest.mark.parametrize("topic", ["explain", "refresh", "invalidate", "delete", "warm"])
def test_a_cache_that_is_down_is_no_success(topic: str) -> None:
    """Readers go on without a cache (J11); who acts on it by hand is told, with exit code 1."""
    with faults.cache_down(), pytest.raises(CommandError) as failed:
        run(topic, f"{HERE}.Report", '["2026"]')
    assert topic == "warm" or "the cache 'default' failed" in str(failed.value)


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_stats_while_the_cache_is_down(form: list[str]) -> None:
    """No figures at all are not the figures of a site that does nothing: the exit code is 1, and a
    clear line says why (section 7, J11). ``list`` needs no cache."""
    out = io.StringIO()
    with faults.cache_down():
        with pytest.raises(CommandError, match=r"^the cache 'default' failed: Conn"):
            call_command("cacheback", "stats", *form, stdout=out)
        run("list", *form)
    assert out.getvalue() == ""


def test_tags_while_the_cache_is_down() -> None:
    """Nor is what is tagged said to be deleted (section 7)."""
    with faults.cache_down(), pytest.raises(CommandError, match="failed: ConnectionError"):
        run("delete", "--tag", "prices")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_what_only_python_takes_for_json(number: str) -> None:
    """Bad JSON is refused (section 7), that of Python's own parser, too."""
    with pytest.raises(BadArguments, match="is no JSON"):
        parse_call(f"[{number}]")


@pytest.mark.parametrize("redirected", ["| true", ">&-"])
def test_output_that_nobody_reads(redirected: str) -> None:
    """A closed pipe or standard output ends the command without a traceback (section 7)."""
    command = f"{sys.executable} manage.py cacheback list --json {redirected}"
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, env=env, timeout=60, check=False
    )
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
