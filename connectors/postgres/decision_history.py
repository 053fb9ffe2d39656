"""The stored decisions of a tenant and pack as simulation reads them: one state of them, page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date, datetime

from connectors.postgres.pool import Connection

PastRow = tuple[str, str, str, date, str, str]
"""Decision id, left, right, day, outcome, facts as JSON text."""


@dataclass(frozen=True, slots=True)
class History:
    """Which decisions: the newest of each pair, or all; of a period, or ever.

    Ends of decisions, which were made without facts, are none of them.
    """

    tenant: str
    pack: str
    since: datetime | None = None
    until: datetime | None = None
    newest: bool = True

    @property
    def _selected(self) -> str:
        return f"""from {"ops.latest_decisions" if self.newest else "ops.decisions"}
             where tenant = $1 and pack = $2 and rule_set <> ''
               and ($3::timestamptz is null or decided_at >= $3)
               and ($4::timestamptz is null or decided_at < $4)"""

    @property
    def _arguments(self) -> tuple[str, str, datetime | None, datetime | None]:
        return self.tenant, self.pack, self.since, self.until

    async def count(self, connection: Connection) -> int:
        """How many decisions there are."""
        found = await connection.fetchval(f"select count(*) {self._selected}", *self._arguments)
        return found or 0

    async def pages(self, connection: Connection, size: int) -> AsyncIterator[list[PastRow]]:
        """The decisions in no order, so many at a time. To be read inside a transaction.

        A cursor finds them once; pages by id would find and sort all pairs anew for each page.
        """
        cursor = await connection.cursor(
            f"""select decision_id::text, left_id, right_id, as_of, outcome, facts::text
                  {self._selected}""",
            *self._arguments,
        )
        while rows := await cursor.fetch(size):
            yield [tuple(row) for row in rows]
