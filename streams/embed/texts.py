"""The two texts of a record, laid out alike for every side and source (EMB-2, EMB-3)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

Kind = Literal["identity", "context"]
KINDS: tuple[Kind, ...] = ("identity", "context")

CHARACTER_BUDGET = 32_768
"""Characters of a text at most: what 8,192 tokens of BGE-M3 hold at four characters a token."""

_SPACE = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u200b\u2060\ufeff]+")
_HALF_PAIR = re.compile(r"[\ud800-\udfff]")
_WORD_SEARCH = 64
"""How far back from a cut the end of a word is looked for."""


@dataclass(frozen=True, slots=True)
class TextFinding:
    """A data-quality finding on a text: a part of it was longer than the text has room for."""

    code: str
    kind: Kind
    part: str
    characters: int
    kept: int


@dataclass(frozen=True, slots=True)
class LaidOutText:
    """One text of a record, without instruction, and what was found while laying it out."""

    text: str
    findings: tuple[TextFinding, ...] = ()


@dataclass(frozen=True, slots=True)
class RecordTexts:
    """Both texts of a record; None where it has nothing to say."""

    identity: LaidOutText | None
    context: LaidOutText | None

    def of(self, kind: Kind) -> LaidOutText | None:
        return self.identity if kind == "identity" else self.context

    @property
    def findings(self) -> tuple[TextFinding, ...]:
        return tuple(
            finding
            for text in (self.identity, self.context)
            if text is not None
            for finding in text.findings
        )


def record_texts(fields: Mapping[str, Any], budget: int = CHARACTER_BUDGET) -> RecordTexts:
    """Both texts of a core record, given its fields by name (spec section 5).

    A record without company name and without domain gets neither (CORE-12): nothing says whose it
    is, so its description must not bring it near anyone.
    """
    if not _clean(fields.get("company_name")) and not _clean(fields.get("normalized_domain")):
        return RecordTexts(None, None)
    return RecordTexts(identity_text(fields, budget), context_text(fields, budget))


def identity_text(fields: Mapping[str, Any], budget: int = CHARACTER_BUDGET) -> LaidOutText | None:
    """Who the company is: name, normalised name if different, domain, aliases sorted (EMB-3)."""
    name = _clean(fields.get("company_name"))
    normalised = _clean(fields.get("normalized_company"))
    aliases = _several(fields.get("aliases"), in_order=False)
    return _lay_out(
        "identity",
        [
            ("name", name),
            ("normalised name", "" if normalised.casefold() == name.casefold() else normalised),
            ("domain", _clean(fields.get("normalized_domain"))),
            ("aliases", "; ".join(aliases)),
        ],
        budget,
    )


def context_text(fields: Mapping[str, Any], budget: int = CHARACTER_BUDGET) -> LaidOutText | None:
    """What the deal is about: title, description, products, industry, country (EMB-3).

    The description comes without HTML; normalisation took it out.
    """
    return _lay_out(
        "context",
        [
            ("title", _clean(fields.get("title"))),
            ("description", _clean(fields.get("description"))),
            ("products", "; ".join(_several(fields.get("products"), in_order=True))),
            ("industry", _clean(fields.get("industry"))),
            ("country", _clean(fields.get("country"))),
        ],
        budget,
    )


def _lay_out(kind: Kind, parts: list[tuple[str, str]], budget: int) -> LaidOutText | None:
    """Labelled parts in their order, empty ones left out, cut to `budget` characters in all."""
    filled = [(label, text) for label, text in parts if text]
    if not filled:
        return None
    frame = sum(len(label) + 2 for label, _ in filled) + 3 * (len(filled) - 1)
    room = _room([len(text) for _, text in filled], max(budget - frame, len(filled)))
    findings: list[TextFinding] = []
    lines: list[str] = []
    for label, text in filled:
        kept = text if len(text) <= room else _cut(text, room)
        if len(kept) < len(text):
            findings.append(TextFinding("text_cut", kind, label, len(text), len(kept)))
        lines.append(f"{label}: {kept}")
    return LaidOutText(" | ".join(lines), tuple(findings))


def _room(lengths: list[int], budget: int) -> int:
    """The largest length for every part at which all of them fit: the longest are cut first."""
    left, parts = budget, len(lengths)
    for length in sorted(lengths):
        if length * parts > left:
            return left // parts
        left -= length
        parts -= 1
    return max(lengths)


def _cut(text: str, room: int) -> str:
    """The first `room` characters, back to the end of a word where one ends near."""
    end = text.rfind(" ", max(room - _WORD_SEARCH, 1), room + 1)
    return text[: end if end > 0 else room].rstrip()


def _several(value: object, *, in_order: bool) -> list[str]:
    """The distinct texts of a list field: in their own order, or sorted."""
    items: list[object] = [value]
    if isinstance(value, Iterable) and not isinstance(value, str):
        items = list(cast("Iterable[object]", value))
    cleaned = [text for text in map(_clean, items) if text]
    return list(dict.fromkeys(cleaned)) if in_order else sorted(set(cleaned))


def _clean(value: object) -> str:
    """One line of text without control characters and halves of surrogate pairs."""
    if value is None:
        return ""
    return _SPACE.sub(" ", _HALF_PAIR.sub("\ufffd", str(value))).strip()
