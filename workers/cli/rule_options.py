"""What the commands on rules share: whose rules, which version or file, how a refusal is shown."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Annotated, Any, TypeVar

import typer

from connectors.postgres.rule_versions import VersionConflict
from streams.decide.documents import RuleFileError, RulesRefusedError
from streams.decide.rule_files import EffectiveRules
from streams.packs import PackError
from workers.cli.output import errors, fail, load_settings, run_command
from workers.cli.platform import config_directory, one_pack, one_tenant, opened_database
from workers.rules_desk import ACTIVE, Desk, UnknownRules
from workers.settings import Settings

Result = TypeVar("Result")
RulesArgument = Annotated[
    str,
    typer.Argument(
        metavar="RULES",
        help="A rule file, a version number, `active`, `configured` (the tenant's files) or `pack`.",
    ),
]
NoteOption = Annotated[str, typer.Option("--note", help="Why; kept with the version for good.")]


def files_desk(tenant: str | None, pack: str | None) -> Desk:
    """Whose rules, for commands that may do without a platform."""
    directory = config_directory()
    found = one_tenant(directory, tenant)
    return Desk(directory, found, one_pack(directory, found, pack))


def platform_desk(tenant: str | None, pack: str | None) -> tuple[Settings, Desk]:
    """Whose rules, and the settings of the platform that they judge on."""
    settings = load_settings()
    directory = settings.config.directory
    found = one_tenant(directory, tenant)
    return settings, Desk(directory, found, one_pack(directory, found, pack))


def run_on_rules(work: Coroutine[Any, Any, Result]) -> Result:
    """Runs a command; rules that are refused are shown with file, line and suggestion."""

    async def guarded() -> Result:
        try:
            return await work
        except (RulesRefusedError, RuleFileError) as problem:
            refused = problem.errors if isinstance(problem, RulesRefusedError) else (problem,)
        except (UnknownRules, VersionConflict, PackError) as problem:
            fail(str(problem))
        for one in refused:
            errors.print(f"[bold]{one.origin}[/]: {one.message}", highlight=False)
            if one.suggestion:
                errors.print(f"    {one.suggestion}", style="dim", highlight=False)
        fail(f"the rules are refused ({len(refused)} found); those that are active stay")

    return run_command(guarded)


async def named_rules(desk: Desk, name: str) -> EffectiveRules:
    """Rules by name; the database is opened only for a name that needs it."""
    if name != ACTIVE and not name.isdecimal():
        return await desk.named(None, name)
    async with opened_database(load_settings()) as pool:
        return await desk.named(pool, name)
