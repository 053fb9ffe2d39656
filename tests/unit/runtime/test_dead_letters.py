"""What a dead letter says, and when too many of them stop a worker."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.results import DONE, Outcome, Rejected
from workers.dead_letter_office import DeadLetter
from workers.runtime.dead_letters import (
    DeadLetterLimit,
    Failed,
    TooManyDeadLetters,
    dead_letter,
    without_value,
)
from workers.runtime.processor import Incoming

REJECTED = Rejected("wrong_type", "amount", "a text, not a number")
headers = st.lists(
    st.tuples(
        st.text(max_size=8).filter(lambda name: not name.startswith("dlq.")),
        st.none() | st.binary(max_size=8),
    )
)


def incoming(**changes: object) -> Incoming:
    fields = {"topic": "cdc.a.b", "partition": 3, "offset": 42, "key": b"k", "value": b"v"}
    return Incoming(**(fields | changes))  # type: ignore[arg-type]


def received(record: Incoming, why: Rejected = REJECTED, at: str = "now") -> DeadLetter:
    """The dead letter of a record as the office reads it from its topic."""
    sent = dead_letter("match", record, why, at)
    return DeadLetter("match", 0, 7, sent.key, sent.value, sent.headers, replayed=False)


def test_dead_letter_says_why_and_where() -> None:
    letter = received(incoming())
    names = (
        "reason",
        "field",
        "detail",
        "topic",
        "partition",
        "offset",
        "attempts",
        "worker",
        "at",
    )
    said = {name: letter.about(name) for name in names}
    assert said == {
        "reason": "wrong_type",
        "field": "amount",
        "detail": "a text, not a number",
        "topic": "cdc.a.b",
        "partition": "3",
        "offset": "42",
        "attempts": "1",
        "worker": "match",
        "at": "now",
    }


def test_dead_letter_of_an_exception_carries_its_trace() -> None:
    assert (
        received(incoming(), Failed("unexpected_error", None, "x", "line 1")).about("trace")
        == "line 1"
    )


@given(
    key=st.none() | st.binary(max_size=8), value=st.none() | st.binary(max_size=8), headers=headers
)
def test_original_is_the_record_byte_for_byte(
    key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes | None]]
) -> None:
    original = received(incoming(key=key, value=value, headers=tuple(headers))).original()
    assert original.value == value
    assert original.key == (b"" if key is None and value is None else key)
    assert original.headers[: len(headers)] == tuple(headers)
    assert all(name.startswith("dlq.") for name, _ in original.headers[len(headers) :])
    assert original.topic == "cdc.a.b"


def test_original_without_a_key_returns_to_its_partition() -> None:
    assert received(incoming(key=None)).original().partition == 3
    assert received(incoming(key=b"k")).original().partition is None


def test_attempts_are_counted_over_replays() -> None:
    first = received(incoming(), at="monday").original()
    second = received(incoming(headers=first.headers), at="tuesday")
    assert (second.about("attempts"), second.about("first_at"), second.about("at")) == (
        "2",
        "monday",
        "tuesday",
    )


@pytest.mark.parametrize("nonsense", [b"many", b"-1", b"", None, b"\xff"])
def test_a_foreign_count_of_attempts_is_no_obstacle(nonsense: bytes | None) -> None:
    assert received(incoming(headers=(("dlq.attempts", nonsense),))).about("attempts") == "1"


def test_a_letter_too_large_says_so_and_cannot_be_replayed() -> None:
    sent = without_value(dead_letter("match", incoming(value=b"x" * 100), REJECTED, "now"))
    letter = DeadLetter("match", 0, 7, sent.key, sent.value, sent.headers, replayed=False)
    assert (letter.value, letter.about("cut"), letter.replayable) == (None, "100", False)
    assert received(incoming()).replayable


def outcomes(rejected: int, done: int) -> list[Outcome]:
    return [REJECTED] * rejected + [DONE] * done


def test_limit_stops_a_worker_that_rejects_nearly_everything() -> None:
    limit = DeadLetterLimit(window=10, share=0.5)
    with pytest.raises(TooManyDeadLetters, match="6 of the last 10"):
        limit.note(outcomes(6, 4))


def test_limit_lets_half_pass() -> None:
    DeadLetterLimit(window=10, share=0.5).note(outcomes(5, 5))


def test_limit_does_not_judge_a_handful_at_the_start() -> None:
    DeadLetterLimit(window=10, share=0.5).note(outcomes(9, 0))


def test_limit_forgets_what_is_long_past() -> None:
    limit = DeadLetterLimit(window=10, share=0.5)
    limit.note(outcomes(5, 5))
    limit.note(outcomes(0, 10))
    limit.note(outcomes(5, 0))


def test_limit_sees_a_fault_that_comes_later() -> None:
    limit = DeadLetterLimit(window=10, share=0.5)
    limit.note(outcomes(0, 100))
    with pytest.raises(TooManyDeadLetters):
        limit.note(outcomes(6, 0))
