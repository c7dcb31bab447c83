"""Hits of the jobs that read through the ORM."""

from collections.abc import Iterator

import cacheback.jobs
from django.contrib.auth.models import User
from django.core.cache import caches
from django.core.management import call_command

from benchmarks.environment import Environment
from benchmarks.report import ANCESTOR, FLOOR, OURS, Row, timed
from benchmarks.timing import calls, interleaved
from cacheback_app import QuerySetFilterJob, QuerySetGetJob


def run(environment: Environment) -> Iterator[Row]:
    call_command("migrate", verbosity=0)
    User.objects.all().delete()
    User.objects.bulk_create(
        User(username=f"user-{n}", email=f"{n}@example.org", first_name="Alice", last_name="Doe")
        for n in range(100)
    )

    statement = "job.get(username='user-7')"
    blocks = {
        FLOOR: calls("objects.get(username='user-7')", objects=User.objects),
        OURS: calls(statement, job=QuerySetGetJob(User)),
        ANCESTOR: calls(statement, job=cacheback.jobs.QuerySetGetJob(User)),
    }
    samples = interleaved(blocks, number=100, rounds=100)
    yield timed("QuerySetGetJob hit, local memory / ORM get on SQLite", samples, 0.08)

    cache = caches["default"]
    cache.set("users", list(User.objects.filter(is_active=True)))
    statement = "list(job.get(is_active=True))"
    blocks = {
        FLOOR: calls("cache.get('users')", cache=cache),
        OURS: calls(statement, job=QuerySetFilterJob(User)),
        ANCESTOR: calls(statement, job=cacheback.jobs.QuerySetFilterJob(User)),
    }
    samples = interleaved(blocks, number=20, rounds=150)
    yield timed(
        "QuerySetFilterJob hit of 100 rows, local memory / cache.get of the instances",
        samples,
        0.75,
    )
