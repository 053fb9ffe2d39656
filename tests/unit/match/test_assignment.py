"""Assignment: one-to-one, ambiguity, verdicts that last, merges, changes (MATCH-8 to MATCH-11)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from streams.match.assignment import Assignment, assign, connected_components, match_id
from streams.match.candidates import MemoryIndex, find_candidates
from streams.match.match_state import MatchState, Verdict
from streams.match.records import MatchRecord
from streams.match.scored_pair import Place, ScoredPair
from streams.match.scoring import score_candidates
from streams.match.statistics import CorpusStatistics
from tests.unit.match.records_at_hand import deal, shipped_model


def _pairs(lefts: Sequence[MatchRecord], rights: Sequence[MatchRecord]) -> list[ScoredPair]:
    index, statistics = MemoryIndex(rights), CorpusStatistics.build([*lefts, *rights])
    return [
        pair
        for left in lefts
        for pair in score_candidates(
            left,
            find_candidates(left, "right", index, statistics),
            statistics,
            shipped_model(),
            left_side="left",
        )
    ]


def _assign(
    pairs: Sequence[ScoredPair],
    verdicts: Sequence[Verdict] = (),
    previous: Sequence[MatchState] = (),
    merged: Mapping[Place, Place] | None = None,
) -> Assignment:
    return assign(
        pairs, verdicts, previous, shipped_model(), tenant="home", pack="p", merged=merged
    )


def _status(assignment: Assignment) -> dict[tuple[str, str], str]:
    return {(state.left[1], state.right[1]): state.status for state in assignment.states}


def _deal(side: str, record_id: str, title: str, **fields: Any) -> MatchRecord:
    return deal(side, record_id, "Acme Water", title, website="acme.example", **fields)


LAKE = _deal("left", "1", "Data lake for metering")
PHONES = _deal("left", "2", "Contact centre", expected_close="2027-03-01")
R_LAKE = _deal("right", "a", "Data lake for metering")
R_PHONES = _deal("right", "b", "Contact centre", expected_close="2027-03-02")


def _verdict(kind: Any, left: str, right: str, at: str = "1", **identities: str) -> Verdict:
    return Verdict(("left", left), ("right", right), kind, "jo", at, "because", **identities)


def test_each_deal_is_assigned_to_its_own_and_the_rest_are_alternatives() -> None:
    assignment = _assign(_pairs([LAKE, PHONES], [R_LAKE, R_PHONES]))
    found = _status(assignment)
    assert found["1", "a"] == found["2", "b"] == "auto"
    assert found["1", "b"] == found["2", "a"] == "candidate"
    other = assignment.state_of(("left", "1"), ("right", "b"))
    assert other is not None
    assert other.alternative
    assert other.contradicted
    assert assignment.unmatched == ()


def test_assignment_does_not_depend_on_the_order_of_pairs() -> None:
    pairs = _pairs([LAKE, PHONES], [R_LAKE, R_PHONES])
    assert _assign(pairs[::-1]) == _assign(pairs)


def test_two_candidates_as_good_as_each_other_are_ambiguous() -> None:
    twin = _deal("right", "c", "Data lake for metering")
    assignment = _assign(_pairs([LAKE], [R_LAKE, twin]))
    assert {state.ambiguous for state in assignment.states} == {True}
    assert set(_status(assignment).values()) == {"candidate"}


def test_a_confirmation_settles_an_ambiguity_and_lasts() -> None:
    twin = _deal("right", "c", "Data lake for metering")
    pairs = _pairs([LAKE], [R_LAKE, twin])
    first = _assign(pairs, [_verdict("confirm", "1", "c")])
    assert _status(first) == {("1", "c"): "confirmed", ("1", "a"): "superseded"}
    again = _assign(pairs, [_verdict("confirm", "1", "c")], first.states)
    assert _status(again) == _status(first)
    assert again.changes == ()
    gone = _assign([], [_verdict("confirm", "1", "c")], again.states)
    assert _status(gone)["1", "c"] == "confirmed"


def test_a_rejection_frees_the_next_and_lasts_while_the_companies_stay_named_so() -> None:
    twin = _deal("right", "c", "Data lake for metering")
    pairs = _pairs([LAKE], [R_LAKE, twin])
    identities = {
        "left_identity": pairs[0].left_identity,
        "right_identity": pairs[0].right_identity,
    }
    verdict = _verdict("reject", "1", "a", **identities)
    found = _status(_assign(pairs, [verdict]))
    assert found == {("1", "a"): "rejected", ("1", "c"): "auto"}
    renamed = deal("right", "a", "Acme Water Works", LAKE.title or "", website="acme.example")
    found = _status(_assign(_pairs([LAKE], [renamed, twin]), [verdict]))
    assert found["1", "a"] != "rejected"


def test_the_last_verdict_counts_and_can_be_taken_back() -> None:
    pairs = _pairs([LAKE], [R_LAKE])
    said = [_verdict("reject", "1", "a", "1"), _verdict("confirm", "1", "a", "2")]
    assert _status(_assign(pairs, said))["1", "a"] == "confirmed"
    assert _status(_assign(pairs, said[::-1]))["1", "a"] == "confirmed"
    said.append(_verdict("withdraw", "1", "a", "3"))
    assert _status(_assign(pairs, said))["1", "a"] == "auto"


def test_changes_tell_created_changed_superseded_and_withdrawn() -> None:
    first = _assign(_pairs([LAKE], [R_LAKE]))
    assert [change.kind for change in first.changes] == ["created"]
    same = _assign(_pairs([LAKE], [R_LAKE]), previous=first.states)
    assert same.changes == ()
    later = _deal("right", "a", "Data lake for metering", expected_close="2026-12-20")
    moved = _assign(_pairs([LAKE], [later]), previous=first.states)
    assert [change.kind for change in moved.changes] == ["changed"]
    gone = _assign([], previous=first.states)
    assert [(c.kind, c.after.status) for c in gone.changes] == [("withdrawn", "superseded")]
    beaten = _assign(
        _pairs([LAKE], [R_LAKE, R_PHONES]), [_verdict("confirm", "1", "b")], first.states
    )
    assert ("superseded", "a") in {(c.kind, c.after.right[1]) for c in beaten.changes}


def test_a_merge_passes_the_confirmed_match_to_the_survivor() -> None:
    first = _assign(_pairs([LAKE], [R_LAKE]), [_verdict("confirm", "1", "a")])
    survivor = _deal("left", "7", "Lake of meters")
    merged = {("left", "1"): ("left", "7")}
    after = _assign(
        _pairs([survivor], [R_LAKE]), [_verdict("confirm", "1", "a")], first.states, merged
    )
    assert _status(after)["7", "a"] == "confirmed"
    assert _status(after)["1", "a"] == "superseded"
    assert after.state_of(("left", "7"), ("right", "a")).match_id == match_id(  # type: ignore[union-attr]
        "home", "p", ("left", "7"), ("right", "a")
    )


def test_match_ids_are_stable_and_tell_tenants_apart() -> None:
    left, right = ("left", "1"), ("right", "a")
    assert match_id("home", "p", left, right) == match_id("home", "p", left, right)
    assert match_id("home", "p", left, right) != match_id("second", "p", left, right)
    assert match_id("home", "p", left, right) != match_id("home", "p", right, left)


def test_connected_components_group_what_must_be_locked_together() -> None:
    pairs = [(("l", "1"), ("r", "a")), (("l", "2"), ("r", "a")), (("l", "3"), ("r", "b"))]
    assert connected_components(pairs) == [
        frozenset({("l", "1"), ("l", "2"), ("r", "a")}),
        frozenset({("l", "3"), ("r", "b")}),
    ]


def test_match_state_survives_json() -> None:
    for state in _assign(_pairs([LAKE, PHONES], [R_LAKE])).states:
        assert MatchState.from_json(state.to_json()) == state
