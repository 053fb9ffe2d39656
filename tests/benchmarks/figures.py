"""One measured figure beside its floor, and how a benchmark tells its figures."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure, the floor measured beside it, and the least share of the floor that it must reach.

    `share` is 1 at the floor and falls with what is lost on top of it. Without a floor the figure
    is only reported.
    """

    name: str
    value: float
    unit: str
    floor: float | None = None
    floor_name: str = ""
    share: float | None = None
    least_share: float | None = None

    @property
    def met(self) -> bool:
        return self.share is None or self.least_share is None or self.share >= self.least_share

    def row(self) -> dict[str, Any]:
        return {**asdict(self), "met": self.met}

    def line(self) -> str:
        text = f"{self.name:<46} {self.value:>10.4g} {self.unit:<9}"
        if self.floor is not None and self.share is not None:
            text += f" {self.floor_name} {self.floor:.4g}, share {self.share:.2f}"
        if self.least_share is not None:
            text += f" (least {self.least_share:.2f}: {'met' if self.met else 'MISSED'})"
        return text


def at_least(name: str, value: float, least: float, unit: str = "") -> Figure:
    """A figure that must not be below `least`."""
    return Figure(name, value, unit, least, "least", value / least, 1.0)


def at_most(name: str, value: float, most: float, unit: str = "") -> Figure:
    """A figure that must not be above `most`; one near zero counts as a tenth of it."""
    return Figure(name, value, unit, most, "most", most / max(value, most / 10.0), 1.0)


def percentile(values: list[float], share: float) -> float:
    """The value that `share` of the sorted values do not exceed."""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def report(measured: Sequence[Figure], load: float, output: str) -> int:
    """Prints the figures as "table" or "json" with the machine's load at the start.

    Gives the exit status: 1 where a ratio is missed.
    """
    if output == "json":
        print(json.dumps({"load": load, "figures": [one.row() for one in measured]}, indent=2))
    else:
        print(f"machine load at the start: {load:.1f} on {os.cpu_count()} cores")
        for one in measured:
            print(one.line())
    return 0 if all(one.met for one in measured) else 1
