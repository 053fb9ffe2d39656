"""Raw rows in memory, answering the engine's look-ups as the database does."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from schemas.cdc import SourcePosition, canonical_key
from streams.normalise.derive import Derived, Wanted, derived, gathering
from streams.normalise.fold import RawRow
from streams.normalise.plan import Plan
from streams.normalise.rows import Lookups, RowStore, SourceRow, text_of

Result = TypeVar("Result")
AT = datetime(2026, 1, 1, tzinfo=UTC)


def raw(image: Mapping[str, Any], *, deleted: bool = False, value: int = 1) -> RawRow:
    return RawRow(image, SourcePosition(1, value), "c", deleted, AT)


class MemoryRows:
    """Rows by table and key."""

    def __init__(self, rows: Mapping[tuple[str, str], RawRow] | None = None) -> None:
        self.rows: dict[tuple[str, str], RawRow] = dict(rows or {})

    def put(self, table: str, image: Mapping[str, Any], *, deleted: bool = False) -> None:
        self.rows[table, canonical_key({"id": image["id"]})] = raw(image, deleted=deleted)

    def answer(self, conversation: Generator[Lookups, RowStore, Result]) -> Result:
        store = RowStore()
        try:
            wanted = next(conversation)
            while True:
                missing = store.missing(wanted)
                store.add(missing, self._found(missing))
                wanted = conversation.send(store)
        except StopIteration as end:
            return end.value

    def _found(self, asked: Lookups):
        for (table, key), row in sorted(self.rows.items()):
            for place, values in asked.items():
                value = text_of(row.image.get(place[1]))
                if place[0] == table and value in values:
                    yield (
                        place,
                        value,
                        SourceRow(
                            table, key, row.image, row.position, row.committed_at, row.deleted
                        ),
                    )

    def derive(self, *wanted: Wanted) -> list[Derived]:
        gathered = self.answer(gathering(wanted))
        return [derived(*one, gathered[one]) for one in wanted]

    def derive_all(self, plan: Plan) -> dict[tuple[str, str], tuple[Any, ...]]:
        """Every record of the plan as it should be stored: what a full rebuild gives."""
        wanted = [
            (record, id)
            for record in plan.records
            for (table, _), row in self.rows.items()
            if table == record.table
            and (id := text_of(row.image.get(record.id_column))) is not None
        ]
        return {
            (one.record.name, one.id): (one.present, one.deleted, one.fields, one.flags)
            for one in self.derive(*dict.fromkeys(wanted))
        }
