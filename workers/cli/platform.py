"""What commands on stored things share: the database alone, whose things, and since when."""

from __future__ import annotations

import getpass
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Annotated

import typer
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from connectors.postgres.pool import Pool, create_pool
from workers.cli.output import Output, fail
from workers.local import find_local_stack
from workers.settings import ConfigSettings, Settings
from workers.tenants import TenantFileError, load_tenants

OutputOption = Annotated[Output, typer.Option("--output", "-o", help="table or json")]
TenantOption = Annotated[
    str | None, typer.Option("--tenant", help="Needed where there are several tenants.")
]
PackOption = Annotated[
    str | None, typer.Option("--pack", help="Needed where there are several packs.")
]
SinceOption = Annotated[str | None, typer.Option(help="From this date or time on (ISO 8601, UTC).")]
UntilOption = Annotated[str | None, typer.Option(help="Before this date or time.")]


class _Files(BaseSettings):
    """The configuration folder alone: files can be checked where no platform runs."""

    model_config = SettingsConfigDict(
        env_prefix="REVOPS_", env_nested_delimiter="__", extra="ignore"
    )

    config: ConfigSettings = Field(default_factory=ConfigSettings)


def config_directory() -> Path:
    """The configuration folder, for commands that may do without a platform."""
    find_local_stack()
    return _Files().config.directory


def acting_person() -> str:
    """Under whose name a command's deeds are recorded: `REVOPS_ACTOR`, else the login name."""
    return os.environ.get("REVOPS_ACTOR") or getpass.getuser()


@asynccontextmanager
async def opened_database(settings: Settings) -> AsyncIterator[Pool]:
    """The platform's database, for commands that need no broker. Raises Retryable when it is away."""
    pool = await create_pool(
        settings.database.dsn.get_secret_value(), max_size=2, application="revops.cli"
    )
    try:
        yield pool
    finally:
        await pool.close()


def one_tenant(directory: Path, named: str | None) -> str:
    """The tenant that a command is for: the named one, or the only one that there is."""
    known = _tenants(directory)
    if named is not None:
        if known and named not in known:
            fail(f"no tenant {named!r}; there are {', '.join(sorted(known))}", code=2)
        return named
    if len(known) == 1:
        return next(iter(known))
    fail(f"there are several tenants: say --tenant {' or '.join(sorted(known))}", code=2)


def one_pack(directory: Path, tenant: str, named: str | None) -> str:
    """The pack that a command is for: the named one, or the only one that the tenant uses."""
    known = _tenants(directory).get(tenant, ())
    if named is not None:
        return named
    if len(known) == 1:
        return known[0]
    fail(f"{tenant} uses several packs: say --pack {' or '.join(sorted(known))}", code=2)


def moment(text: str | None) -> datetime | None:
    """A date (its beginning) or time as a person writes it, in UTC unless it says otherwise."""
    if text is None:
        return None
    try:
        if len(text) <= 10:
            return datetime.combine(date.fromisoformat(text), time.min, UTC)
        found = datetime.fromisoformat(text)
    except ValueError:
        fail(f"{text!r} is no date or time; write 2026-11-20 or 2026-11-20T09:00:00Z", code=2)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _tenants(directory: Path) -> dict[str, tuple[str, ...]]:
    try:
        found = load_tenants(directory)
    except TenantFileError as problem:
        fail(str(problem))
    return {name: tuple(tenant.packs) for name, tenant in found.items()}
