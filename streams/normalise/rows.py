"""Source rows as the engine reads them, and the look-ups that fetch them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from schemas.cdc import SourcePosition
from streams.normalise.mapping import DELETED


@dataclass(frozen=True, slots=True)
class SourceRow:
    """The latest image of one source row, and where in its source it stands.

    `table` is `<source>.<table>`; `key` the canonical JSON of its primary key.
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


class Lookup(NamedTuple):
    """A question to the store of raw rows: the rows of `table` whose `column` has this value.

    `value` is what `text_of` gives. Deleted rows are among the answers.
    """

    table: str
    column: str
    value: str


def text_of(value: object) -> str | None:
    """A column's value as text, as PostgreSQL's `->>` gives it; None for what cannot be a key."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return None


class RowStore:
    """Rows fetched for one computation, by the look-up that asked for them."""

    def __init__(self) -> None:
        self._found: dict[Lookup, tuple[SourceRow, ...]] = {}

    def add(self, asked: Iterable[Lookup], rows: Iterable[tuple[Lookup, SourceRow]]) -> None:
        """Keeps what was fetched; a look-up that found nothing is remembered as such."""
        answers: dict[Lookup, list[SourceRow]] = {lookup: [] for lookup in asked}
        for lookup, row in rows:
            answers[lookup].append(row)
        for lookup, found in answers.items():
            if len(found) > 1:
                found.sort(key=_by_key)
            self._found[lookup] = tuple(found)

    def missing(self, lookups: Iterable[Lookup]) -> set[Lookup]:
        """Those of the look-ups that have not been answered yet."""
        return {lookup for lookup in lookups if lookup not in self._found}

    def rows(self, lookup: Lookup) -> tuple[SourceRow, ...]:
        """The rows found, ordered by key; empty where there are none or nobody asked."""
        return self._found.get(lookup, ())


def _by_key(row: SourceRow) -> tuple[int, str]:
    return len(row.key), row.key
