"""A scored pair: probabilities, every comparison with its share, rivals, the literal confidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

from streams.match.literal import LiteralEvidence
from streams.match.plain import fields_of

Place = tuple[str, str]


class ComparisonResult(NamedTuple):
    """What one comparison found: both values, its evidence, and its share of the log-odds.

    `evidence` is the comparison's raw support from -1 (against) to 1 (for) as the weights turn
    it; `contribution` is the share of the pair's log-odds.
    """

    name: str
    title: str
    left_value: str | None
    right_value: str | None
    features: Mapping[str, float]
    contribution: float

    def to_json(self) -> dict[str, Any]:
        """The result as JSON-ready data."""
        return {
            "name": self.name,
            "title": self.title,
            "left_value": self.left_value,
            "right_value": self.right_value,
            "features": self.features,
            "contribution": self.contribution,
        }


@dataclass(frozen=True, slots=True)
class Rival:
    """The best other pair of one of the two records: with whom, and how far behind this pair.

    `margin` is in log-odds; negative where the rival is ahead.
    """

    side: str
    id: str
    probability: float
    margin: float


@dataclass(frozen=True)
class ScoredPair:
    """Two records and all that was found out about their being one.

    `company_probability` judges the companies and `deal_probability` the deals, each from the two
    records alone; `probability` adds the rivals and is the calibrated one. `log_odds` is the sum
    before rivals. Identities are hashes of the fields that name the company: a rejection holds
    while both stay the same (MATCH-11). `left_kin` groups left records that are one company.
    """

    left_side: str
    left_id: str
    right_side: str
    right_id: str
    profile: str
    log_odds: float
    prior: float
    company_probability: float
    deal_probability: float | None
    probability: float
    rivals_contribution: float
    comparisons: tuple[ComparisonResult, ...]
    literal: LiteralEvidence
    left_identity: str
    right_identity: str
    left_kin: str
    close_days_apart: int | None = None
    oldest_created: str | None = None
    left_rival: Rival | None = None
    right_rival: Rival | None = None
    model_version: str = ""
    weights_hash: str = ""
    statistics_version: str = ""

    @property
    def left(self) -> Place:
        """(side, id) of the left record."""
        return self.left_side, self.left_id

    @property
    def right(self) -> Place:
        """(side, id) of the right record."""
        return self.right_side, self.right_id

    @property
    def by_itself(self) -> float:
        """The probability by the two records alone, whatever others there are."""
        found = self.deal_probability
        return self.company_probability if found is None else found

    @property
    def margin(self) -> float | None:
        """The smaller of the two margins over rivals, in log-odds; None without any rival."""
        margins = [rival.margin for rival in (self.left_rival, self.right_rival) if rival]
        return min(margins, default=None)

    @property
    def best_rival(self) -> Rival | None:
        """The nearer of the two rivals."""
        rivals = [rival for rival in (self.left_rival, self.right_rival) if rival]
        return min(rivals, key=lambda rival: rival.margin, default=None)

    @cached_property
    def reason(self) -> str:
        """One sentence in plain words: the probability and what weighed most for and against."""
        from streams.match.explanation import reason_of

        return reason_of(self)

    def to_json(self) -> dict[str, Any]:
        """The pair as JSON-ready data, with margin, best rival and reason spelled out."""
        return fields_of(self) | {
            "comparisons": [result.to_json() for result in self.comparisons],
            "literal": self.literal.to_json(),
            "left_rival": self.left_rival and fields_of(self.left_rival),
            "right_rival": self.right_rival and fields_of(self.right_rival),
            "margin": self.margin,
            "best_rival": self.best_rival and fields_of(self.best_rival),
            "reason": self.reason,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ScoredPair:
        """The pair that `to_json` wrote."""
        values = {k: v for k, v in data.items() if k not in ("margin", "best_rival", "reason")}
        values["comparisons"] = tuple(ComparisonResult(**c) for c in values["comparisons"])
        values["literal"] = LiteralEvidence(**values["literal"])
        for name in ("left_rival", "right_rival"):
            values[name] = Rival(**values[name]) if values.get(name) else None
        return cls(**values)

    def with_rivals(
        self,
        probability: float,
        contribution: float,
        left_rival: Rival | None,
        right_rival: Rival | None,
    ) -> ScoredPair:
        """The same pair, its probability and rivals measured anew."""
        return replace(
            self,
            probability=probability,
            rivals_contribution=contribution,
            left_rival=left_rival,
            right_rival=right_rival,
        )
