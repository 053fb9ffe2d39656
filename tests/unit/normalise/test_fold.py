"""Folding of changes: positions, placeholders, deletions, truncates, changed keys."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas.cdc import UNAVAILABLE, Change, SourcePosition
from streams.normalise.conditions import compiled_condition
from streams.normalise.fold import HANDED_OVER, Move, RawRow, folded, handed_over, related_rows
from streams.normalise.plan import TrackedColumn

AT = datetime(2026, 1, 1, tzinfo=UTC)


def change(
    operation: str,
    value: int,
    image: dict[str, Any] | None = None,
    *,
    epoch: int = 1,
    key: str = '{"id":1}',
    old_key: str | None = None,
    new_key: str | None = None,
) -> Change:
    return Change(
        "home", "crm.deal", key, operation, image, SourcePosition(epoch, value), AT,
        old_key=old_key, new_key=new_key,
    )  # fmt: skip


def state(*changes: Change, before: RawRow | None = None) -> RawRow | None:
    result = folded(before, changes)
    return result.after if result else before


def test_the_placeholder_never_overwrites_a_value() -> None:
    row = state(
        change("c", 1, {"id": 1, "text": "long", "n": 1}),
        change("u", 2, {"id": 1, "text": UNAVAILABLE, "n": 2}),
        change("u", 3, {"id": 1, "text": UNAVAILABLE, "n": 3}),
    )
    assert row is not None
    assert row.image == {"id": 1, "text": "long", "n": 3}
    assert row.pending == frozenset()


def test_a_value_never_seen_is_pending_and_absent() -> None:
    row = state(change("u", 2, {"id": 1, "text": UNAVAILABLE}))
    assert row is not None
    assert (row.image, row.pending) == ({"id": 1}, frozenset({"text"}))
    row = state(change("u", 3, {"id": 1, "text": "now"}), before=row)
    assert row is not None
    assert (row.image, row.pending) == ({"id": 1, "text": "now"}, frozenset())


def test_older_changes_are_dropped_and_equal_ones_applied_again() -> None:
    row = state(change("c", 5, {"id": 1, "n": 5}))
    assert folded(row, [change("u", 4, {"id": 1, "n": 4})]) is None
    again = folded(row, [change("c", 5, {"id": 1, "n": 5})])
    assert again is not None
    assert again.again is True
    assert again.changed is False


def test_a_later_epoch_beats_any_value() -> None:
    row = state(change("c", 900, {"id": 1, "n": 1}))
    assert folded(row, [change("r", 0, {"id": 1, "n": 2}, epoch=2)]) is not None
    row = state(change("r", 0, {"id": 1, "n": 2}, epoch=2))
    assert folded(row, [change("u", 901, {"id": 1, "n": 3})]) is None


def test_a_deletion_keeps_the_last_image_and_a_row_may_come_again() -> None:
    row = state(change("c", 1, {"id": 1, "n": 1}), change("d", 2))
    assert row is not None
    assert (row.deleted, row.image) == (True, {"id": 1, "n": 1})
    row = state(change("c", 3, {"id": 1, "n": 2}), before=row)
    assert row is not None
    assert (row.deleted, row.image) == (False, {"id": 1, "n": 2})


def test_the_deletion_of_a_row_never_seen_knows_its_key() -> None:
    row = state(change("d", 2))
    assert row is not None
    assert (row.deleted, row.image) == (True, {"id": 1})


def test_a_truncate_deletes_only_rows_that_are_older() -> None:
    for value, deleted in ((9, True), (10, False), (11, False)):
        result = folded(None, [change("c", value, {"id": 1})], SourcePosition(1, 10))
        assert result is not None
        assert result.after.deleted is deleted


def test_moves_of_a_tracked_column_are_told_where_its_conditions_hold() -> None:
    tracked = [TrackedColumn("res_id", (("model", compiled_condition("crm.lead")),))]
    images = [{"model": "crm.lead", "res_id": n} for n in (5, 5, 6, 7)]
    result = folded(None, [change("u", n, image) for n, image in enumerate(images)], None, tracked)
    assert result is not None
    assert result.moves == (Move("res_id", "5", "6"), Move("res_id", "6", "7"))
    other = [change("u", n, {"model": "x", "res_id": n}) for n in (1, 2)]
    result = folded(None, other, None, tracked)
    assert result is not None
    assert result.moves == ()


def moved(value: int, text: str = UNAVAILABLE) -> tuple[Change, Change]:
    """The halves of a change of key 1 to 2."""
    return (
        change("d", value, new_key='{"id":2}'),
        change("c", value, {"id": 2, "text": text}, key='{"id":2}', old_key='{"id":1}'),
    )


def test_both_halves_of_a_changed_key_are_related() -> None:
    gone, created = moved(3)
    assert [row.key for row in related_rows(gone)] == ['{"id":1}', '{"id":2}']
    assert [row.key for row in related_rows(created)] == ['{"id":2}']


def test_the_new_key_takes_the_long_text_whichever_half_comes_first() -> None:
    gone, created = moved(3)
    old = folded(state(change("c", 1, {"id": 1, "text": "long"})), [gone])
    assert old is not None
    (left,) = old.left
    # The old row first: its image waits under the new key.
    waiting = handed_over(None, '{"id":1}', left)
    assert waiting is not None
    assert (waiting.operation, waiting.deleted) == (HANDED_OVER, True)
    row = state(created, before=waiting)
    assert row is not None
    assert (row.image, row.deleted, row.pending) == ({"id": 2, "text": "long"}, False, frozenset())
    # The new row first: the column is pending until the old row's deletion comes.
    early = state(created)
    assert early is not None
    assert early.pending == {"text"}
    filled = handed_over(early, '{"id":1}', left)
    assert filled is not None
    assert (filled.image, filled.pending) == ({"id": 2, "text": "long"}, frozenset())
    assert handed_over(filled, '{"id":1}', left) is None


def test_an_earlier_life_of_the_new_key_gives_no_text() -> None:
    gone, created = moved(9)
    earlier = state(
        change("c", 1, {"id": 2, "text": "of another life"}, key='{"id":2}'),
        change("d", 2, key='{"id":2}'),
    )
    row = state(created, before=earlier)
    assert row is not None
    assert row.pending == {"text"}
    old = folded(state(change("c", 1, {"id": 1, "text": "long"})), [gone])
    assert old is not None
    waiting = handed_over(earlier, '{"id":1}', old.left[0])
    row = state(created, before=waiting)
    assert row is not None
    assert row.image["text"] == "long"


CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["c", "u", "u", "u", "d"]),
        st.sampled_from(["x", "y", UNAVAILABLE]),
        st.integers(0, 3),
    ),
    min_size=1,
    max_size=8,
)


def history(drawn: list[tuple[str, str, int]]) -> list[Change]:
    """A history that a source could have: created before updated, whole texts when created."""
    changes: list[Change] = []
    alive = False
    for position, (operation, text, number) in enumerate(drawn, start=1):
        if operation == "d" and alive:
            changes.append(change("d", position))
            alive = False
        elif alive:
            changes.append(change("u", position, {"id": 1, "text": text, "n": number}))
        else:
            whole = "new" if text == UNAVAILABLE else text
            changes.append(change("c", position, {"id": 1, "text": whole, "n": number}))
            alive = True
    return changes


@given(CHANGES, st.lists(st.integers(0, 8), max_size=4), st.lists(st.integers(0, 8), max_size=3))
def test_batches_and_redelivery_do_not_change_where_a_row_ends(
    drawn: list[tuple[str, str, int]], cuts: list[int], again: list[int]
) -> None:
    changes = history(drawn)
    expected = state(*changes)
    row: RawRow | None = None
    edges = sorted({0, len(changes), *(cut for cut in cuts if cut < len(changes))})
    for start, end in itertools.pairwise(edges):
        row = state(*changes[start:end], before=row)
        for back in again:  # a crash before the commit of offsets: some changes come again
            row = state(*changes[max(0, end - back) : end], before=row)
    assert row == expected
    assert expected is not None
    assert expected.pending == frozenset()


@given(CHANGES, st.randoms(use_true_random=False))
def test_whole_images_in_any_order_end_at_the_newest(
    drawn: list[tuple[str, str, int]], chance: Any
) -> None:
    """What a replay of dead letters does: an old row cannot undo a newer one."""
    changes = [
        one
        for one in history([(op, "x" if text == UNAVAILABLE else text, n) for op, text, n in drawn])
    ]
    shuffled = list(changes)
    chance.shuffle(shuffled)
    row: RawRow | None = None
    for one in shuffled:
        row = state(one, before=row)
    expected = state(*changes)
    assert row is not None
    assert expected is not None
    assert (row.deleted, row.position) == (expected.deleted, expected.position)
    if not expected.deleted:
        assert row.image == expected.image
