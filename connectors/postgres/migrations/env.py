"""Alembic's entry: one connection, one transaction, an advisory lock against a second migrator."""

from __future__ import annotations

from alembic import context
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

_MIGRATION_LOCK = 7_262_007


def run() -> None:
    """Runs the migrations of this folder on `config.attributes['dsn']`."""
    dsn: str = context.config.attributes["dsn"]
    engine = create_engine(
        dsn.replace("postgresql://", "postgresql+psycopg://", 1), poolclass=NullPool
    )
    with engine.begin() as connection:
        connection.execute(text(f"select pg_advisory_xact_lock({_MIGRATION_LOCK})"))
        context.configure(connection=connection, version_table="schema_migrations")
        context.run_migrations()


run()
