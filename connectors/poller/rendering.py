"""Rows as Debezium would have written them: PostgreSQL's text of a value to its JSON.

Both capture modes must give the same image of a row, so this follows what Debezium writes with
`decimal.handling.mode=string`, `time.precision.mode=isostring`, `binary.handling.mode=base64` and
`interval.handling.mode=string` from the log. Types that it does not know stay PostgreSQL's text.
"""

from __future__ import annotations

import base64
import re
import struct
from collections.abc import Callable, Sequence
from json.encoder import encode_basestring

from connectors.postgres.source import SourceColumn, SourceTable, TextRow

Render = Callable[[str], str]
"""From PostgreSQL's text of a value to its JSON."""


class RowRenderer:
    """Writes the rows of one table as JSON, their columns in the table's order."""

    def __init__(self, table: SourceTable) -> None:
        self._columns = [
            (f"{',' if at else ''}{encode_basestring(column.name)}:", render_of(column))
            for at, column in enumerate(table.columns)
        ]
        numbers = {column.name: at for at, column in enumerate(table.columns)}
        self._key = _key_template(table, [numbers[name] for name in table.key])

    def image(self, row: Sequence[str | None]) -> str:
        """The JSON object of a row's columns."""
        parts: list[str] = []
        for (name, render), text in zip(self._columns, row, strict=True):
            parts.append(name)
            parts.append("null" if text is None else render(text))
        return "{" + "".join(parts) + "}"

    def key(self, row: Sequence[str | None]) -> str:
        """The canonical JSON of a row's primary key, as `schemas.cdc.canonical_key` writes it."""
        return _filled(self._key, row)


class KeyRenderer:
    """Writes primary keys that were read alone, in the order of `table.key`."""

    def __init__(self, table: SourceTable) -> None:
        self._key = _key_template(table, list(range(len(table.key))))

    def key(self, row: TextRow) -> str:
        """The canonical JSON of the key."""
        return _filled(self._key, row)


_KeyTemplate = list[tuple[str, Render, int]]


def _key_template(table: SourceTable, positions: Sequence[int]) -> _KeyTemplate:
    return [
        (f"{encode_basestring(name)}:", render_of(table.column(name)), position)
        for name, position in zip(table.key, positions, strict=True)
    ]


def _filled(template: _KeyTemplate, row: Sequence[str | None]) -> str:
    return (
        "{"
        + ",".join(name + render(row[position] or "") for name, render, position in template)
        + "}"
    )


def render_of(column: SourceColumn) -> Render:
    """How values of a column are written."""
    if column.type in _BITS:
        render = _boolean_bit if column.length == 1 else _bits
    else:
        render = _RENDERS.get(column.type, encode_basestring)
    return _array_of(render) if column.array else render


def _as_it_is(text: str) -> str:
    return text


def _boolean(text: str) -> str:
    return "true" if text == "t" else "false"


_NUMERIC_NAMES = {
    "NaN": '"NAN"',
    "Infinity": '"POSITIVE_INFINITY"',
    "-Infinity": '"NEGATIVE_INFINITY"',
}


def _numeric(text: str) -> str:
    return _NUMERIC_NAMES.get(text) or f'"{text}"'


def _floating(text: str) -> str:
    if text[-1] in "Ny":  # NaN, Infinity
        return f'"{text}"'
    return text if "." in text or "e" in text else text + ".0"


_INFINITE_DATES = {"infinity": '"+5877611-06-21Z"', "-infinity": '"-5877611-06-22Z"'}
_INFINITE_TIMESTAMPS = {
    "infinity": '"+292278994-08-16T23:00:00Z"',
    "-infinity": '"-292275055-05-16T23:00:00Z"',
}
_COMMON_ERA = re.compile(r"\d{4}-").match


def _date(text: str) -> str:
    if _COMMON_ERA(text) and text[-1] != "C":
        return f'"{text}Z"'
    return _INFINITE_DATES.get(text) or f'"{_iso_year(text)}Z"'


def _timestamp(text: str) -> str:
    if not _COMMON_ERA(text) or text[-1] == "C":
        if text in _INFINITE_TIMESTAMPS:
            return _INFINITE_TIMESTAMPS[text]
        text = _iso_year(text)
    return f'"{text.replace(" ", "T")}Z"'


