"""What the normalise worker knows of a tenant: the compiled mappings of its packs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from connectors.postgres.dirty import DirtyItem
from streams.normalise.derive import Touched, Wanted
from streams.normalise.fold import Folded, left_behind_by, touched_by
from streams.normalise.mapping import ROOT
from streams.normalise.plan import Plan, Reader, RecordPlan, TrackedColumn

_PACK, _READER = ":", "#"


@dataclass(frozen=True)
class TenantPlans:
    """The plans of a tenant by pack."""

    by_pack: Mapping[str, Plan]
    _tracked: dict[str, tuple[TrackedColumn, ...]] = field(
        default_factory=dict[str, tuple[TrackedColumn, ...]]
    )
    _own_ledgers: dict[str, tuple[tuple[str, RecordPlan], ...]] = field(
        default_factory=dict[str, tuple[tuple[str, RecordPlan], ...]]
    )

    def tracked(self, table: str) -> tuple[TrackedColumn, ...]:
        """The columns of a table whose moves are kept."""
        found = self._tracked.get(table)
        if found is None:
            found = self._tracked[table] = tuple(
                one
                for plan in self.by_pack.values()
                if (known := plan.tables.get(table)) is not None
                for one in known.tracked
            )
        return found

    def missing_columns(self, table: str, columns: Collection[str]) -> set[str]:
        """Columns that a mapping reads and the table does not have."""
        read = {
            column
            for plan in self.by_pack.values()
            if (known := plan.tables.get(table)) is not None
            for column in known.columns
        }
        return read.difference(columns)

    def own_ledgers(self, table: str) -> tuple[tuple[str, RecordPlan], ...]:
        """Ledgers whose rows depend on nothing but a row of this table, with their packs."""
        found = self._own_ledgers.get(table)
        if found is None:
            found = self._own_ledgers[table] = tuple(
                (pack, reader.record)
                for pack, plan in self.by_pack.items()
                if (known := plan.tables.get(table)) is not None
                for reader in known.readers
                if reader.alias == ROOT and reader.record.ledger and not reader.record.levels
            )
        return found

    def touched(self, table: str, change: Folded) -> Iterator[tuple[str, Touched]]:
        """What a stored change may reach, by pack; rows of `own_ledgers` are done already."""
        for pack, plan in self.by_pack.items():
            for reader, value in touched_by(change, plan.tables.get(table)):
                if not (reader.record.ledger and not reader.record.levels):
                    yield pack, (reader, value)

    def left_behind(self, table: str, change: Folded) -> Iterator[tuple[str, Touched]]:
        """What a row no longer joins to, by pack."""
        for pack, plan in self.by_pack.items():
            for touched in left_behind_by(change, plan.tables.get(table)):
                yield pack, touched

    def marked(
        self, items: Iterable[DirtyItem]
    ) -> Iterator[tuple[str, Wanted | None, Touched | None]]:
        """What marks stand for: a record, or rows that a reader finds. A mark of a mapping that is
        no more stands for nothing.
        """
        for item in items:
            pack, _, name = item.kind.partition(_PACK)
            record_name, _, alias = name.partition(_READER)
            plan = self.by_pack.get(pack)
            for record in plan.records if plan else ():
                if record.name != record_name:
                    continue
                if not alias:
                    yield pack, (record, item.id), None
                elif reader := record_reader(plan, record, alias):
                    yield pack, None, (reader, item.id)


def record_reader(plan: Plan | None, record: RecordPlan, alias: str) -> Reader | None:
    """The reader of a record's join; None where it has no such join."""
    for table in plan.tables.values() if plan else ():
        for reader in table.readers:
            if reader.record is record and reader.alias == alias:
                return reader
    return None


def mark_of_record(tenant: str, pack: str, wanted: Wanted, reason: str) -> DirtyItem:
    """The mark of one derived record."""
    record, id = wanted
    return DirtyItem(tenant, f"{pack}{_PACK}{record.name}", id, reason)


def mark_of_rows(tenant: str, pack: str, touched: Touched, reason: str) -> DirtyItem:
    """The mark of the rows that a reader finds by a value: whatever they reach is computed again."""
    reader, value = touched
    return DirtyItem(
        tenant, f"{pack}{_PACK}{reader.record.name}{_READER}{reader.alias}", value, reason
    )
