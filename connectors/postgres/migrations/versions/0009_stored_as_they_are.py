"""Events on their way and pairs are stored as they are: a round took longer to pack than to write them."""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"

_PAGE = 8160
"""The longest row that a page holds, in bytes."""


def upgrade() -> None:
    """Rows that fit a page stay in it, uncompressed; longer values are kept apart."""
    for table, column in (("ops.outbox", "value"), ("core.matches", "evidence")):
        op.execute(f"alter table {table} alter column {column} set storage external")
        op.execute(f"alter table {table} set (toast_tuple_target = {_PAGE})")
