"""Spend: imports from files, summaries, anomalies and the threshold watch."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Creates the tables of spend and marks what is there to be summarised."""
    path = Path(__file__).parents[1] / "sql" / "spend.sql"
    op.get_bind().connection.cursor().execute(path.read_text(encoding="utf-8"))
    op.execute(
        "insert into ops.dirty (worker, tenant, kind, id, reason)"
        " select distinct 'spend', tenant, 'account-month', month || '/' || account_id, 'migration'"
        "   from core.billing_records where account_id <> '' and month is not null"
        " union"
        " select distinct 'spend', tenant, 'customer-month', month || '/' || coalesce(customer, ''),"
        "        'migration'"
        "   from core.billing_records where account_id = '' and month is not null"
    )
