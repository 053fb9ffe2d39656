"""PostgreSQL's texts as Debezium's JSON: the expected values were read from Debezium 3.7's own records."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.poller.rendering import KeyRenderer, RowRenderer, render_of
from connectors.postgres.source import SourceColumn, SourceTable, _fields
from schemas.cdc import canonical_key

CASES: list[tuple[str, str, Any]] = [
    ("int4", "-7", -7),
    ("int8", "9007199254740993", 9007199254740993),
    ("oid", "12", 12),
    ("bool", "t", True),
    ("bool", "f", False),
    ("numeric", "12345.67890", "12345.67890"),
    ("numeric", "NaN", "NAN"),
    ("numeric", "Infinity", "POSITIVE_INFINITY"),
    ("numeric", "-Infinity", "NEGATIVE_INFINITY"),
    ("money", "-1234567.89", "-1234567.89"),
    ("float8", "1.1", 1.1),
    ("float8", "1e+300", 1e300),
    ("float8", "100000000", 100000000.0),
    ("float4", "NaN", "NaN"),
    ("float8", "-Infinity", "-Infinity"),
    ("text", 'Zoë "x" \\ / \u2028', 'Zoë "x" \\ / \u2028'),
    ("bpchar", "c    ", "c    "),
    ("uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
    ("jsonb", '{"a": "é", "b": 1.50}', '{"a": "é", "b": 1.50}'),
    ("bytea", "\\x00ff10", "AP8Q"),
    ("bytea", "\\x", ""),
    ("date", "2026-11-20", "2026-11-20Z"),
    ("date", "12026-01-02", "+12026-01-02Z"),
    ("date", "0044-03-15 BC", "-0043-03-15Z"),
    ("date", "infinity", "+5877611-06-21Z"),
    ("date", "-infinity", "-5877611-06-22Z"),
    ("timestamp", "2026-11-20 21:05:46.463123", "2026-11-20T21:05:46.463123Z"),
    ("timestamp", "2026-11-20 21:05:46.4", "2026-11-20T21:05:46.4Z"),
    ("timestamp", "1970-01-01 00:00:00", "1970-01-01T00:00:00Z"),
    ("timestamp", "99999-01-01 00:00:00.1", "+99999-01-01T00:00:00.1Z"),
    ("timestamp", "0001-01-01 00:00:00 BC", "0000-01-01T00:00:00Z"),
    ("timestamp", "0044-03-15 10:00:00 BC", "-0043-03-15T10:00:00Z"),
    ("timestamp", "infinity", "+292278994-08-16T23:00:00Z"),
    ("timestamp", "-infinity", "-292275055-05-16T23:00:00Z"),
    ("timestamptz", "2026-11-20 19:05:46.4+00", "2026-11-20T19:05:46.400000Z"),
    ("timestamptz", "2026-11-20 19:05:46+00", "2026-11-20T19:05:46.000000Z"),
    ("timestamptz", "12026-01-01 00:00:00+00", "+12026-01-01T00:00:00.000000Z"),
    ("timestamptz", "0044-03-15 10:00:00+00 BC", "-0043-03-15T10:00:00.000000Z"),
    ("timestamptz", "-infinity", "-infinity"),
    ("time", "21:05:46.1", "21:05:46.1Z"),
    ("time", "24:00:00", "00:00:00Z"),
    ("timetz", "19:05:46.1+00", "19:05:46.1Z"),
    ("interval", "P1DT2H3M4.5S", "P0Y0M1DT2H3M4.5S"),
    ("interval", "P-1Y-2M3DT-4H-5M-6.000007S", "P-1Y-2M3DT-4H-5M-6.000007S"),
    ("interval", "PT0S", "P0Y0M0DT0H0M0S"),
    ("interval", "PT100H", "P0Y0M0DT100H0M0S"),
    ("inet", "10.0.0.1", "10.0.0.1"),
    ("int4range", "[1,5)", "[1,5)"),
    ("xml", "<a/>", "<a/>"),
    ("point", "(1,2)", {"x": 1.0, "y": 2.0, "wkb": "AQEAAAAAAAAAAADwPwAAAAAAAABA", "srid": None}),
]


@pytest.mark.parametrize(("kind", "text", "expected"), CASES)
def test_a_value_is_written_as_debezium_writes_it(kind: str, text: str, expected: Any) -> None:
    assert json.loads(render_of(SourceColumn("c", kind))(text)) == expected


@pytest.mark.parametrize(
    ("kind", "length", "text", "expected"),
    [("bit", 1, "1", True), ("bit", 3, "101", "BQ=="), ("varbit", 5, "11", "Aw==")],
)
def test_bits_are_a_number_in_little_endian_bytes(
    kind: str, length: int, text: str, expected: Any
) -> None:
    assert json.loads(render_of(SourceColumn("c", kind, length=length))(text)) == expected


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("int4", "{1,2,NULL}", [1, 2, None]),
        ("int4", "{}", []),
        ("int4", "[0:1]={1,2}", [1, 2]),
        ("int4", "{{1,2},{3,4}}", [[1, 2], [3, 4]]),
        ("text", '{a,"b,c",NULL,"NULL","q\\"\\\\",""}', ["a", "b,c", None, "NULL", 'q"\\', ""]),
        ("numeric", "{1.50,NULL}", ["1.50", None]),
        ("date", "{2026-11-20}", ["2026-11-20Z"]),
        ("timestamp", '{"2026-11-20 21:05:46.463"}', ["2026-11-20T21:05:46.463Z"]),
        ("jsonb", '{"{\\"a\\": 1}"}', ['{"a": 1}']),
    ],
)
def test_an_array_becomes_a_list(kind: str, text: str, expected: list[Any]) -> None:
    assert json.loads(render_of(SourceColumn("c", kind, array=True))(text)) == expected


@given(st.lists(st.none() | st.text(st.characters(exclude_characters="\x00", codec="utf-8"))))
def test_any_text_survives_an_array(elements: list[str | None]) -> None:
    quoted = (
        "NULL" if one is None else '"' + one.replace("\\", "\\\\").replace('"', '\\"') + '"'
        for one in elements
    )
    render = render_of(SourceColumn("c", "text", array=True))
    assert json.loads(render("{" + ",".join(quoted) + "}")) == elements


TABLE = SourceTable(
    "public",
    "rel",
    (SourceColumn("tag", "int4"), SourceColumn("name", "text"), SourceColumn("lead", "varchar")),
    key=("lead", "tag"),
)


def test_a_row_has_its_columns_and_a_canonical_key() -> None:
    row = ["5", None, 'a "b"\n']
    renderer = RowRenderer(TABLE)
    assert json.loads(renderer.image(row)) == {"tag": 5, "name": None, "lead": 'a "b"\n'}
    assert renderer.key(row) == canonical_key({"tag": 5, "lead": 'a "b"\n'})
    assert KeyRenderer(TABLE).key(['a "b"\n', "5"]) == renderer.key(row)


@given(st.text(st.characters(exclude_characters="\x00", codec="utf-8")), st.integers())
def test_keys_are_those_that_raw_has(lead: str, tag: int) -> None:
    expected = canonical_key({"lead": lead, "tag": tag})
    assert KeyRenderer(TABLE).key([lead, str(tag)]) == expected


_ESCAPES = {"\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v"}


@given(
    st.lists(
        st.none() | st.text(st.characters(exclude_characters="\x00", codec="utf-8")), min_size=1
    )
)
def test_any_text_survives_copy(values: list[str | None]) -> None:
    def copied(value: str | None) -> str:
        if value is None:
            return "\\N"
        return "".join(_ESCAPES.get(one, one) for one in value.replace("\\", "\\\\"))

    assert _fields("\t".join(map(copied, values)).encode()) == values
