"""Bars for the rows in which peers were measured."""

from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path

from .report import OURS, PEERS, Row


def write(sections: Mapping[str, Sequence[Row]], folder: Path) -> dict[str, str]:
    """Draw each section that has peers into ``folder``; return the files by section.

    The files are named from the folder's parent, where the document is.
    """
    folder.mkdir(exist_ok=True)
    pictures = {}
    for section, rows in sections.items():
        compared = [row for row in rows if len(row.numbers) > 1 and _is_drawable(row)]
        if compared:
            word = section.removeprefix("The ").split()[0].strip(",").lower()
            file = folder / f"benchmark-{word}.svg"
            _draw(compared, file)
            pictures[section] = f"{folder.name}/{file.name}"
    return pictures


def _is_drawable(row: Row) -> bool:
    """Return whether all numbers have a place on a logarithmic scale: "for ever" has none."""
    return all(number > 0 and isfinite(number) for number in row.numbers.values())


def _draw(rows: Sequence[Row], file: Path) -> None:
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "benchmarks"  # the same picture for the same numbers
    from matplotlib import pyplot

    names = [name for name in (OURS, *PEERS) if any(name in row.numbers for row in rows)]
    colours = dict(zip(names, pyplot.get_cmap("tab20").colors, strict=False))
    labels: list[str] = []
    figure, axes = pyplot.subplots(
        figsize=(9, 0.9 + sum(0.2 * len(row.numbers) + 0.3 for row in rows)), layout="constrained"
    )
    shown: set[str] = set()
    y = 0.0
    ticks = []
    for row in rows:
        ticks.append(y + (len(row.numbers) - 1) / 2)
        labels.append(row.operation.replace(": ", ":\n", 1))
        for name in names:
            if name in row.numbers:
                label = name if name not in shown else "_"
                axes.barh(y, row.numbers[name], color=colours[name], label=label)
                shown.add(name)
                y += 1
        y += 1.5
    axes.set_yticks(ticks, labels, fontsize=7)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlabel("the figure of the table: less is better")
    figure.legend(loc="outside lower center", ncols=4, fontsize=7, frameon=False)
    figure.savefig(file, metadata={"Date": None})
    pyplot.close(figure)
