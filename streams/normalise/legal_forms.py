"""Legal forms of many countries, from `data/legal_forms.csv`, ready for lookup."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from importlib.resources import files

from anyascii import anyascii


@dataclass(frozen=True, slots=True)
class LegalForm:
    """One legal form: its class ("limited", "public" ...) and whether it may lead a name."""

    kind: str
    leads: bool


def _read() -> tuple[dict[str, LegalForm], tuple[tuple[str, str], ...]]:
    text = (files("streams.normalise") / "data" / "legal_forms.csv").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    spaced: dict[str, LegalForm] = {}
    joined: list[tuple[str, str]] = []
    for row in csv.DictReader(lines):
        if row["position"] == "affix":
            joined.append((row["form"], row["class"]))
            continue
        form = LegalForm(row["class"], leads=row["position"] == "both")
        spaced.setdefault(row["form"], form)
        latin = " ".join(anyascii(row["form"]).casefold().replace("'", "").split())
        if latin:
            spaced.setdefault(latin, form)
    joined.sort(key=lambda entry: (-len(entry[0]), entry[0]))
    return spaced, tuple(joined)


LEGAL_FORMS, AFFIX_FORMS = _read()
LONGEST_FORM = max(form.count(" ") for form in LEGAL_FORMS) + 1
