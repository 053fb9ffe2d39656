"""Who is matched with whom: one-to-one, with verdicts, ambiguity, bands and stable ids (MATCH-8..11).

`assign` is a pure function of the scored pairs, the verdicts of people and the states before; the
order of its inputs does not matter. It must see all live pairs of a connected component
(`connected_components`), which the caller locks together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from streams.match.match_state import (
    GONE,
    LIVE,
    ChangeKind,
    MatchChange,
    MatchState,
    Status,
    Verdict,
    last_verdicts,
    match_id,
    moved,
    still_rejected,
)
from streams.match.model import MatcherModel
from streams.match.scored_pair import Place, ScoredPair
from streams.match.scoring import settle_rivals

# Near certainty probabilities differ by little whatever the evidence: the log-odds must tie too.
_TIED_LOG_ODDS = 0.5

__all__ = [
    "Assignment",
    "AssignmentPolicy",
    "MatchChange",
    "MatchState",
    "Verdict",
    "assign",
    "connected_components",
    "match_id",
]


@dataclass(frozen=True, slots=True)
class AssignmentPolicy:
    """When a pair is assigned without a person.

    `tie_margin`: two candidates whose probabilities (each by itself) differ by less are ambiguous
    (MATCH-8). `automatic_probability` None takes the model's own band.
    """

    tie_margin: float = 0.02
    contradiction_below: float = 0.5
    automatic_probability: float | None = None


@dataclass(frozen=True, slots=True)
class Assignment:
    """The states of all pairs (best first per left record), what changed, and who has no match."""

    states: tuple[MatchState, ...]
    changes: tuple[MatchChange, ...]
    unmatched: tuple[Place, ...]
    pairs: tuple[ScoredPair, ...]

    def state_of(self, left: Place, right: Place) -> MatchState | None:
        """The state of one pair, or None."""
        return next((s for s in self.states if s.left == left and s.right == right), None)


def assign(
    pairs: Sequence[ScoredPair],
    verdicts: Sequence[Verdict],
    previous: Sequence[MatchState],
    model: MatcherModel,
    *,
    tenant: str,
    pack: str,
    policy: AssignmentPolicy | None = None,
    merged: Mapping[Place, Place] | None = None,
) -> Assignment:
    """The assignment of all live pairs of one or more connected components.

    `merged` maps a record that was merged away to its survivor: verdicts and earlier matches on
    the first hold for the second. States of `previous` whose pair is no longer scored end as
    superseded; confirmed and rejected ones stay.
    """
    policy = policy or AssignmentPolicy()
    spoken = last_verdicts(verdicts, merged or {})
    earlier = {_pair(state): state for state in moved(previous, merged or {}, tenant, pack)}
    confirmed, rejected, open_pairs = _sorted_by_verdict(pairs, spoken)
    taken = {place for left, right in confirmed for place in (left, right)}
    contested = [pair for pair in open_pairs if pair.left not in taken and pair.right not in taken]
    rest = [pair for pair in open_pairs if pair.left in taken or pair.right in taken]
    settled = settle_rivals(contested, model)
    states = [
        *_confirmed_states(confirmed, spoken, pairs, tenant, pack),
        *(_state(p, "rejected", tenant, pack, spoken[p.left, p.right]) for p in rejected),
        *_assigned(settled, model, policy, tenant, pack),
        *(_beaten(pair, tenant, pack) for pair in settle_rivals(rest, model)),
    ]
    states += _ended([earlier[key] for key in sorted(earlier)], {_pair(s) for s in states})
    ranked = _ranked(states)
    live = {place for s in ranked if s.status in LIVE for place in (s.left, s.right)}
    known = {place for pair in pairs for place in (pair.left, pair.right)}
    return Assignment(
        tuple(ranked),
        tuple(_changes(ranked, earlier)),
        tuple(sorted(known - live)),
        tuple([*settled, *rest]),
    )


def connected_components(
    pairs: Iterable[tuple[Place, Place]],
) -> list[frozenset[Place]]:
    """The records that must be assigned under one lock: those joined by live pairs, sorted."""
    parent: dict[Place, Place] = {}

    def root(place: Place) -> Place:
        parent.setdefault(place, place)
        while parent[place] != place:
            parent[place] = parent[parent[place]]
            place = parent[place]
        return place

    for left, right in pairs:
        first, second = sorted((root(left), root(right)))
        parent[second] = first
    groups: dict[Place, set[Place]] = {}
    for place in list(parent):
        groups.setdefault(root(place), set()).add(place)
    return [frozenset(groups[name]) for name in sorted(groups)]


def _pair(state: MatchState) -> tuple[Place, Place]:
    return state.left, state.right


def _sorted_by_verdict(
    pairs: Sequence[ScoredPair], spoken: Mapping[tuple[Place, Place], Verdict]
) -> tuple[list[tuple[Place, Place]], list[ScoredPair], list[ScoredPair]]:
    """(confirmed pairs of places, rejected pairs, open pairs)."""
    confirmed = sorted(key for key, verdict in spoken.items() if verdict.verdict == "confirm")
    rejected: list[ScoredPair] = []
    open_pairs: list[ScoredPair] = []
    for pair in pairs:
        verdict = spoken.get((pair.left, pair.right))
        if verdict is not None and verdict.verdict == "confirm":
            continue
        if verdict is not None and still_rejected(verdict, pair):
            rejected.append(pair)
        else:
            open_pairs.append(pair)
    return confirmed, rejected, open_pairs


def _confirmed_states(
    confirmed: Sequence[tuple[Place, Place]],
    spoken: Mapping[tuple[Place, Place], Verdict],
    pairs: Sequence[ScoredPair],
    tenant: str,
    pack: str,
) -> list[MatchState]:
    scored = {(pair.left, pair.right): pair for pair in pairs}
    states: list[MatchState] = []
    for left, right in confirmed:
        verdict, pair = spoken[left, right], scored.get((left, right))
        states.append(
            MatchState(
                match_id=match_id(tenant, pack, left, right),
                left=left,
                right=right,
                status="confirmed",
                confidence=1.0,
                method="confirmed",
                band="high",
                probability=pair.probability if pair else 1.0,
                company_probability=pair.company_probability if pair else 1.0,
                deal_probability=pair.deal_probability if pair else None,
                rank_score=pair.literal.rank_score if pair else 0.0,
                rank=0,
                ambiguous=False,
                contradicted=False,
                alternative=False,
                reason=f"confirmed by {verdict.decided_by}: {verdict.reason}".rstrip(": "),
                decided_by=verdict.decided_by,
                decided_at=verdict.decided_at,
                model_version=pair.model_version if pair else "",
                statistics_version=pair.statistics_version if pair else "",
            )
        )
    return states


def _state(
    pair: ScoredPair,
    status: Status,
    tenant: str,
    pack: str,
    verdict: Verdict | None = None,
    *,
    ambiguous: bool = False,
    contradicted: bool = False,
    alternative: bool = False,
    reason: str | None = None,
) -> MatchState:
    if verdict is not None:
        reason = f"rejected by {verdict.decided_by}: {verdict.reason}".rstrip(": ")
    return MatchState(
        match_id=match_id(tenant, pack, pair.left, pair.right),
        left=pair.left,
        right=pair.right,
        status=status,
        confidence=pair.literal.confidence,
        method=pair.literal.method,
        band=pair.literal.band,
        probability=pair.probability,
        company_probability=pair.company_probability,
        deal_probability=pair.deal_probability,
        rank_score=pair.literal.rank_score,
        rank=0,
        ambiguous=ambiguous,
        contradicted=contradicted,
        alternative=alternative,
        reason=reason if reason is not None else pair.reason,
        decided_by=verdict.decided_by if verdict else None,
        decided_at=verdict.decided_at if verdict else None,
        model_version=pair.model_version,
        statistics_version=pair.statistics_version,
    )


def _order(pair: ScoredPair) -> tuple[Any, ...]:
    """MATCH-8's order, with the probability before the rank score (AM-15)."""
    apart = pair.close_days_apart
    return (
        not pair.literal.identifier,
        -pair.probability,
        -pair.literal.rank_score,
        apart if apart is not None else 10**6,
        pair.oldest_created or "9999",
        pair.left,
        pair.right,
    )


