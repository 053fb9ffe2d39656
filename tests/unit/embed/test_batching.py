"""Which waiting texts form a batch (EMB-5): count, padded tokens, deadline, and no starvation."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.embed.batching import (
    Batch,
    BatchingPolicy,
    WaitingText,
    WaitUntil,
    estimated_tokens,
    next_batch,
)

POLICY = BatchingPolicy(most_texts=4, token_budget=100, linger_seconds=0.05)


def queue(*tokens: int, since: float = 10.0) -> list[WaitingText]:
    return [WaitingText(count, since + place / 1000) for place, count in enumerate(tokens)]


def test_nothing_waiting_waits_for_no_moment() -> None:
    assert next_batch([], 10.0, POLICY) == WaitUntil(None)


def test_batch_waits_to_fill_up_until_its_oldest_text_has_lingered() -> None:
    texts = queue(5, 5)
    assert next_batch(texts, 10.02, POLICY) == WaitUntil(pytest.approx(10.05))
    assert next_batch(texts, 10.05, POLICY) == Batch((0, 1))


def test_full_count_goes_at_once_and_leaves_the_youngest() -> None:
    assert next_batch(queue(5, 5, 5, 5, 5), 10.0, POLICY) == Batch((0, 1, 2, 3))


def test_members_come_shortest_first() -> None:
    assert next_batch(queue(9, 3, 6, 1), 10.0, POLICY) == Batch((3, 1, 2, 0))


def test_padded_tokens_bound_the_batch_not_their_sum() -> None:
    # 60 + 30 fit by sum; padded to the longest they cost 120.
    assert next_batch(queue(60, 30), 10.0, POLICY) == Batch((0,))


def test_text_that_finds_no_room_lets_shorter_ones_pass_but_not_the_oldest() -> None:
    assert next_batch(queue(30, 90, 30, 30), 10.0, POLICY) == Batch((0, 2, 3))
    assert next_batch(queue(90, 30, 30), 10.0, POLICY) == Batch((0,))


def test_text_over_the_budget_is_a_batch_by_itself_at_once() -> None:
    assert next_batch(queue(8192, 1), 10.0, POLICY) == Batch((0,))


def test_estimated_tokens_are_bounded_by_what_the_encoder_reads() -> None:
    assert estimated_tokens("", 256) == 2
    assert estimated_tokens("x" * 30, 256) == 12
    assert estimated_tokens("x" * 10_000, 256) == 256


@given(
    st.lists(st.tuples(st.integers(1, 150), st.floats(0, 5)), min_size=1, max_size=40),
    st.floats(0, 10),
)
def test_batches_keep_their_bounds_hold_the_oldest_and_empty_the_queue(
    texts: list[tuple[int, float]], now: float
) -> None:
    waiting = [WaitingText(tokens, since) for tokens, since in texts]
    verdict = next_batch(waiting, now, POLICY)
    if isinstance(verdict, WaitUntil):
        assert verdict.moment is not None
        assert verdict.moment > now
    rounds = 0
    while waiting:
        batch = next_batch(waiting, 100.0, POLICY)
        assert isinstance(batch, Batch)
        members = [waiting[index] for index in batch.members]
        assert 1 <= len(members) <= POLICY.most_texts
        longest = max(member.tokens for member in members)
        assert len(members) == 1 or len(members) * longest <= POLICY.token_budget
        assert min(text.waiting_since for text in waiting) in {
            member.waiting_since for member in members
        }
        waiting = [text for place, text in enumerate(waiting) if place not in set(batch.members)]
        rounds += 1
    assert rounds <= len(texts)
