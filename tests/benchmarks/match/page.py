"""The tables of the page on matching, written from what was measured, between its markers."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tests.benchmarks.embed.figures import Figure
from tests.benchmarks.match.quality import Quality


def write_tables(
    page: Path,
    load: float,
    figures: Sequence[Figure],
    found: Quality,
    variants: Mapping[str, Mapping[str, Mapping[str, float]]],
) -> None:
    """Replace the tables of `page`; the ablation's is kept where none was measured.

    Tables stand between `<!-- NAME: ... -->` and `<!-- end NAME -->`. Raises ValueError for a page
    without the markers.
    """
    text = page.read_text(encoding="utf-8")
    text = _replaced(text, "folds", _folds(found))
    told = f"Machine load {load:.1f} on {os.cpu_count()} cores."
    text = _replaced(text, "figures", [told, "", *_figures(figures)])
    if variants:
        text = _replaced(text, "ablation", _ablation(variants))
    page.write_text(text, encoding="utf-8")


def _replaced(text: str, name: str, lines: Iterable[str]) -> str:
    between = re.compile(rf"(<!-- {name}: [^>]* -->\n).*?(<!-- end {name} -->)", re.DOTALL)
    table = "\n".join(lines)
    text, count = between.subn(lambda found: f"{found[1]}\n{table}\n\n{found[2]}", text)
    if count != 1:
        raise ValueError(f"the page has {count} places for {name!r}: it needs one")
    return text


def _folds(found: Quality) -> list[str]:
    header = ("set", "F1", "precision", "recall", "AUC-PR", "candidates@50", "ECE", "automatic")
    rows = [
        (
            fold.name,
            f"{fold.figures.f1:.4f}"
            + (f" ({fold.interval[0]:.3f} to {fold.interval[1]:.3f})" if fold.interval else ""),
            f"{fold.figures.precision:.4f}",
            f"{fold.figures.recall:.4f}",
            f"{fold.figures.average_precision:.4f}",
            f"{fold.figures.candidate_recall_at_50:.4f}",
            f"{fold.figures.calibration_error:.3f}",
            f"{fold.figures.automatic_precision:.4f} of {fold.figures.automatic_share:.0%}",
        )
        for fold in (found.companies.folds if found.companies else ())
    ]
    rows += [
        (
            name,
            f"{figures.f1:.4f}",
            f"{figures.precision:.4f}",
            f"{figures.recall:.4f}",
            f"{figures.average_precision:.4f}",
            f"{figures.candidate_recall_at_50:.4f}",
            f"{figures.calibration_error:.3f}",
            f"{figures.automatic_precision:.4f} of {figures.automatic_share:.0%}",
        )
        for name, figures in found.deals.items()
    ]
    return _table(header, rows)


def _figures(figures: Sequence[Figure]) -> list[str]:
    rows = [
        (
            figure.name,
            f"{figure.value:.4g} {figure.unit}".strip(),
            "" if figure.floor is None else f"{figure.floor_name} {figure.floor:.4g}",
            "" if figure.least_share is None else "yes" if figure.met else "**no**",
        )
        for figure in figures
    ]
    return _table(("figure", "measured", "beside", "met"), rows)


def _ablation(variants: Mapping[str, Mapping[str, Mapping[str, float]]]) -> list[str]:
    sets = list(next(iter(variants.values())))
    rows = [
        (variant, *(" / ".join(f"{v:.4f}" for v in found[name].values()) for name in sets))
        for variant, found in variants.items()
    ]
    return _table(("variant (F1 / AUC-PR)", *sets), rows)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [header, ["---"] * len(header), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]
