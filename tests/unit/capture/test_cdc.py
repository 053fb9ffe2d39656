"""The change envelope: what is read from it, and how each kind of bad record is named."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.cdc import (
    Change,
    SourcePosition,
    canonical_key,
    parse_change,
    record_key,
)
from schemas.results import Rejected

TOPIC = "cdc.crm.lead"
KEY = b'{"id":5,"tenant":"home"}'


def envelope(**changes: Any) -> dict[str, Any]:
    """A logged update of the row 5, with `changes`; None removes a field."""
    source = {
        "connector": "postgresql",
        "ts_ms": 1795213703548,
        "ts_us": 1795213703548338,
        "snapshot": "false",
        "schema": "public",
        "table": "lead",
        "lsn": 28694480,
        "sequence": '["28694424","28694480"]',
    }
    whole: dict[str, Any] = {
        "before": None,
        "after": {"id": 5, "name": "Zoë"},
        "source": source | changes.pop("source", {}),
        "op": "u",
        "ts_ms": 1795213703567,
        "tenant": "home",
        "capture_epoch": "3",
    }
    whole.update(changes)
    return {name: value for name, value in whole.items() if value is not None or name == "before"}


def parsed(key: bytes | None = KEY, headers: tuple = (), **changes: Any) -> Any:
    return parse_change(TOPIC, key, json.dumps(envelope(**changes)).encode(), headers)


def change(**changes: Any) -> Change:
    found = parsed(**changes)
    assert isinstance(found, Change), found
    return found


def test_parse_change_reads_a_logged_update() -> None:
    assert change() == Change(
        tenant="home",
        source_table="crm.lead",
        key='{"id":5}',
        operation="u",
        after={"id": 5, "name": "Zoë"},
        position=SourcePosition(3, 28694480),
        committed_at=datetime(2026, 11, 20, 22, 28, 23, 548338, tzinfo=UTC),
        key_columns=("id",),
    )


def test_parse_change_ignores_a_tombstone() -> None:
    assert parse_change(TOPIC, KEY, None) is None


def test_parse_change_of_a_delete_has_no_image() -> None:
    found = change(op="d", before={"id": 5}, after=None)
    assert (found.operation, found.after, found.key) == ("d", None, '{"id":5}')


def test_parse_change_of_a_truncate_needs_no_key() -> None:
    found = change(key=None, op="t", after=None)
    assert (found.operation, found.key, found.source_table) == ("t", None, "crm.lead")


@pytest.mark.parametrize("mark", ["first", "true", "last", "incremental", True])
def test_a_logged_change_follows_every_snapshot_row_of_its_epoch(mark: Any) -> None:
    """The row was written before the snapshot and committed after it: nothing else may win."""
    row = change(op="r", source={"snapshot": mark, "lsn": 9000})
    written_before = change(source={"lsn": 8000, "sequence": '[null,"8000"]'})
    assert row.snapshot
    assert not written_before.snapshot
    assert row.position < written_before.position


def test_a_snapshot_of_a_new_epoch_follows_every_change_of_the_old_one() -> None:
    logged = change(capture_epoch="3", source={"lsn": 9000})
    row = change(capture_epoch="4", op="r", source={"snapshot": "true", "lsn": 100})
    assert logged.position < row.position


def test_the_pollers_position_is_its_poll_counter() -> None:
    source = {"connector": "poller", "poll": 12, "lsn": None, "snapshot": "true"}
    assert change(op="r", source=source).position == SourcePosition(3, 12)


def test_commit_time_falls_back_to_milliseconds() -> None:
    found = change(source={"ts_us": None})
    assert found.committed_at == datetime(2026, 11, 20, 22, 28, 23, 548000, tzinfo=UTC)


def test_a_key_change_names_the_other_key() -> None:
    key = b'{"id":77,"tenant":"home"}'
    created = change(key=key, headers=(("__debezium.oldkey", b'{"id": 5}'), ("other", None)))
    deleted = change(op="d", after=None, headers=(("__debezium.newkey", b'{"b":1,"a":2}'),))
    assert (created.old_key, created.new_key) == ('{"id":5}', None)
    assert (deleted.old_key, deleted.new_key) == (None, '{"a":2,"b":1}')


def test_a_key_of_several_columns_is_canonical() -> None:
    found = change(key='{"tag":1,"lead":"ü","tenant":"home"}'.encode())
    assert found.key == '{"lead":"ü","tag":1}'
    assert found.key_columns == ("lead", "tag")


POISON: dict[str, tuple[bytes | None, bytes, tuple, str, str | None]] = {
    "no JSON": (KEY, b'{"op": ', (), "invalid_json", "value"),
    "no UTF-8": (KEY, b'{"op": "\xff"}', (), "invalid_json", "value"),
    "a lone surrogate": (KEY, b'{"op": "\\ud800"}', (), "invalid_json", "value"),
    "NaN": (KEY, b'{"op": NaN}', (), "invalid_json", "value"),
    "a list": (KEY, b"[]", (), "wrong_type", "value"),
    "null": (KEY, b"null", (), "wrong_type", "value"),
    "no operation": (KEY, b"{}", (), "unknown_operation", "op"),
    "key is no JSON": (b"\x00\x01", json.dumps(envelope()).encode(), (), "invalid_json", "key"),
    "key is a number": (b"5", json.dumps(envelope()).encode(), (), "wrong_type", "key"),
    "header is no JSON": (
        KEY,
        json.dumps(envelope()).encode(),
        (("__debezium.oldkey", b"Struct{id=5}"),),
        "invalid_json",
        "__debezium.oldkey",
    ),
}


@pytest.mark.parametrize("kind", POISON)
def test_bytes_that_are_no_envelope_are_rejected(kind: str) -> None:
    key, value, headers, reason, field = POISON[kind]
    found = parse_change(TOPIC, key, value, headers)
    assert isinstance(found, Rejected)
    assert (found.reason, found.field) == (reason, field)
    assert found.detail


@pytest.mark.parametrize(
    ("changes", "reason", "field"),
    [
        ({"op": "x"}, "unknown_operation", "op"),
        ({"op": 1}, "unknown_operation", "op"),
        ({"tenant": None}, "missing_field", "tenant"),
        ({"tenant": ""}, "missing_field", "tenant"),
        ({"tenant": 7}, "missing_field", "tenant"),
        ({"tenant": "other"}, "tenant_mismatch", "tenant"),
        ({"after": None}, "wrong_type", "after"),
        ({"after": [1]}, "wrong_type", "after"),
        ({"capture_epoch": None}, "wrong_type", "source"),
        ({"capture_epoch": "one"}, "wrong_type", "source"),
        ({"capture_epoch": 0}, "wrong_type", "source"),
        ({"capture_epoch": True}, "wrong_type", "source"),
        ({"capture_epoch": 2**31}, "wrong_type", "source"),
        ({"source": {"lsn": None}}, "wrong_type", "source"),
        ({"source": {"lsn": "x"}}, "wrong_type", "source"),
        ({"source": {"lsn": 1.5}}, "wrong_type", "source"),
        ({"source": {"lsn": -1}}, "wrong_type", "source"),
        ({"source": {"lsn": 2**63}}, "wrong_type", "source"),
        ({"source": {"poll": 0}}, "wrong_type", "source"),
        ({"source": {"ts_us": "now"}}, "wrong_type", "source"),
        ({"source": {"ts_us": 10**30}}, "wrong_type", "source"),
        ({"source": {"ts_us": None, "ts_ms": None}}, "wrong_type", "source"),
    ],
)
def test_an_envelope_with_a_bad_part_is_rejected(
    changes: dict[str, Any], reason: str, field: str
) -> None:
    found = parsed(**changes)
    assert isinstance(found, Rejected)
    assert (found.reason, found.field) == (reason, field)


def test_an_envelope_without_source_is_rejected() -> None:
    whole = envelope()
    del whole["source"]
    found = parse_change(TOPIC, KEY, json.dumps(whole).encode())
    assert isinstance(found, Rejected)
    assert (found.reason, found.field) == ("missing_field", "source")


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        (None, "missing_key"),
        (b'{"tenant":"home"}', "missing_key"),
        (b'{"id":5}', "tenant_mismatch"),
        (b'{"id":null,"tenant":"home"}', "wrong_type"),
        (b'{"id":{"a":1},"tenant":"home"}', "wrong_type"),
        (b'{"id":"a\\u0000","tenant":"home"}', "nul_byte"),
    ],
)
def test_a_bad_key_is_rejected(key: bytes | None, reason: str) -> None:
    found = parsed(key=key)
    assert isinstance(found, Rejected)
    assert found.reason == reason


@pytest.mark.parametrize(
    "value",
    [
        "a\x00b",
        ["a", "b\x00"],
        {"x": {"y": "\x00"}},
        {"\x00": 1},
        json.dumps({"en_US": "Qualified\x00"}),
        json.dumps(["\x00"]),
    ],
)
def test_a_nul_byte_anywhere_is_rejected(value: Any) -> None:
    found = parsed(after={"id": 5, "name": "fine", "text": value})
    assert isinstance(found, Rejected)
    assert (found.reason, found.field) == ("nul_byte", "text")


@pytest.mark.parametrize("text", [r"write \u0000 for NUL", r"{see \u0000}", r'{"a": "\\u0000"}'])
def test_a_text_that_speaks_of_nul_is_none(text: str) -> None:
    assert change(after={"id": 5, "text": text}).after == {"id": 5, "text": text}


@given(
    st.dictionaries(
        st.text(min_size=1).filter(lambda name: name != "tenant"),
        st.integers() | st.text(),
        min_size=1,
    ),
    st.text(min_size=1),
)
def test_record_key_is_the_canonical_key_and_the_tenant(
    columns: dict[str, int | str], tenant: str
) -> None:
    key = canonical_key(columns)
    assert json.loads(key) == columns
    assert list(json.loads(key)) == sorted(columns)
    data = record_key(key, tenant)
    assert json.loads(data) == columns | {"tenant": tenant}
    assert list(json.loads(data))[-1] == "tenant"


@given(st.binary(), st.binary() | st.none())
def test_parse_change_never_raises(value: bytes, key: bytes | None) -> None:
    assert isinstance(parse_change(TOPIC, key, value, ()), Rejected)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(
        st.sampled_from(["op", "tenant", "after", "source", "capture_epoch", "before"]), _json
    ),
    st.sampled_from(["lsn", "poll", "ts_us", "ts_ms", "snapshot", "sequence"]),
    _json,
)
def test_parse_change_names_the_reason_for_any_broken_part(
    parts: dict[str, Any], name: str, value: Any
) -> None:
    whole = envelope() | parts
    if isinstance(whole["source"], dict):
        whole["source"][name] = value
    found = parse_change(TOPIC, KEY, json.dumps(whole).encode())
    assert isinstance(found, Change | Rejected)