def _timestamp_with_zone(text: str) -> str:
    """Six digits of a second, always; the session's zone is UTC, so the text ends with +00."""
    if not _COMMON_ERA(text) or text[-1] == "C":
        if text.endswith("infinity"):
            return f'"{text}"'
        text = _iso_year(text)
    day, _, clock = text.removesuffix("+00").partition(" ")
    seconds, _, fraction = clock.partition(".")
    return f'"{day}T{seconds}.{fraction:0<6}Z"'


def _iso_year(text: str) -> str:
    """PostgreSQL's text of a date with ISO 8601's year: signed beyond 9999, counted from 0 before it."""
    year, rest = text.split("-", 1)
    if rest.endswith(" BC"):
        before = int(year) - 1
        return f"{'-' if before else ''}{before:04}-{rest.removesuffix(' BC')}"
    return f"+{year}-{rest}" if len(year) > 4 else text


def _time(text: str) -> str:
    return f'"{"00" + text[2:] if text.startswith("24") else text}Z"'


def _time_with_zone(text: str) -> str:
    return _time(text.removesuffix("+00"))


_INTERVAL = re.compile(
    r"P(?:(-?\d+)Y)?(?:(-?\d+)M)?(?:(-?\d+)D)?(?:T(?:(-?\d+)H)?(?:(-?\d+)M)?(?:(-?[\d.]+)S)?)?"
)


def _interval(text: str) -> str:
    match = _INTERVAL.fullmatch(text)
    if match is None:
        return encode_basestring(text)
    years, months, days, hours, minutes, seconds = (part or "0" for part in match.groups())
    return f'"P{years}Y{months}M{days}DT{hours}H{minutes}M{seconds}S"'


def _bytes(text: str) -> str:
    return f'"{base64.b64encode(bytes.fromhex(text[2:])).decode()}"'


def _boolean_bit(text: str) -> str:
    return "true" if text == "1" else "false"


def _bits(text: str) -> str:
    """The bits as a number, its bytes in little-endian order."""
    length = -(-len(text) // 8)
    return f'"{base64.b64encode(int(text or "0", 2).to_bytes(length, "little")).decode()}"'


def _point(text: str) -> str:
    """Debezium's structure of a point: its coordinates, and both as well-known binary."""
    x, y = (float(part) for part in text[1:-1].split(","))
    binary = base64.b64encode(struct.pack("<BIdd", 1, 1, x, y)).decode()
    return f'{{"x":{_floating(repr(x))},"y":{_floating(repr(y))},"wkb":"{binary}","srid":null}}'


_BITS = frozenset({"bit", "varbit"})
_RENDERS: dict[str, Render] = {
    "bool": _boolean,
    "int2": _as_it_is,
    "int4": _as_it_is,
    "int8": _as_it_is,
    "oid": _as_it_is,
    "float4": _floating,
    "float8": _floating,
    "numeric": _numeric,
    "money": _numeric,
    "date": _date,
    "timestamp": _timestamp,
    "timestamptz": _timestamp_with_zone,
    "time": _time,
    "timetz": _time_with_zone,
    "interval": _interval,
    "bytea": _bytes,
    "point": _point,
}


def _array_of(render: Render) -> Render:
    def array(text: str) -> str:
        return _ArrayText(text, render).rendered()

    return array


class _ArrayText:
    """PostgreSQL's text of an array, `{1,NULL,"a b"}`, read element by element."""

    _plain = re.compile(r"[^,{}\"\\]+")
    _quoted = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
    _escape = re.compile(r"\\(.)", re.DOTALL)

    def __init__(self, text: str, render: Render) -> None:
        # an array that does not count from 1 begins with its bounds: [0:1]={1,2}
        self._text = text[text.index("{") :] if text.startswith("[") else text
        self._render = render
        self._at = 0

    def rendered(self) -> str:
        """The JSON list; arrays of more dimensions become lists of lists."""
        self._at += 1  # the opening brace
        elements: list[str] = []
        while self._text[self._at] != "}":
            if self._text[self._at] == ",":
                self._at += 1
            elements.append(self._element())
        self._at += 1
        return "[" + ",".join(elements) + "]"

    def _element(self) -> str:
        if self._text[self._at] == "{":
            return self.rendered()
        if match := self._quoted.match(self._text, self._at):
            self._at = match.end()
            return self._render(self._escape.sub(r"\1", match[1]))
        match = self._plain.match(self._text, self._at)
        if match is None:
            raise ValueError(f"no array element at {self._at} of {self._text!r}")
        self._at = match.end()
        return "null" if match[0] == "NULL" else self._render(match[0])
