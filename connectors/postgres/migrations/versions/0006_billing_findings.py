"""What is found in billing rows is told, and told to be over."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Counts how often what is found in a billing row has changed."""
    op.execute("alter table core.billing_records add column dq_version int not null default 0")
    op.execute("update core.billing_records set dq_version = 1 where dq_flags <> '{}'")
