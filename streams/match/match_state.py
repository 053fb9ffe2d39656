"""What the store keeps of a match, what people said of it, and what others hear of its changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args
from uuid import UUID, uuid5

from streams.match.literal import Band, Method
from streams.match.plain import fields_of
from streams.match.scored_pair import Place, ScoredPair

Status = Literal["candidate", "auto", "confirmed", "rejected", "superseded", "unmatched"]
ChangeKind = Literal["created", "changed", "superseded", "withdrawn"]

LIVE: frozenset[Status] = frozenset(("candidate", "auto", "confirmed"))
STATUSES: tuple[Status, ...] = get_args(Status)
#: The reason of a match that ended because its pair is no candidate any more.
GONE = "no longer a candidate"
_MATCH_NAMESPACE = UUID("6a0d3c1e-58f7-5c39-9f0a-4c1f6f0c1b77")


@dataclass(frozen=True, slots=True)
class Verdict:
    """A person's word on a pair; the last one on a pair counts.

    A rejection holds while both identities are those it was given for (None: for good).
    """

    left: Place
    right: Place
    verdict: Literal["confirm", "reject", "withdraw"]
    decided_by: str
    decided_at: str
    reason: str = ""
    left_identity: str | None = None
    right_identity: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The verdict as JSON-ready data."""
        return fields_of(self)


@dataclass(frozen=True, slots=True)
class MatchState:
    """The state of one pair after assignment; what the store keeps per match.

    `contradicted` says that the literal rule passes while the probability is under the limit of
    AM-1: whoever decides must send the pair to review. `alternative` marks a candidate that is
    shown but needs no decision: one of its records is matched with another, or both have a more
    probable candidate (MATCH-9).
    """

    match_id: str
    left: Place
    right: Place
    status: Status
    confidence: float
    method: Method
    band: Band
    probability: float
    company_probability: float
    deal_probability: float | None
    rank_score: float
    rank: int
    ambiguous: bool
    contradicted: bool
    alternative: bool
    reason: str
    decided_by: str | None = None
    decided_at: str | None = None
    model_version: str = ""
    statistics_version: str = ""

    def to_json(self) -> dict[str, Any]:
        """The state as JSON-ready data."""
        return fields_of(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> MatchState:
        """The state that `to_json` wrote."""
        values: dict[str, Any] = dict(data)
        values["left"], values["right"] = tuple(data["left"]), tuple(data["right"])
        return cls(**values)


@dataclass(frozen=True, slots=True)
class MatchChange:
    """A change that others must hear of, with the state before (None: there was none) and after."""

    kind: ChangeKind
    before: MatchState | None
    after: MatchState


def match_id(tenant: str, pack: str, left: Place, right: Place) -> str:
    """The id of the match of two records: the same for ever, whatever is found out about it."""
    return str(uuid5(_MATCH_NAMESPACE, "\x1f".join((tenant, pack, *left, *right))))


def last_verdicts(
    verdicts: Sequence[Verdict], merged: Mapping[Place, Place]
) -> dict[tuple[Place, Place], Verdict]:
    """The last word on every pair, verdicts on merged-away records standing for their survivors.

    A verdict that moved to a survivor holds for good: the identities it was given for are gone.
    """
    spoken: dict[tuple[Place, Place], Verdict] = {}
    for verdict in sorted(verdicts, key=lambda v: (v.decided_at, v.left, v.right, v.verdict)):
        left, right = survivor(verdict.left, merged), survivor(verdict.right, merged)
        has_moved = (left, right) != (verdict.left, verdict.right)
        identity = (None, None) if has_moved else (verdict.left_identity, verdict.right_identity)
        spoken[left, right] = replace(
            verdict, left=left, right=right, left_identity=identity[0], right_identity=identity[1]
        )
    return spoken


def survivor(place: Place, merged: Mapping[Place, Place]) -> Place:
    """The record that a merged-away record lives on in, or the record itself."""
    seen = {place}
    while place in merged and merged[place] not in seen:
        place = merged[place]
        seen.add(place)
    return place


def moved(
    previous: Sequence[MatchState], merged: Mapping[Place, Place], tenant: str, pack: str
) -> list[MatchState]:
    """Earlier states, those of a merged-away record followed by one on its survivor."""
    states: dict[tuple[Place, Place], MatchState] = {
        (state.left, state.right): state for state in previous
    }
    for state in sorted(previous, key=lambda state: (state.left, state.right)):
        left, right = survivor(state.left, merged), survivor(state.right, merged)
        if (left, right) in states or state.status not in LIVE:
            continue
        states[left, right] = replace(
            state, match_id=match_id(tenant, pack, left, right), left=left, right=right
        )
    return list(states.values())


def still_rejected(verdict: Verdict, pair: ScoredPair) -> bool:
    """Whether a rejection still holds: both records name the companies they named then."""
    return (
        verdict.verdict == "reject"
        and verdict.left_identity in (None, pair.left_identity)
        and verdict.right_identity in (None, pair.right_identity)
    )
