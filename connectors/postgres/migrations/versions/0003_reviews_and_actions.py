"""The review queue, and what is sent out to people and other systems."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Creates the tables of reviews and actions."""
    folder = Path(__file__).parents[1] / "sql"
    for part in ("reviews", "actions"):
        statements = (folder / f"{part}.sql").read_text(encoding="utf-8")
        op.get_bind().connection.cursor().execute(statements)
