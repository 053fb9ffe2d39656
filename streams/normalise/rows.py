"""Source rows as the engine reads them, and the look-ups that fetch them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from schemas.cdc import SourcePosition
from streams.normalise.mapping import DELETED


@dataclass(slots=True, eq=False)
class SourceRow:
    """The latest image of one source row, and where in its source it stands.

    `table` is `<source>.<table>`; `key` the canonical JSON of its primary key. Never changed after it
    is made; not declared frozen, since that would triple the cost of making the many of them.
    """

    table: str
    key: str
    image: Mapping[str, Any]
    position: SourcePosition
    committed_at: datetime
    deleted: bool = False

    def value(self, column: str) -> Any:
        """The column's value as it came; None where the source has no such column."""
        return self.deleted if column == DELETED else self.image.get(column)


Place = tuple[str, str]
"""A table and one of its columns."""

Lookups = dict[Place, set[str]]
"""Questions to the store of raw rows: the rows of a table whose column has one of these values.

Values are what `text_of` gives. Deleted rows are among the answers.
"""

Answers = Mapping[str, tuple[SourceRow, ...]]
"""The rows found, by value, ordered by key."""


def text_of(value: object) -> str | None:
    """A column's value as text, as PostgreSQL's `->>` gives it; None for what cannot be a key."""
    if value.__class__ is int:
        return str(value)
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return None


class RowStore:
    """Rows fetched for one computation, by the place and value that asked for them."""

    def __init__(self) -> None:
        self._all: dict[Place, dict[str, tuple[SourceRow, ...]]] = {}
        self._live: dict[Place, dict[str, tuple[SourceRow, ...]]] = {}

    def missing(self, wanted: Lookups) -> Lookups:
        """Those of the questions that have not been answered yet."""
        missing: Lookups = {}
        for place, values in wanted.items():
            unknown = values - self._all.get(place, {}).keys()
            if unknown:
                missing[place] = unknown
        return missing

    def add(self, asked: Lookups, found: Iterable[tuple[Place, str, SourceRow]]) -> None:
        """Keeps what was fetched; a question without an answer is remembered as such."""
        answers: dict[Place, dict[str, list[SourceRow]]] = {
            place: {value: [] for value in values} for place, values in asked.items()
        }
        for place, value, row in found:
            answers[place][value].append(row)
        for place, by_value in answers.items():
            everything = self._all.setdefault(place, {})
            live = self._live.setdefault(place, {})
            for value, rows in by_value.items():
                if len(rows) > 1:
                    rows.sort(key=_by_key)
                everything[value] = live[value] = tuple(rows)
                if any(row.deleted for row in rows):
                    live[value] = tuple(row for row in rows if not row.deleted)

    def rows(self, place: Place) -> Answers:
        """What is known of a place, deleted rows included."""
        return self._all.get(place, {})

    def live_rows(self, place: Place) -> Answers:
        """What is known of a place, without deleted rows."""
        return self._live.get(place, {})


def _by_key(row: SourceRow) -> tuple[int, str]:
    return len(row.key), row.key
