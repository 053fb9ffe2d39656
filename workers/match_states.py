"""What is stored of a pair, made from its score and its assignment, and when that is news."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import orjson

from connectors.postgres.matches import OF_ASSIGNMENT, StoredPair
from streams.match.match_state import MatchState
from streams.match.scored_pair import ScoredPair

_JSON = orjson.OPT_SERIALIZE_NUMPY


@dataclass(frozen=True, slots=True)
class Standpoint:
    """What all pairs of a round have in common: whether they are provisional, encoder and weights."""

    provisional: bool
    model_version: str
    matcher_version: str

    def says(
        self,
        before: StoredPair,
        state: MatchState,
        pair: ScoredPair | None,
        known: ScoredPair | None,
    ) -> bool:
        """Whether the stored pair says the same already; `known` is how it was scored, if it lives."""
        return (
            before.status == state.status
            and before.live == (pair is not None)
            and before.reason == state.reason
            and before.decided_by == state.decided_by
            and before.confidence_method == state.method
            and before.confidence == _decimal(state.confidence, 4)
            and before.probability == _decimal(state.probability, 6)
            and before.rank_score == _decimal(state.rank_score, 6)
            and before.ambiguous == state.ambiguous
            and before.alternative == state.alternative
            and before.provisional == self.provisional
            and before.matcher_version == self.matcher_version
            and (pair == known or _as_stored(pair) == before.scored)
        )

    def stored(
        self,
        state: MatchState,
        pair: ScoredPair | None,
        before: StoredPair | None,
        committed_at: datetime | None,
    ) -> StoredPair:
        """The next version of a pair."""
        return StoredPair(
            left=state.left[1],
            right=state.right[1],
            match_id=state.match_id,
            version=(before.version if before else 0) + 1,
            status=state.status,
            confidence=_decimal(state.confidence, 4),
            confidence_method=state.method,
            probability=_decimal(state.probability, 6),
            rank_score=_decimal(state.rank_score, 6),
            ambiguous=state.ambiguous,
            provisional=self.provisional,
            alternative=state.alternative,
            live=pair is not None,
            evidence=_evidence(state, pair),
            state=state.to_json(),
            reason=state.reason,
            model_version=self.model_version,
            matcher_version=self.matcher_version,
            decided_by=state.decided_by,
            decided_at=datetime.fromisoformat(state.decided_at) if state.decided_at else None,
            source_committed_at=committed_at,
        )


def _evidence(state: MatchState, pair: ScoredPair | None) -> dict[str, Any]:
    scored = pair.to_json() if pair else {}
    return scored | {name: getattr(state, name) for name in OF_ASSIGNMENT}


def _decimal(value: float, places: int) -> Decimal:
    return Decimal(str(round(value, places)))


def _as_stored(pair: ScoredPair | None) -> Any:
    """The pair as it is read back: JSON turns tuples into lists."""
    return orjson.loads(orjson.dumps(pair.to_json(), option=_JSON)) if pair else None
