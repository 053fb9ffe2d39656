"""Golden company records."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Creates the tables of companies and marks the records that are there to be looked at."""
    path = Path(__file__).parents[1] / "sql" / "companies.sql"
    op.get_bind().connection.cursor().execute(path.read_text(encoding="utf-8"))
    op.execute(
        "insert into ops.dirty (worker, tenant, kind, id, reason)"
        " select 'companies', tenant, 'record',"
        "        json_build_array(pack, kind, side, id)::text, 'migration'"
        "   from core.records where customer is not null and not deleted"
    )
