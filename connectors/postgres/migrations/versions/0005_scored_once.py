"""Pairs as they were scored are kept once: in the evidence that the event carries."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Drops the second copy, which was written and compressed with every change of a pair."""
    op.execute("alter table core.matches drop column scored")
