"""Legal forms of many countries, from `data/legal_forms.csv`, ready for lookup."""

from __future__ import annotations

from dataclasses import dataclass

from anyascii import anyascii

from streams.normalise.tables import rows_of


@dataclass(frozen=True, slots=True)
class LegalForm:
    """One legal form: its class ("limited", "public" ...) and whether it may lead a name."""

    kind: str
    leads: bool


def _read() -> tuple[dict[str, LegalForm], tuple[tuple[str, str], ...]]:
    spaced: dict[str, LegalForm] = {}
    joined: list[tuple[str, str]] = []
    for row in rows_of("legal_forms.csv"):
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
