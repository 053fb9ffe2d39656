"""Every benchmark in turn, each in a process of its own, and one table of what they measured.

    python -m tests.benchmarks                              # all: half an hour on two idle cores
    python -m tests.benchmarks pipeline normalise --output json

Beside each figure stand the machine's load, the floor or peer measured in the same run, and the ratio
to it. Exits 1 when a ratio is missed; what is the machine's alone is reported and not judged.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from typing import Any

from rich.console import Console
from rich.table import Table

BENCHMARKS = ("pipeline", "normalise", "embed", "match", "decide", "spend")


def measured(name: str, console: Console) -> dict[str, Any]:
    """The figures of one benchmark, as it printed them; its problem where it printed none."""
    with console.status(f"measuring: {name}"):
        done = subprocess.run(
            [sys.executable, "-m", f"tests.benchmarks.{name}", "--output", "json"],
            capture_output=True,
            text=True,
            check=False,
        )
    try:
        return json.loads(done.stdout) | {"benchmark": name, "met": done.returncode == 0}
    except json.JSONDecodeError:
        problem = done.stderr.strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
        return {"benchmark": name, "figures": [], "met": False, "problem": problem[0]}


def table_of(results: list[dict[str, Any]]) -> Table:
    """All figures, a row each."""
    table = Table("", "figure", "value", "floor or limit", "ratio", "least", "load", box=None)
    for result in results:
        if "problem" in result:
            table.add_row(result["benchmark"], f"[red]{result['problem']}[/]")
        for row in result["figures"]:
            floor = row["floor"] is not None and row["share"] is not None
            table.add_row(
                result["benchmark"],
                row["name"],
                f"{row['value']:.4g} {row['unit']}",
                f"{row['floor_name']} {row['floor']:.4g}" if floor else "",
                f"{row['share']:.2f}" if floor else "",
                f"{row['least_share']:.2f} {'met' if row['met'] else '[red]MISSED[/]'}"
                if row["least_share"] is not None
                else "",
                f"{result['load']:.1f}",
            )
    return table


def run() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=(*BENCHMARKS, []), metavar="NAME")
    parser.add_argument("--output", choices=("table", "json"), default="table")
    arguments = parser.parse_args()
    progress = Console(stderr=True)
    results = [measured(name, progress) for name in arguments.names or BENCHMARKS]
    if arguments.output == "json":
        print(json.dumps(results, indent=2))
    else:
        Console().print(table_of(results))
    return 0 if all(result["met"] for result in results) else 1


if __name__ == "__main__":
    sys.exit(run())
