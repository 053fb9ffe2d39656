"""Matching: its quality by weights that never saw the set, its speed beside others', its growth.

    python -m tests.benchmarks.match                        # labelled sets of ../shared, where they are
    python -m tests.benchmarks.match --data DIR --ablation --page docs/matching.md --output json

Exits 1 when a figure or ratio is missed. Speeds are judged by CPU time and beside the opponents', so
that other load counts little; wall-clock times are reported.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.benchmarks.embed.figures import Figure
from tests.benchmarks.match.ablation import ablation, encoders_at_hand
from tests.benchmarks.match.files import file_figures, growth_figures
from tests.benchmarks.match.page import write_tables
from tests.benchmarks.match.quality import Quality, quality
from tests.benchmarks.match.streaming import streaming_figures
from workers.file_matching.labelled_sets import read_labelled_set

_SHARED = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "matching"
_SPEED_SET = "sec_listings"


def speed(data: Path | None, sizes: list[int], records: int, changes: int) -> list[Figure]:
    """Files beside the opponents, growth of their cost, and single changes."""
    labelled = data / _SPEED_SET if data and (data / _SPEED_SET).is_dir() else None
    with tempfile.TemporaryDirectory() as folder:
        found = file_figures(Path(folder), labelled)
        found += growth_figures(Path(folder), sizes)
    return [*found, *streaming_figures(records, changes)]


def run() -> int:
    """Measure, print, and write the page's tables where asked to."""
    arguments = _arguments()
    data: Path | None = arguments.data if arguments.data.is_dir() else None
    load = os.getloadavg()[0]
    quality_found = quality(data)
    measured = [
        *quality_found.figures,
        *speed(data, arguments.sizes, arguments.records, arguments.changes),
    ]
    variants = _ablation(data, arguments.bge_m3) if arguments.ablation and data else {}
    if arguments.page is not None:
        write_tables(arguments.page, load, measured, quality_found, variants)
    if arguments.output == "json":
        report = {
            "load": load,
            "figures": [figure.row() for figure in measured],
            "folds": _folds(quality_found),
            "ablation": variants,
        }
        print(json.dumps(report, indent=2))
    else:
        print(f"machine load at the start: {load:.1f} on {os.cpu_count()} cores")
        for name, fold in _folds(quality_found).items():
            print(f"{name}: weights {fold['weights_hash']}, fitted on {', '.join(fold['sets'])}")
        for figure in measured:
            print(figure.line())
        for variant, rows in variants.items():
            print(f"{variant}: {json.dumps(rows)}")
    return 0 if all(figure.met for figure in measured) else 1


def _ablation(data: Path, bge_m3: str | None) -> dict[str, dict[str, dict[str, float]]]:
    sets = [read_labelled_set(folder, "company") for folder in sorted(data.iterdir())]
    with tempfile.TemporaryDirectory() as cache:
        return ablation(sets, encoders_at_hand(Path(cache), bge_m3))


def _folds(found: Quality) -> dict[str, dict[str, Any]]:
    folds = found.companies.folds if found.companies else ()
    return {
        fold.name: {"weights_hash": fold.weights_hash, "sets": list(fold.trained_on)}
        for fold in folds
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=_SHARED, help="folder of labelled sets")
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[10_000, 30_000, 100_000], help="rows a side"
    )
    parser.add_argument("--records", type=int, default=100_000, help="that one change meets")
    parser.add_argument("--changes", type=int, default=300)
    parser.add_argument("--ablation", action="store_true", help="also measure what vectors add")
    parser.add_argument("--bge-m3", help="folder with BGE-M3's weights, for the ablation")
    parser.add_argument("--page", type=Path, help="Markdown page whose tables are written anew")
    parser.add_argument("--output", choices=("table", "json"), default="table")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(run())
