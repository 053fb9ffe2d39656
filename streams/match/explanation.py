"""A score explained: from the prior to the probability, comparison by comparison, in plain words."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from streams.match.model import probability
from streams.match.scored_pair import ComparisonResult, Rival, ScoredPair

_NEGLIGIBLE = 0.05


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the waterfall: what it is, its share in log-odds, the probability after it."""

    name: str
    title: str
    words: str
    left_value: str | None
    right_value: str | None
    contribution: float
    probability_after: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a pair has its probability: prior, steps (largest share first), rivals, confidence."""

    summary: str
    prior: float
    steps: tuple[Step, ...]
    probability: float
    confidence: str
    rivals: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The explanation as JSON-ready data."""
        return asdict(self)

    def lines(self) -> list[str]:
        """The explanation as lines of text for a terminal."""
        width = max((len(step.title) for step in self.steps), default=0)
        return [
            self.summary,
            f"before any evidence: {self.prior:.1%}",
            *(
                f"  {step.title:<{width}}  {step.contribution:+6.2f}  -> {step.probability_after:6.1%}"
                f"  {step.words}"
                for step in self.steps
            ),
            self.confidence,
            *self.rivals,
        ]


def explain(pair: ScoredPair) -> Explanation:
    """The waterfall of a scored pair; the steps' shares add up to its probability exactly."""
    steps: list[Step] = []
    log_odds = pair.prior
    for result in sorted(pair.comparisons, key=lambda c: (-abs(c.contribution), c.name)):
        if abs(result.contribution) < _NEGLIGIBLE and not result.features:
            continue
        log_odds += result.contribution
        steps.append(_step(result, log_odds))
    rest = pair.log_odds + pair.rivals_contribution - log_odds
    steps.append(
        Step(
            "rivals",
            "Rivals",
            _rivals_in_words(pair),
            None,
            None,
            round(rest, 6),
            pair.probability,
        )
    )
    return Explanation(
        reason_of(pair),
        float(probability(pair.prior)),
        tuple(steps),
        pair.probability,
        _confidence_in_words(pair),
        tuple(_rival_in_words(r) for r in (pair.left_rival, pair.right_rival) if r),
    )


def reason_of(pair: ScoredPair) -> str:
    """One sentence: how likely the match is, and what weighs most for and against it."""
    told = sorted(pair.comparisons, key=lambda c: -abs(c.contribution))
    pros = [c for c in told if c.contribution > 0.3][:3]
    cons = [c for c in told if c.contribution < -0.3][:2]
    parts = [f"{pair.probability:.0%} likely the same {_subject(pair)}"]
    if pros:
        parts.append("for it: " + ", ".join(_evidence_in_words(c) for c in pros))
    if cons:
        parts.append("against it: " + ", ".join(_evidence_in_words(c) for c in cons))
    rival = pair.best_rival
    if rival is not None and rival.margin < 1.0:
        parts.append(f"rival {rival.id} is {'ahead' if rival.margin < 0 else 'close'}")
    return "; ".join(parts)


def _subject(pair: ScoredPair) -> str:
    return "company" if pair.deal_probability is None else "deal"


def _step(result: ComparisonResult, log_odds: float) -> Step:
    return Step(
        result.name,
        result.title,
        _evidence_in_words(result),
        result.left_value,
        result.right_value,
        result.contribution,
        float(probability(log_odds)),
    )


def _evidence_in_words(result: ComparisonResult) -> str:
    left, right = _shortened(result.left_value), _shortened(result.right_value)
    if not left or not right:
        return result.title.lower()
    if left.casefold() == right.casefold():
        return f"{result.title.lower()} equal ({left})"
    return f"{result.title.lower()} ({left} / {right})"


def _shortened(text: str | None) -> str:
    return "" if text is None else text if len(text) <= 60 else text[:57] + "..."


def _rivals_in_words(pair: ScoredPair) -> str:
    rival = pair.best_rival
    if rival is None:
        return "no other candidate"
    if rival.margin < 0:
        return f"{rival.id} fits better"
    return f"ahead of {rival.id} ({rival.probability:.0%} by itself)"


def _rival_in_words(rival: Rival) -> str:
    return (
        f"rival: {rival.side} {rival.id}, {rival.probability:.1%} by itself, "
        f"margin {rival.margin:+.2f}"
    )


def _confidence_in_words(pair: ScoredPair) -> str:
    literal = pair.literal
    if literal.method == "none":
        return f"confidence by the rule: 0 (no branch holds; fuzzy name {literal.fuzzy:.2f})"
    return f"confidence by the rule: {literal.confidence:.4f} by {literal.method} ({literal.band})"
