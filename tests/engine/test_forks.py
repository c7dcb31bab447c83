"""What children are told that a process forks off, and systems that have no forks."""

import os
import subprocess
import sys

WITHOUT_FORKS = """
import asyncio, os, random  # these ask in another way whether there are forks

del os.register_at_fork

import django

django.setup()

import cacheback_app.containers, cacheback_app.queues.threads, cacheback_app.records
from cacheback_app.stores import LocalMemoryStore

LocalMemoryStore().set("a", "b", "c")
print(cacheback_app.cacheback(divmod)(7, 2))
"""


def test_a_system_without_forks() -> None:
    """Where processes are not forked, as on Windows, everything is imported and works."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_FORKS],
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.returncode) == ("(3, 1)\n", 0), done.stderr
