"""The plan's own evidence and confidence, kept to the letter (MATCH-4 to MATCH-6, MATCH-10).

The calibrated probability stands beside it: the confidence sets the bands, the probability orders
candidates and guards against a literal pass that the rest of the evidence contradicts (AM-1, AM-15).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from rapidfuzz.distance import JaroWinkler
from rapidfuzz.fuzz import token_set_ratio

from streams.match.arrays import Floats, exactly_alike
from streams.match.model import encoder_family
from streams.match.plain import fields_of
from streams.match.prepared import PreparedRecord
from streams.match.records import SemanticEvidence

Method = Literal["confirmed", "identifier", "semantic", "domain", "fuzzy", "none"]
Band = Literal["high", "review", "none"]

RANK_WEIGHTS: Mapping[str, float] = {
    "identity": 0.40,
    "context": 0.15,
    "fuzzy": 0.20,
    "domain": 0.15,
    "multi_vector": 0.10,
}


@dataclass(frozen=True, slots=True)
class LiteralPolicy:
    """Thresholds and weights of the literal evidence; the defaults are the specification's.

    Vectors of encoders outside `trusted_encoders` never lift a pair out of review by themselves.
    """

    automatic_threshold: float = 0.85
    confidence_threshold: float = 0.7
    fuzzy_threshold: float = 0.9
    trusted_encoders: tuple[str, ...] = ("bge-m3",)
    rank_weights: Mapping[str, float] = field(default_factory=lambda: dict(RANK_WEIGHTS))


@dataclass(frozen=True, slots=True)
class LiteralEvidence:
    """Each literal score in [0, 1] (None: not measured), the confidence and which score gave it."""

    identifier: bool
    semantic: float | None
    context: float | None
    lexical: float | None
    multi_vector: float | None
    domain: bool
    fuzzy: float
    confidence: float
    method: Method
    band: Band
    rank_score: float
    encoder: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The evidence as JSON-ready data."""
        return fields_of(self)


def literal_evidence(
    pairs: Sequence[tuple[PreparedRecord, PreparedRecord]],
    semantic: Sequence[SemanticEvidence | None],
    policy: LiteralPolicy,
) -> list[LiteralEvidence]:
    """What MATCH-4 to MATCH-6 and MATCH-10 say of pairs that nobody confirmed, in order."""
    return [
        _evidence(left, right, vectors, fuzzy, policy)
        for (left, right), vectors, fuzzy in zip(
            pairs, semantic, fuzzy_similarities(pairs), strict=True
        )
    ]


def _evidence(
    left: PreparedRecord,
    right: PreparedRecord,
    semantic: SemanticEvidence | None,
    fuzzy: float,
    policy: LiteralPolicy,
) -> LiteralEvidence:
    identifier = _identifier(left, right)
    domain = bool(set(left.domains[:1]) & set(right.domains[:1])) if left.domains else False
    identity = _unit(semantic.identity) if semantic else None
    confidence, method = _confidence(identifier, domain, fuzzy, identity, semantic, policy)
    scores: dict[str, float | None] = {
        "identity": identity,
        "context": _unit(semantic.context) if semantic else None,
        "fuzzy": fuzzy,
        "domain": float(domain),
        "multi_vector": _unit(semantic.multi_vector) if semantic else None,
    }
    rank = sum(weight * (scores.get(name) or 0.0) for name, weight in policy.rank_weights.items())
    return LiteralEvidence(
        identifier=identifier,
        semantic=identity,
        context=scores["context"],
        lexical=_unit(semantic.lexical) if semantic else None,
        multi_vector=scores["multi_vector"],
        domain=domain,
        fuzzy=fuzzy,
        confidence=confidence,
        method=method,
        band=band_of(confidence, policy),
        rank_score=round(rank, 6),
        encoder=semantic.encoder if semantic else None,
    )


def band_of(confidence: float, policy: LiteralPolicy) -> Band:
    """The band of a confidence (MATCH-10): both edges, 0.70 and 0.85, belong to review."""
    if confidence > policy.automatic_threshold:
        return "high"
    return "review" if confidence >= policy.confidence_threshold else "none"


def fuzzy_similarities(pairs: Sequence[tuple[PreparedRecord, PreparedRecord]]) -> list[float]:
    """The best of Jaro-Winkler and token-set ratio over names and aliases (MATCH-4d), 4 decimals."""
    spelled = [
        (row, mine, its)
        for row, (left, right) in enumerate(pairs)
        for mine in left.spellings
        for its in right.spellings
    ]
    best = [0.0] * len(pairs)
    if spelled:
        lefts, rights = [mine for _, mine, _ in spelled], [its for _, _, its in spelled]
        likeness: Floats = np.maximum(
            exactly_alike(lefts, rights, JaroWinkler.similarity),
            exactly_alike(lefts, rights, token_set_ratio) / 100.0,
        )
        found: list[float] = likeness.tolist()
        for (row, _, _), one in zip(spelled, found, strict=True):
            best[row] = max(best[row], one)
    return [round(one, 4) for one in best]


def _confidence(
    identifier: bool,
    domain: bool,
    fuzzy: float,
    identity: float | None,
    semantic: SemanticEvidence | None,
    policy: LiteralPolicy,
) -> tuple[float, Method]:
    if identifier:
        return 1.0, "identifier"
    scores: list[tuple[float, Method]] = []
    if identity is not None and semantic is not None:
        trusted = encoder_family(semantic.encoder) in policy.trusted_encoders
        scores.append(
            (identity if trusted else min(identity, policy.automatic_threshold), "semantic")
        )
    if domain:
        scores.append((1.0, "domain"))
    if fuzzy > policy.fuzzy_threshold:
        scores.append((fuzzy, "fuzzy"))
    if not scores:
        return 0.0, "none"
    return max(scores, key=lambda entry: entry[0])


def _identifier(left: PreparedRecord, right: PreparedRecord) -> bool:
    """Whether one record holds the other's id (MATCH-4a)."""
    one, other = left.record, right.record
    return any(hint.casefold() in one.own_ids for hint in other.external_ids) or any(
        hint.casefold() in other.own_ids for hint in one.external_ids
    )


def _unit(score: float | None) -> float | None:
    """A cosine as a score in [0, 1], rounded to 4 decimals so that CPU and GPU agree (R4.1)."""
    return None if score is None else round(min(max(score, 0.0), 1.0), 4)
