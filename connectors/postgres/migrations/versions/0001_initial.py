"""The first schema: raw, core, search and ops."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None

_PARTS = (
    "schemas",
    "raw",
    "core",
    "search",
    "matches",
    "decisions",
    "audit",
    "capture",
    "runtime",
    "config",
)


def upgrade() -> None:
    """Creates every schema, table and index."""
    folder = Path(__file__).parents[1] / "sql"
    for part in _PARTS:
        statements = (folder / f"{part}.sql").read_text(encoding="utf-8")
        op.get_bind().connection.cursor().execute(statements)
