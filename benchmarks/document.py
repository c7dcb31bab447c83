"""``docs/benchmarks.md``."""

from collections.abc import Mapping, Sequence

from . import report

TEXT = """\
# Benchmarks

`make bench` prints these tables anew, `make bench ARGS=hits` one suite of them, and `make bench
ARGS=--write` writes this page. It installs what it compares, and starts servers of its own
(`redis-server` and `memcached`, where they are installed).

{tables}

Measured {versions}.

## How to read it

- **floor** is what stands after the slash in the operation's name, done without this package, on
  a key of the same length.
- **ratio** is ours over the floor: the median over the rounds, and in brackets its quartiles and
  the quotient of the two least times. A round times every contender within milliseconds of the
  others, and a ratio is taken within a round, so that a busy machine slows all alike.
- **met** compares the median with the target.
- **place** is our place among the peers that promise the same there; who is within 5 % of the
  first shares its place.
- The other columns are the peers, each named as it is installed. They do the same in the same
  rounds, and show their ratio to the same floor or, where there is no floor, the same figure as
  ours. An empty cell means that the library has no such thing, or none that could be compared.
- **absent** means that it has, and was not installed.

## What is measured

- **hit**: a fresh small dict, by one positional string. dogpile.cache uses its backend that
  pickles, as Django's does; cashews has coroutines only, and awaits them in a loop that runs.
- **Single round trips** (hit, stale and get_many on Redis, hit on memcached) are timed with the
  process and the server on one CPU: they run by turns, and waking another CPU may take longer
  than all that is compared.
- **stale**: the call that finds a stale value, claims the refresh and hands it to Celery, as the
  request sees it; every call, of a hit too, is of another key. *One at a time*: the thread that
  talks to the broker has come to rest before each. *Back to back*: that many in a row, with that
  thread after the same processor. *The first of a process* includes what is imported and
  connected then. There is no target where a hit is little more than a round trip, for two of them
  are a stale read's least.
- **stores** write another value of 200 characters each time, to one key; *durable* ones wait for the disk, which
  differs more from machine to machine than anything else here.
- **hit, container** reads a small dict from an SQLite file. score.kvcache, from which containers come, opens
  the file anew for each read; it is the floor there.
- **round trips** are the commands that the client sends, seen by `MONITOR`; a script is one.
- **cold key**: all threads of all processes ask at the same moment for what takes 200 ms to
  fetch, over Django's RedisCache. cashews runs eight tasks in each process. Commands *sent* are
  counted as above, those *with those in scripts* by `INFO commandstats`, where a script counts
  and each command in it, too. Connecting does not count.
- **stale key, 50 threads** counts the messages that are in the broker's list afterwards.
- **broker refuses** is a port on which nothing listens, **broker is silent** one that accepts
  connections and never answers; each for a process that never saw it up. "For ever" is longer
  than four seconds.
- **The project cache** has the plain ORM for its floor: django-sodar-core's statements, on our
  table. The rows that end in *django-sodar-core's* have the original itself, called in the same
  rounds, in a process, a database and an environment of its own: `.venv-sodar`, which `make
  test-sodar` makes and which must be there first, or that of the Python which
  `BENCH_SODAR_PYTHON` names. SODAR Core needs PostgreSQL.
  SQLite writes over what a DELETE frees where it is built so (`secure_delete`, as Debian's is),
  which a row beside the bare DELETE shows.
"""


def render(sections: Mapping[str, Sequence[report.Row]], pictures: Mapping[str, str]) -> str:
    """Return the document for the rows of each section.

    :param pictures: the file of a section's plot, from the document's folder.
    """
    tables = []
    for name, rows in sections.items():
        picture = f"![{name}]({pictures[name]})\n\n" if name in pictures else ""
        tables.append(f"### {name}\n\n{picture}{report.as_markdown(rows)}")
    return TEXT.format(tables="\n\n".join(tables), versions=report.versions())
