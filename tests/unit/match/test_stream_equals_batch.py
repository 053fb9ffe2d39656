"""Records one by one, in any order, with updates and deletes, end in what one batch finds.

The statistics are frozen, as in production. After every event the pairs of the changed record are
replaced and the assignment is made anew, as the worker does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.match.assignment import Assignment, assign
from streams.match.batch import SidePair
from streams.match.candidates import MemoryIndex, find_candidates
from streams.match.match_state import MatchState
from streams.match.prepared import PreparedRecord
from streams.match.records import MatchRecord
from streams.match.scored_pair import ScoredPair
from streams.match.scoring import Scorer, score_candidates
from streams.match.statistics import CorpusStatistics
from tests.unit.match.records_at_hand import shipped_model

_TITLES = ["Data lake", "Data lake phase 2", "Contact centre", "SAP migration", "Backup"]
_NAMES = ["Acme Water", "ACME WTR", "Acme Energy", "Borealis Foods Ltd", "Borealis"]
_FIELDS = st.fixed_dictionaries(
    {
        "company_name": st.sampled_from(_NAMES),
        "title": st.sampled_from(_TITLES),
        "website": st.sampled_from([None, "acme.example", "borealis.example"]),
        "expected_close": st.sampled_from([None, "2026-12-01", "2027-02-01"]),
        "expected_revenue": st.sampled_from([None, "1000", "12000"]),
        "partner_crm_id": st.sampled_from([None, "right-1"]),
    }
)
_EVENT = st.tuples(
    st.sampled_from(["left", "right"]), st.integers(0, 4), st.one_of(_FIELDS, st.none())
)


@dataclass
class Stream:
    """What a worker keeps: records with their keys, pairs, states."""

    statistics: CorpusStatistics
    index: MemoryIndex = field(default_factory=MemoryIndex)
    pairs: dict[tuple[str, str], ScoredPair] = field(default_factory=dict)
    states: tuple[MatchState, ...] = ()

    def take(self, side: str, record_id: str, record: MatchRecord | None) -> None:
        """One event: a record as it is now, or None where it is gone."""
        end = 0 if side == "left" else 1
        self.pairs = {key: pair for key, pair in self.pairs.items() if key[end] != record_id}
        if record is None:
            self.index.remove(side, record_id)
        else:
            self.index.put(record)
            other = "right" if side == "left" else "left"
            found = find_candidates(record, other, self.index, self.statistics)
            model = shipped_model()
            for pair in score_candidates(record, found, self.statistics, model, left_side="left"):
                self.pairs[pair.left_id, pair.right_id] = pair
        self.states = _assigned(list(self.pairs.values()), self.states).states


def _assigned(pairs: list[ScoredPair], previous: tuple[MatchState, ...] = ()) -> Assignment:
    return assign(pairs, [], previous, shipped_model(), tenant="home", pack="p")


def _batch(records: list[MatchRecord], statistics: CorpusStatistics) -> Assignment:
    left = [PreparedRecord.from_record(r) for r in records if r.side == "left"]
    right = [PreparedRecord.from_record(r) for r in records if r.side == "right"]
    sides = SidePair(left, right, statistics)
    scorer = Scorer(shipped_model(), "deal")
    pairs: list[ScoredPair] = []
    for part in sides.slices(5):
        table = sides.table(part)
        literal = scorer.literal_evidence(table, range(len(table)))
        pairs += scorer.kept_pairs(table, scorer.score(table), literal)
    return _assigned(pairs)


def _live(assignment: Assignment | tuple[MatchState, ...]) -> dict[Any, Any]:
    states = assignment.states if isinstance(assignment, Assignment) else assignment
    return {
        (state.left, state.right): (
            state.match_id,
            state.status,
            state.probability,
            state.confidence,
            state.ambiguous,
            state.alternative,
        )
        for state in states
        if state.status != "superseded"
    }


@settings(max_examples=60, deadline=None)
@given(st.lists(_EVENT, min_size=1, max_size=14), st.randoms(use_true_random=False))
def test_stream_in_any_order_equals_batch(
    events: list[tuple[str, int, dict[str, Any] | None]], random: Any
) -> None:
    history = [
        (
            side,
            f"{side}-{number}",
            None if fields is None else MatchRecord.from_fields(side, f"{side}-{number}", fields),
        )
        for side, number, fields in events
    ]
    final: dict[tuple[str, str], MatchRecord | None] = {}
    for side, record_id, record in history:
        final[side, record_id] = record
    records = [record for record in final.values() if record is not None]
    statistics = CorpusStatistics.build(records)
    batch = _batch(records, statistics)

    in_order = Stream(statistics)
    for side, record_id, record in history:
        in_order.take(side, record_id, record)
    assert _live(in_order.states) == _live(batch)

    shuffled = list(final.items())
    random.shuffle(shuffled)
    other_order = Stream(statistics)
    for (side, record_id), record in shuffled:
        other_order.take(side, record_id, record)
    assert _live(other_order.states) == _live(batch)
