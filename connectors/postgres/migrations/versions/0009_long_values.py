"""Events on their way and the evidence of pairs are stored as they are."""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Long values are no longer compressed: that took longer than to write them.

    They stay apart from their rows, so that those remain short.
    """
    for table, column in (("ops.outbox", "value"), ("core.matches", "evidence")):
        op.execute(f"alter table {table} alter column {column} set storage external")
