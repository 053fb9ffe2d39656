"""Least privilege in a source database: the script that creates it, and running it."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import asyncpg

from connectors.postgres.pool import outages_are_retryable
from connectors.postgres.source import quoted
from schemas.tenants import CaptureMode, Source

SCRIPT = "source_rights.sql"


class RightsRefused(RuntimeError):  # noqa: N818 - it tells the operator what PostgreSQL said
    """The rights could not be given; the message says why and what to do."""


def rights_script(source: Source, role: str) -> str:
    """The SQL that gives `role` what capturing `source` needs; for a database administrator.

    It names no password and may run again at any time.
    """
    wanted = {
        "role": role,
        "replication": source.capture is CaptureMode.DEBEZIUM,
        "schema": source.db_schema,
        "publication": source.publication,
        "tables": [
            {"name": table, "without": sorted(source.without.get(table, ()))}
            for table in source.tables
        ],
    }
    script = files("connectors.kafka_connect").joinpath(SCRIPT).read_text(encoding="utf-8")
    return script.replace("{wanted}", json.dumps(wanted, indent=2))


async def grant_rights(
    owner_dsn: str, source: Source, role: str, password: str | None = None
) -> list[str]:
    """Runs the script as the owner of the tables; returns PostgreSQL's warnings.

    Sets the role's password where one is given. Raises RightsRefused, Retryable.
    """
    warnings: list[str] = []
    async with outages_are_retryable():
        owner = await asyncpg.connect(owner_dsn, timeout=20)
    try:
        owner.add_log_listener(lambda _, message: warnings.append(_said(message)))
        async with outages_are_retryable(), owner.transaction():
            await owner.execute(rights_script(source, role))
            if password is not None:
                verifier = await owner.fetchval("select quote_literal($1)", password)
                await owner.execute(f"alter role {quoted(role)} password {verifier}")
    except asyncpg.PostgresError as problem:
        raise RightsRefused(_said(problem)) from problem
    finally:
        await owner.close()
    return warnings


def _said(told: Any) -> str:
    """PostgreSQL's message and its hint, as one sentence each."""
    hint = getattr(told, "hint", None)
    return f"{told.args[0] if told.args else told}{f'. {hint}' if hint else ''}"
