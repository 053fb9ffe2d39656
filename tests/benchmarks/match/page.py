"""The tables of the page on matching, written from what was measured, between its markers."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tests.benchmarks.figures import Figure
from tests.benchmarks.match.quality import Quality


def write_part(page: Path, name: str, load: float, table: Iterable[str]) -> None:
    """Replace the table of one part between `<!-- NAME: ... -->` and `<!-- end NAME -->`.

    Raises ValueError for a page without the two marks.
    """
    text = page.read_text(encoding="utf-8")
    between = re.compile(rf"(<!-- {name}: [^>]* -->\n).*?(<!-- end {name} -->)", re.DOTALL)
    told = f"Machine load {load:.1f} on {os.cpu_count()} cores."
    lines = "\n".join([told, "", *table])
    text, count = between.subn(lambda found: f"{found[1]}\n{lines}\n\n{found[2]}", text)
    if count != 1:
        raise ValueError(f"{page} has {count} places for {name!r}: it needs one")
    page.write_text(text, encoding="utf-8")


def fold_table(found: Quality) -> list[str]:
    """One row a labelled set and a seed of deals."""
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


def figure_table(figures: Sequence[Figure]) -> list[str]:
    """One row a figure, with what stands beside it."""
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


def ablation_table(variants: Mapping[str, Mapping[str, Mapping[str, float]]]) -> list[str]:
    """One row a variant, one column a set."""
    sets = list(next(iter(variants.values())))
    rows = [
        (variant, *(" / ".join(f"{v:.4f}" for v in found[name].values()) for name in sets))
        for variant, found in variants.items()
    ]
    return _table(("variant (F1 / AUC-PR)", *sets), rows)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [header, ["---"] * len(header), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]
