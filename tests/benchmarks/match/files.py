"""`revops match files` from start to end, beside Splink and a rapidfuzz loop, and as rows grow."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.figures import Figure, at_least, at_most
from tests.benchmarks.match.generated_rows import write_company_sides
from tests.benchmarks.match.processes import Usage, usage_of

ROUNDS = 2
LEAST_ROWS_A_SECOND, MOST_MIB = 1_000.0, 1_536.0
#: How much more CPU a row may cost among ten times as many rows.
MOST_GROWTH = 1.6
_ROWS = (7_495, 5_490)
_LOOPED_ROWS = 300
_SEED = 7


def file_figures(folder: Path, labelled: Path | None) -> list[Figure]:
    """Rows a second and memory of one run, and the speed beside the opponents' by turns.

    `labelled` is a folder with left.csv and right.csv; without one, generated rows of the same
    number are matched. Rows a second are of one core's CPU time (one process, hardly any threads),
    which other load does not touch; the opponents' are compared by the wall clock of their best
    round and by CPU time, whichever favours them more.
    """
    if labelled is None:
        left, right = write_company_sides(folder, max(_ROWS), _SEED)
        rows = max(_ROWS)
    else:
        left, right = labelled / "left.csv", labelled / "right.csv"
        rows = sum(1 for _ in left.open(encoding="utf-8")) - 1
    out = str(folder / "pairs.csv")
    files = [str(left), str(right)]
    loop = ["rapidfuzz", *files, out, str(_LOOPED_ROWS)]
    ours, splink, looped = [], [], []
    for _ in range(ROUNDS):  # by turns, so that a busy machine slows all
        ours.append(match_files(left, right, Path(out)))
        splink.append(usage_of("tests.benchmarks.match.opponents", ["splink", *files, out]))
        looped.append(usage_of("tests.benchmarks.match.opponents", loop))
    mine = _best(ours)
    return [
        at_least(
            "match files, rows a CPU second", rows / mine.cpu_seconds, LEAST_ROWS_A_SECOND, "rows/s"
        ),
        Figure("match files, rows a second", rows / mine.wall_seconds, "rows/s"),
        at_most("match files, memory", mine.peak_mib, MOST_MIB, "MiB"),
        _beside("match files", rows, mine, "Splink", rows, _best(splink)),
        _beside("match files", rows, mine, "rapidfuzz loop", _LOOPED_ROWS, _best(looped)),
    ]


def growth_figures(folder: Path, sizes: Sequence[int]) -> list[Figure]:
    """Seconds and memory of both sides of each size; the last row's cost beside the first's."""
    figures: list[Figure] = []
    costs: list[float] = []
    for size in sizes:
        used = match_files(*write_company_sides(folder, size, _SEED), folder / "pairs.csv")
        costs.append(used.cpu_seconds / size)
        figures += [
            Figure(f"{size:,} x {size:,} rows, CPU", used.cpu_seconds, "s"),
            Figure(f"{size:,} x {size:,} rows, wall clock", used.wall_seconds, "s"),
            Figure(f"{size:,} x {size:,} rows, memory", used.peak_mib, "MiB"),
        ]
    growth = costs[-1] / costs[0]
    name = f"cost of a row, {sizes[-1]:,} against {sizes[0]:,}"
    return [*figures, at_most(name, growth, MOST_GROWTH, "times")]


def match_files(left: Path, right: Path, out: Path) -> Usage:
    """One run of the command."""
    arguments = ["match", "files", str(left), str(right), "--out", str(out)]
    return usage_of("workers.cli.main", arguments)


def _best(runs: Sequence[Usage]) -> Usage:
    return Usage(
        min(run.wall_seconds for run in runs),
        min(run.cpu_seconds for run in runs),
        max(run.peak_mib for run in runs),
    )


def _beside(name: str, rows: int, used: Usage, other: str, other_rows: int, its: Usage) -> Figure:
    shares = (
        (rows / used.wall_seconds) / (other_rows / its.wall_seconds),
        (rows / used.cpu_seconds) / (other_rows / its.cpu_seconds),
    )
    return Figure(
        f"{name} beside {other}, rows a CPU second",
        rows / used.cpu_seconds,
        "rows/s",
        other_rows / its.cpu_seconds,
        other,
        min(shares),
        1.0,
    )
