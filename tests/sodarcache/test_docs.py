"""The code in docs/sodarcache.md works."""

import re
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.management import get_commands, load_command_class

from sodarcache import api as api_module
from sodarcache.models import Project
from sodarcache.plugins import ProjectAppPlugin
from tests.services import ROOT
from tests.sodarcache.support import APP

TEXT = (ROOT / "docs" / "sodarcache.md").read_text().replace('"yourapp"', f'"{APP}"')
_, USE, PLUGIN, JOB = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


def test_setting_and_getting(
    api: Any, project: Any, user: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first example prints what it set."""
    exec(USE, {"project": project, "request": SimpleNamespace(user=user)})
    assert capsys.readouterr().out == "{'key': 'val'}\n"


def test_the_plugin_and_the_job(api: Any, project: Any, other: Any) -> None:
    """The plugin updates one project's item, or all; the job's value is an item."""
    given = {"Project": Project, "count_files": lambda project: len(project.title)}
    kept = dict(ProjectAppPlugin._plugins)
    try:
        exec(PLUGIN, given)
        plugin = ProjectAppPlugin._plugins[APP]
    finally:
        ProjectAppPlugin._plugins.clear()
        ProjectAppPlugin._plugins.update(kept)
    plugin.update_cache(project=project)
    assert api.get_cache_item(APP, "files", other) is None
    plugin.update_cache()
    assert api.get_cache_item(APP, "files", other).data == {"files": len(other.title)}
    exec(JOB, {**given, "project": project, "__name__": __name__})
    assert api.get_cache_item(APP, "totals", project).data == {"files": len(project.title)}


def test_every_call_and_option_is_there() -> None:
    """The tables name every method of the API and every option of the commands, and no others."""
    calls = set(re.findall(r"^\| `(\w+)\(", TEXT, re.MULTILINE))
    methods = {name for name in vars(api_module.SODARCacheAPI) if not name.startswith("_")}
    ours = {"unsaved_item", "check_app_name", "check_data_type"}
    assert calls == methods - {"DATA_TYPES", "get_model", *ours}
    command = load_command_class(get_commands()["synccache"], "synccache")
    known = command.create_parser("manage.py", "synccache")._option_string_actions
    assert set(re.findall(r"^\| `(--?\w+)", TEXT, re.MULTILINE)) <= known.keys()