def _assigned(
    pairs: Sequence[ScoredPair],
    model: MatcherModel,
    policy: AssignmentPolicy,
    tenant: str,
    pack: str,
) -> list[MatchState]:
    automatic = policy.automatic_probability
    least = model.bands.automatic if automatic is None else automatic
    taken: set[Place] = set()
    led: set[Place] = set()
    states: list[MatchState] = []
    for pair in sorted(pairs, key=_order):
        ambiguous = _is_ambiguous(pair, policy)
        high = pair.literal.band == "high"
        contradicted = high and pair.probability < policy.contradiction_below
        free = pair.left not in taken and pair.right not in taken
        status: Status = "candidate" if pair.literal.band != "none" else "unmatched"
        if high and free and not ambiguous and pair.probability >= least:
            status = "auto"
            taken.update((pair.left, pair.right))
        alternative = status == "candidate" and (
            not free or (pair.left in led and pair.right in led)
        )
        led.update((pair.left, pair.right))
        states.append(
            _state(
                pair,
                status,
                tenant,
                pack,
                ambiguous=ambiguous,
                contradicted=contradicted,
                alternative=alternative,
            )
        )
    return states


def _is_ambiguous(pair: ScoredPair, policy: AssignmentPolicy) -> bool:
    """Whether a rival is so near that a person must choose (never for an identifier, MATCH-8)."""
    if pair.literal.identifier:
        return False
    return any(
        rival.probability >= 0.5
        and abs(pair.by_itself - rival.probability) < policy.tie_margin
        and abs(rival.margin) < _TIED_LOG_ODDS
        for rival in (pair.left_rival, pair.right_rival)
        if rival
    )


