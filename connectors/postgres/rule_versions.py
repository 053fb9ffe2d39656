"""Rule versions and which one judges (`ops.config_versions`, `ops.config_active`, CFG-8)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from connectors.postgres.pool import Connection


@dataclass(frozen=True, slots=True)
class ActiveVersion:
    """The version that judges, named without its content."""

    version: int
    hash: str


@dataclass(frozen=True, slots=True)
class RuleVersion:
    """An accepted version: `body` is the canonical JSON of the effective rules, `hash` its SHA-256.

    `restores` names the older version that a roll-back brought back.
    """

    tenant: str
    pack: str
    version: int
    hash: str
    body: str
    origins: dict[str, str]
    author: str
    note: str
    restores: int | None
    accepted_at: datetime
    active: bool


class VersionConflict(Exception):  # noqa: N818 - two people changed the rules at once
    """Another version was activated meanwhile."""


_COLUMNS = """v.tenant, v.pack, v.version, v.hash, v.body, v.origins::text as origins, v.author, v.note,
 v.restores, v.accepted_at, coalesce(a.version = v.version, false) as active"""


async def active_version(connection: Connection, tenant: str, pack: str) -> ActiveVersion | None:
    """The version that judges now; None before the first activation."""
    row = await connection.fetchrow(
        "select version, hash from ops.config_active where tenant = $1 and pack = $2", tenant, pack
    )
    return ActiveVersion(row["version"], row["hash"]) if row else None


async def read_version(
    connection: Connection, tenant: str, pack: str, version: int
) -> RuleVersion | None:
    """One version with its content; None where there is none."""
    row = await connection.fetchrow(
        f"""select {_COLUMNS} from ops.config_versions v
              left join ops.config_active a using (tenant, pack)
             where v.tenant = $1 and v.pack = $2 and v.version = $3""",
        tenant,
        pack,
        version,
    )
    return _version(row) if row else None


async def list_versions(connection: Connection, tenant: str, pack: str) -> list[RuleVersion]:
    """All versions, the newest first."""
    rows = await connection.fetch(
        f"""select {_COLUMNS} from ops.config_versions v
              left join ops.config_active a using (tenant, pack)
             where v.tenant = $1 and v.pack = $2 order by v.version desc""",
        tenant,
        pack,
    )
    return [_version(row) for row in rows]


async def activate_version(
    connection: Connection,
    *,
    tenant: str,
    pack: str,
    hash: str,
    body: str,
    origins: dict[str, str],
    author: str,
    note: str = "",
    restores: int | None = None,
    expected: int | None = None,
) -> tuple[int, bool]:
    """Stores the rules as a new version and lets it judge; (version, whether anything changed).

    Rules equal to the active ones make no new version. Two activations at once are put in a row by
    the lock; with `expected` the later one raises VersionConflict instead of overwriting.
    """
    await connection.execute(
        "select pg_advisory_xact_lock(hashtextextended($1, 7))", f"{tenant}\x1f{pack}"
    )
    active = await active_version(connection, tenant, pack)
    if active and active.hash == hash:
        return active.version, False
    if expected is not None and expected != (active.version if active else 0):
        raise VersionConflict(
            f"version {active.version if active else 0} is active, not {expected}; look at it first"
        )
    version: int | None = await connection.fetchval(
        """insert into ops.config_versions
             (tenant, pack, version, hash, body, origins, author, note, restores)
           select $1, $2, coalesce(max(version), 0) + 1, $3, $4, $5::jsonb, $6, $7, $8
             from ops.config_versions where tenant = $1 and pack = $2
           returning version""",
        tenant,
        pack,
        hash,
        body,
        orjson.dumps(origins).decode(),
        author,
        note,
        restores,
    )
    await connection.execute(
        """insert into ops.config_active (tenant, pack, version, hash, activated_by)
           values ($1, $2, $3, $4, $5)
           on conflict (tenant, pack) do update set version = excluded.version,
             hash = excluded.hash, activated_by = excluded.activated_by,
             activated_at = clock_timestamp()""",
        tenant,
        pack,
        version,
        hash,
        author,
    )
    assert version is not None
    return version, True


def _version(row: Any) -> RuleVersion:
    return RuleVersion(**{**dict(row), "origins": orjson.loads(row["origins"])})
