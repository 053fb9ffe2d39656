"""Matching: its quality by weights that never saw the set, its speed beside others', its growth.

    python -m tests.benchmarks.match                        # labelled sets of ../shared, where they are
    python -m tests.benchmarks.match --data DIR --parts files growth --output json
    python -m tests.benchmarks.match --parts quality ablation --page docs/matching.md

Exits 1 when a figure or ratio is missed. Speeds are judged by CPU time and beside the opponents', so
that other load counts little; wall-clock times are reported.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from tests.benchmarks.figures import Figure
from tests.benchmarks.match.ablation import ablation, encoders_at_hand
from tests.benchmarks.match.files import file_figures, growth_figures
from tests.benchmarks.match.languages import language_figures
from tests.benchmarks.match.page import ablation_table, figure_table, fold_table, write_part
from tests.benchmarks.match.quality import quality
from tests.benchmarks.match.streaming import streaming_figures
from tests.benchmarks.match.worker import worker_figures
from workers.file_matching.labelled_sets import read_labelled_set

_SHARED = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "matching"
_SPEED_SET = "sec_listings"

Part = tuple[list[Figure], list[str]]
"""The figures of a part, and its table for the page."""


def _quality(arguments: argparse.Namespace) -> Part:
    found = quality(_data(arguments))
    for fold in found.companies.folds if found.companies else ():
        print(
            f"{fold.name}: weights {fold.weights_hash}, fitted on {', '.join(fold.trained_on)}",
            file=sys.stderr,
        )
    return found.figures, [*fold_table(found), "", *figure_table(found.figures)]


def _languages(_arguments: argparse.Namespace) -> Part:
    return _with_table(language_figures())


def _files(arguments: argparse.Namespace) -> Part:
    data = _data(arguments)
    labelled = data / _SPEED_SET if data and (data / _SPEED_SET).is_dir() else None
    with tempfile.TemporaryDirectory() as folder:
        return _with_table(file_figures(Path(folder), labelled))


def _growth(arguments: argparse.Namespace) -> Part:
    with tempfile.TemporaryDirectory() as folder:
        return _with_table(growth_figures(Path(folder), arguments.sizes))


def _streaming(arguments: argparse.Namespace) -> Part:
    return _with_table(streaming_figures(arguments.records, arguments.changes))


def _worker(arguments: argparse.Namespace) -> Part:
    """In a process of its own, as the worker has one: what other parts leave in memory slows it down."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as processes:
        measured = processes.submit(worker_figures, arguments.records, arguments.changes)
        return _with_table(measured.result())


def _ablation(arguments: argparse.Namespace) -> Part:
    data = _data(arguments)
    if data is None:
        return [], ["No labelled sets were at hand."]
    sets = [read_labelled_set(folder, "company") for folder in sorted(data.iterdir())]
    with tempfile.TemporaryDirectory() as cache:
        found = ablation(sets, encoders_at_hand(Path(cache), arguments.bge_m3))
    figures = [
        Figure(f"{name}, {title}, {variant}", value, "")
        for variant, rows in found.items()
        for name, values in rows.items()
        for title, value in values.items()
    ]
    return figures, ablation_table(found)


def _with_table(figures: list[Figure]) -> Part:
    return figures, figure_table(figures)


_PARTS: Mapping[str, Callable[[argparse.Namespace], Part]] = {
    "quality": _quality,
    "languages": _languages,
    "files": _files,
    "growth": _growth,
    "streaming": _streaming,
    "worker": _worker,
    "ablation": _ablation,
}


def run() -> int:
    """Measure part by part; what is measured is printed and on the page before the next begins."""
    arguments = _arguments()
    measured: list[Figure] = []
    loads: dict[str, float] = {}
    for name in arguments.parts:
        load = loads[name] = os.getloadavg()[0]
        figures, table = _PARTS[name](arguments)
        measured += figures
        if arguments.page is not None:
            write_part(arguments.page, name, load, table)
        if arguments.output == "table":
            print(f"{name}: machine load at the start {load:.1f} on {os.cpu_count()} cores")
            print("\n".join(figure.line() for figure in figures), flush=True)
    if arguments.output == "json":
        rows = [figure.row() for figure in measured]
        load = max(loads.values())
        print(json.dumps({"load": load, "load_by_part": loads, "figures": rows}, indent=2))
    return 0 if all(figure.met for figure in measured) else 1


def _data(arguments: argparse.Namespace) -> Path | None:
    return arguments.data if arguments.data.is_dir() else None


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    usual = [name for name in _PARTS if name != "ablation"]
    parser.add_argument("--parts", nargs="+", choices=tuple(_PARTS), default=usual)
    parser.add_argument("--data", type=Path, default=_SHARED, help="folder of labelled sets")
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[10_000, 30_000, 100_000], help="rows a side"
    )
    parser.add_argument("--records", type=int, default=100_000, help="that one change meets")
    parser.add_argument("--changes", type=int, default=300)
    parser.add_argument("--bge-m3", help="folder with BGE-M3's weights, for the ablation")
    parser.add_argument("--page", type=Path, help="Markdown page whose tables are written anew")
    parser.add_argument("--output", choices=("table", "json"), default="table")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(run())
