"""Every named transform: what it makes of a value, of nothing and of nonsense."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.normalise.mapping import MappingError
from streams.normalise.transforms import BadValue, Flagged, transform_named


def apply(name: str, value: Any, **options: Any) -> Any:
    return transform_named(name, options)(value)


GOOD: list[tuple[str, Any, Any, dict[str, Any]]] = [
    ("text", "  a b ", "a b", {}),
    ("text", 17, "17", {}),
    ("text", "   ", None, {}),
    ("name", " Stray   Spaces\tLtd ", "Stray Spaces Ltd", {}),
    ("lower", " Complete ", "complete", {}),
    ("translated", '{"en_US": "Won", "fr_FR": "Gagné"}', "Won", {}),
    ("translated", {"fr_FR": "Gagné"}, "Gagné", {}),
    ("translated", '{"en_US": "Won", "fr_FR": "Gagné"}', "Gagné", {"languages": ["fr_FR"]}),
    ("translated", "Plain name of Odoo 15", "Plain name of Odoo 15", {}),
    ("translated", "{}", None, {}),
    ("html", "<p>a</p><p>b &amp; c</p>", "a\nb & c", {}),
    ("html", "<p> </p>", None, {}),
    ("company", "Lumenor GmbH & Co. KG", "lumenor", {}),
    ("domain", "https://www.shop.lumenor.example/x", "lumenor.example", {}),
    ("domain", "ann@gmail.com", None, {}),
    ("domain", "a@partner.example", None, {"partner_domains": ["@partner.example"]}),
    ("email", "Ann Field <Ann@X.example>", "ann@x.example", {}),
    ("decimal", "12000.50", "12000.5", {}),
    ("decimal", "-0.00", "0", {}),
    ("decimal", "1E+3", "1000", {}),
    ("decimal", 7, "7", {}),
    ("decimal", 0.1, "0.1", {}),
    ("integer", "12.0", 12, {}),
    ("boolean", "Yes", True, {}),
    ("boolean", False, False, {}),
    ("date", "2026-11-20Z", "2026-11-20", {}),
    ("date", "2026-11-20T23:30:00-02:00", "2026-11-21", {}),
    ("month", "2026-11-20Z", "2026-11-01", {}),
    ("month_before", "2026-01-05Z", "2025-12-01", {}),
    ("month_before", "2026-03-31", "2026-02-01", {}),
    ("utc_time", "2026-11-20T10:00:00.123456Z", "2026-11-20T10:00:00.123456Z", {}),
    ("utc_time", "2026-11-20 10:00:00", "2026-11-20T10:00:00Z", {}),
    ("utc_time", "2026-11-20T10:00:00+02:00", "2026-11-20T08:00:00Z", {}),
    ("account_id", "000000000018", "000000000018", {}),
    ("account_id", "0000-0000-0018", Flagged("000000000018", "repaired"), {}),
    ("account_id", "18000000026", Flagged("018000000026", "repaired"), {}),
    ("account_id", 18000000026, Flagged("018000000026", "repaired"), {}),
    ("account_id", "abc", Flagged("abc", "malformed"), {}),
    ("account_id", "1234567890123", Flagged("1234567890123", "malformed"), {}),
    ("country", "Germany", "DE", {}),
    ("country", "us", "US", {}),
    ("country", "Atlantis", Flagged("Atlantis", "unknown_value"), {}),
    ("value_map", " partner ORIGINATED ", "PO", {"values": {"PO": ["PO", "Partner Originated"]}}),
    ("value_map", "both", Flagged(None, "unknown_value"), {"values": {"PO": ["PO"]}}),
    ("split", "Storage;  Migration ;", ["Storage", "Migration"], {}),
    ("prefixed", 8, "partner:8", {"prefix": "partner:"}),
]


@pytest.mark.parametrize(("name", "value", "expected", "options"), GOOD)
def test_a_transform_gives_the_fields_value(
    name: str, value: Any, expected: Any, options: dict[str, Any]
) -> None:
    assert apply(name, value, **options) == expected


BAD: list[tuple[str, Any]] = [
    ("text", ["a"]),
    ("text", True),
    ("html", 5),
    ("translated", '{"en_US": '),
    ("translated", '{"en_US": "nul \\u0000"}'),
    ("email", "no address"),
    ("decimal", "much"),
    ("decimal", "NaN"),
    ("decimal", "Infinity"),
    ("decimal", "1e400"),
    ("decimal", True),
    ("integer", "1.5"),
    ("boolean", "perhaps"),
    ("date", "soon"),
    ("date", 20260101),
    ("date", "2026-02-30Z"),
    ("date", "20000-01-01Z"),
    ("utc_time", "yesterday"),
    ("utc_time", 1700000000),
    ("utc_time", "0001-01-01T00:00:00+14:00"),
]


@pytest.mark.parametrize(("name", "value"), BAD)
def test_a_value_that_cannot_be_read_is_a_bad_value(name: str, value: Any) -> None:
    with pytest.raises(BadValue):
        apply(name, value)


NAMES = sorted({name for name, *_ in GOOD})
ANYTHING = st.one_of(
    st.text(max_size=40),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.lists(st.text(max_size=3), max_size=2),
    st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2),
)


@given(st.sampled_from(NAMES), ANYTHING)
def test_no_value_makes_a_transform_fail_otherwise(name: str, value: Any) -> None:
    try:
        result = apply(name, value)
    except BadValue:
        return
    found = result.value if isinstance(result, Flagged) else result
    assert found is None or isinstance(found, str | int | bool | list)


@given(
    st.decimals(
        allow_nan=False, allow_infinity=False, places=4, min_value=-(10**12), max_value=10**12
    )
)
def test_decimals_keep_their_value_exactly(number: Decimal) -> None:
    assert Decimal(apply("decimal", str(number))) == number


@given(
    st.sampled_from(["text", "name", "lower", "company", "email", "decimal", "date", "country"]),
    st.text(),
)
def test_transforming_twice_changes_nothing_more(name: str, value: str) -> None:
    try:
        once = apply(name, value)
        if once and not isinstance(once, Flagged):
            assert apply(name, once) == once
    except BadValue:
        return


def test_unknown_transforms_and_options_are_named_with_what_is_known() -> None:
    with pytest.raises(MappingError, match=r"there is no transform 'tekst'; known: .*text"):
        transform_named("tekst", {})
    with pytest.raises(
        MappingError, match="transform split has no option seperator; known: separator"
    ):
        transform_named("split", {"seperator": ","})
