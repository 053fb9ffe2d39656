"""The tables of `streams/normalise/data`: CSV and lists, in which lines that begin with # are notes."""

from __future__ import annotations

import csv
from importlib.resources import files


def lines_of(name: str) -> list[str]:
    """The lines of a table but for notes and empty ones."""
    text = (files("streams.normalise") / "data" / name).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]


def rows_of(name: str) -> list[dict[str, str]]:
    """The rows of a CSV table by its header."""
    return list(csv.DictReader(lines_of(name)))