def _beaten(pair: ScoredPair, tenant: str, pack: str) -> MatchState:
    """An alternative of a record that a person matched with another (MATCH-9): shown, not live."""
    return _state(
        pair, "superseded", tenant, pack, reason="one of the two is confirmed with another"
    )


def _ended(earlier: Sequence[MatchState], present: set[tuple[Place, Place]]) -> list[MatchState]:
    """Earlier states of pairs that are no longer scored."""
    ended: list[MatchState] = []
    for state in earlier:
        if _pair(state) in present:
            continue
        if state.status in LIVE or state.status == "unmatched":
            ended.append(
                replace(state, status="superseded", reason=GONE, ambiguous=False, alternative=False)
            )
        else:
            ended.append(state)
    return ended


def _ranked(states: Sequence[MatchState]) -> list[MatchState]:
    """The states ordered by left record, best first, with their rank among its live ones."""
    ordered = sorted(
        states,
        key=lambda s: (
            s.left,
            s.status not in LIVE,
            s.status == "candidate",
            -s.probability,
            s.right,
        ),
    )
    ranked: list[MatchState] = []
    count: dict[Place, int] = {}
    for state in ordered:
        count[state.left] = count.get(state.left, 0) + 1
        ranked.append(replace(state, rank=count[state.left]))
    return ranked


def _changes(
    states: Sequence[MatchState], earlier: Mapping[tuple[Place, Place], MatchState]
) -> Iterable[MatchChange]:
    for state in states:
        before = earlier.get(_pair(state))
        was_live = before is not None and before.status in LIVE
        if state.status in LIVE:
            if not was_live:
                yield MatchChange("created", before, state)
            elif before is not None and _differs(before, state):
                yield MatchChange("changed", before, state)
        elif was_live:
            kind: ChangeKind = "withdrawn" if state.status == "rejected" else "superseded"
            if state.status == "unmatched" or state.reason == GONE:
                kind = "withdrawn"
            yield MatchChange(kind, before, state)


def _differs(before: MatchState, after: MatchState) -> bool:
    return replace(before, rank=0, reason="") != replace(after, rank=0, reason="")
