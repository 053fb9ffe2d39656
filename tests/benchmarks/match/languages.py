"""Companies by their names at home and in English, in many scripts, by the shipped weights.

Half of the names were looked at while names of other languages were worked on, the other half only
after a first measurement.
"""

from __future__ import annotations

import csv
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from streams.match.evaluation import Figures, evaluate
from streams.match.model import MatcherModel
from streams.match.prepared import PreparedRecord
from streams.match.records import MatchRecord
from tests.benchmarks.figures import Figure, at_least
from workers.file_matching.matching import match_sides
from workers.file_matching.model_files import load_model

_TABLE = Path(__file__).with_name("languages.csv")
_LEAST_PRECISION, _LEAST_RECALL, _LEAST_RECALL_WITH_DOMAIN = 0.98, 0.6, 0.7
Row = dict[str, str]


def language_figures() -> list[Figure]:
    """Precision and recall, without domains and with the domain on one side; recall by script."""
    lines = _TABLE.read_text(encoding="utf-8").splitlines()
    rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    model = load_model(None)
    named = _matched(rows, model, with_domain=False)
    known = _matched(rows, model, with_domain=True)
    bereft = _matched_wrongly(rows, model)
    name = f"{len(rows)} companies at home and in English"
    scripts = sorted(named.recall_by_slice)
    return [
        at_least(f"{name}, precision", named.precision, _LEAST_PRECISION),
        at_least(f"{name}, recall", named.recall, _LEAST_RECALL),
        at_least(f"{name}, one web domain, precision", known.precision, _LEAST_PRECISION),
        at_least(f"{name}, one web domain, recall", known.recall, _LEAST_RECALL_WITH_DOMAIN),
        Figure(f"{name}, matched with another where their own is missing", bereft, "share"),
        *(Figure(f"  recall of {s}", named.recall_by_slice[s], "share") for s in scripts),
    ]


def _matched_wrongly(rows: Sequence[Row], model: MatcherModel) -> float:
    """The share of companies that match another one where their own is not there to be found."""
    wrong: set[str] = set()
    for own, others in ((0, 1), (1, 0)):
        home = [_record("left", n, rows[n], "") for n in range(own, len(rows), 2)]
        abroad = [_record("right", n, rows[n], "english_") for n in range(others, len(rows), 2)]
        found = match_sides(home, abroad, model, "company").scored(model.bands.match)
        wrong |= {left for left, _, _ in found}
    return len(wrong) / len(rows)


def _matched(rows: Sequence[Row], model: MatcherModel, *, with_domain: bool) -> Figures:
    home = [_record("left", n, row, "", with_domain=with_domain) for n, row in enumerate(rows)]
    abroad = [_record("right", n, row, "english_") for n, row in enumerate(rows)]
    truth = {(str(n), str(n)): _script(row["name"]) for n, row in enumerate(rows)}
    found = match_sides(home, abroad, model, "company")
    return evaluate(found.scored(), truth, automatic=model.bands.automatic)


def _record(
    side: str, number: int, row: Row, prefix: str, *, with_domain: bool = False
) -> PreparedRecord:
    fields = {key: row[f"{prefix}{key}"] for key in ("name", "city", "country")}
    fields["domain"] = row["domain"] if with_domain else ""
    return PreparedRecord.from_record(MatchRecord.from_fields(side, str(number), fields))


def _script(name: str) -> str:
    """The script of the name's first letter that is not Latin, as Unicode names it."""
    scripts = [unicodedata.name(c, "").split()[0].lower() for c in name if c.isalpha()]
    found = next((script for script in scripts if script != "latin"), "latin")
    return {"cjk": "han", "hiragana": "kana", "katakana": "kana"}.get(found, found)
