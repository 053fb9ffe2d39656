"""The rows of a source database in memory: tables of rows by key, with ids as a sequence gives them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

Row = dict[str, Any]
"""One row by column name. Values are what the database holds: naive UTC datetimes where the column
has no zone, `Decimal` money, dicts for jsonb. A column that is not named is NULL."""

Key = int | str | tuple[int, int] | tuple[str, str]
"""A row's key: its id or GUID, or both columns of a key of two."""

ODOO_TABLES: tuple[str, ...] = (
    "res_currency",
    "res_country",
    "res_country_state",
    "res_partner_industry",
    "res_company",
    "res_partner",
    "res_users",
    "crm_team",
    "crm_stage",
    "crm_lost_reason",
    "crm_tag",
    "crm_lead",
    "crm_tag_rel",
    "product_template",
    "product_product",
    "sale_order",
    "sale_order_line",
    "project_project",
    "mail_message",
    "account_move",
    "account_move_line",
    "c_aws_accounts",
    "c_aws_funding_request",
    "c_billing_cur_load",
    "c_billing_internal_cur",
    "c_billing_bill",
    "c_billing_bill_line",
    "c_billing_spp_bill",
)
APN_TABLES: tuple[str, ...] = ("apn_users", "apn_companies", "apn_contacts", "apn_opportunity")


@dataclass(slots=True)
class SourceDatabase:
    """All rows of one database."""

    tables: dict[str, dict[Key, Row]]
    journal: list[tuple[str, Key]] | None = None
    """Where `insert` notes what it wrote, while somebody asks for it."""
    _last_ids: dict[str, int] = field(default_factory=dict)

    @classmethod
    def empty(cls, tables: Sequence[str]) -> SourceDatabase:
        """A database whose tables have no row."""
        return cls({table: {} for table in tables})

    def __getitem__(self, table: str) -> dict[Key, Row]:
        return self.tables[table]

    def insert(self, table: str, row: Row) -> int:
        """Add a row under its `id`, or under the next free one, and return that id."""
        row_id: int = row.get("id") or self.next_id(table)
        rows = self.tables[table]
        if row_id in rows:
            raise ValueError(f"{table} has a row {row_id} already: give another id")
        rows[row_id] = {"id": row_id, **row}
        if self.journal is not None:
            self.journal.append((table, row_id))
        self._last_ids[table] = max(self._last_ids.get(table, 0), row_id)
        return row_id

    def add(self, table: str, row: Row, *key: str) -> None:
        """Add a row under the text in its key column, or in both of them."""
        values = [row[column] for column in key]
        name: Key = values[0] if len(values) == 1 else (values[0], values[1])
        if name in self.tables[table]:
            raise ValueError(f"{table} has a row {name} already")
        self.tables[table][name] = row

    def link(self, table: str, first: str, second: str, pair: tuple[int, int]) -> None:
        """Add a row of a many-to-many table."""
        self.tables[table][pair] = {first: pair[0], second: pair[1]}

    def next_id(self, table: str) -> int:
        """The id that the table's sequence would give."""
        return self._last_ids.get(table, 0) + 1

    def reserve_id(self, table: str) -> int:
        """The next id, which nobody else then gets."""
        self._last_ids[table] = self.next_id(table)
        return self._last_ids[table]

    def rows(self, table: str) -> Iterator[Row]:
        """The rows of a table in key order."""
        by_key: Callable[[tuple[Any, Row]], Any] = itemgetter(0)
        return (row for _, row in sorted(self.tables[table].items(), key=by_key))

    def count(self) -> int:
        """How many rows there are in all tables."""
        return sum(len(rows) for rows in self.tables.values())

    def copy(self) -> SourceDatabase:
        """A copy whose rows can be changed, added and removed apart from these."""
        tables = {
            table: {key: dict(row) for key, row in rows.items()}
            for table, rows in self.tables.items()
        }
        return SourceDatabase(tables, _last_ids=dict(self._last_ids))


@dataclass(frozen=True, slots=True)
class SourceContent:
    """What makes a source database: its schema, as a script of `deploy.sample`, and all its rows."""

    script: str
    rows: SourceDatabase
