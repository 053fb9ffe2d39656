"""Columns and types of a table as its rows show them."""

from __future__ import annotations

from streams.normalise.shape import ShapeChange, compared, fingerprint, shape_of, united


def test_a_shape_is_column_names_with_json_types() -> None:
    row = {"id": 1, "p": 1.5, "n": "x", "ok": True, "m": {}, "l": [], "empty": None}
    assert shape_of(row) == {
        "id": "number",
        "p": "number",
        "n": "text",
        "ok": "boolean",
        "m": "object",
        "l": "array",
        "empty": "unknown",
    }


def test_a_type_that_becomes_known_is_no_change_and_is_kept_when_unseen() -> None:
    known = united(shape_of({"id": 1, "n": None}), shape_of({"id": 1, "n": "x"}))
    assert known == {"id": "number", "n": "text"}
    assert united(known, shape_of({"id": 2, "n": None})) == known
    assert compared(shape_of({"id": 1, "n": None}), known) == ShapeChange((), (), ())


def test_added_removed_and_retyped_columns_are_told() -> None:
    before, after = shape_of({"id": 1, "a": "x", "b": 1}), shape_of({"id": "1", "b": 1, "c": None})
    assert compared(before, after) == ShapeChange(("c",), ("a",), ("id",))


def test_a_fingerprint_depends_on_the_names_alone() -> None:
    assert fingerprint(["b", "a"]) == fingerprint(("a", "b"))
    assert fingerprint(["a"]) != fingerprint(["a", "b"])
