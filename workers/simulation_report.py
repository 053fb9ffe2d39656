"""A simulation as one HTML page that needs nothing beside it: counts, rules, every flipped pair."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from streams.decide.comparing_versions import Difference
from streams.decide.simulation import Simulation
from workers.simulating import summary

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#1c2430}
h1{font-size:1.5rem}h2{font-size:1.1rem;margin-top:2rem}table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.35rem .6rem;border-bottom:1px solid #dfe4ea;vertical-align:top}
th{background:#f3f5f8}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
code{background:#f3f5f8;padding:.1rem .3rem;border-radius:3px}.muted{color:#66707c}
"""
_MOST_ROWS = 5_000


def html_report(
    simulation: Simulation, changes: Sequence[Difference], *, title: str, about: str
) -> str:
    """The page. `about` says what was simulated over what; texts are escaped."""
    shown = simulation.flips[:_MOST_ROWS]
    left_out = simulation.flipped - len(shown)
    parts = [
        f"<h1>{escape(title)}</h1><p class=muted>{escape(about)}</p>",
        f"<p><b>{simulation.judged:,}</b> decisions judged again, <b>{simulation.flipped:,}</b> come to "
        f"another outcome, <b>{simulation.money:,.2f}</b> at stake in them.</p>",
        "<h2>Outcomes</h2>",
        _table(
            ("outcome", "before", "after", "change"),
            ([str(value) for value in row.values()] for row in summary(simulation)),
            numbers=3,
        ),
        "<h2>Rules that flipped pairs</h2>",
        _table(
            ("rule", "pairs"),
            ([rule, f"{count:,}"] for rule, count in simulation.by_rule.most_common()),
            numbers=1,
        ),
        "<h2>What the draft changes</h2>",
        _table(
            ("value", "before", "after", "written in"),
            ([one.path, one.before or "", one.after or "", one.origin] for one in changes),
        ),
        "<h2>Flipped pairs</h2>",
        _table(
            ("left", "right", "before", "after", "rules", "why", "at stake"),
            (
                [
                    flip.left,
                    flip.right,
                    flip.before,
                    flip.after,
                    ", ".join(flip.rules),
                    "; ".join(flip.reasons),
                    "" if flip.money is None else f"{flip.money:,.2f}",
                ]
                for flip in shown
            ),
            numbers=1,
        ),
    ]
    if left_out:
        parts.append(f"<p class=muted>{left_out:,} more flipped pairs are not shown.</p>")
    body = "\n".join(parts)
    return (
        "<!doctype html><html lang=en><head><meta charset=utf-8>"
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>{body}</body></html>\n"
    )


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: int = 0) -> str:
    """A table whose last `numbers` columns are figures."""
    first = len(headings) - numbers
    kinds = ["" if at < first else " class=n" for at in range(len(headings))]
    head = "".join(
        f"<th{kind}>{escape(one)}</th>" for kind, one in zip(kinds, headings, strict=True)
    )
    body = "".join(
        "<tr>"
        + "".join(f"<td{kind}>{escape(one)}</td>" for kind, one in zip(kinds, row, strict=True))
        + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
