"""`revops rules activate|rollback|versions|reevaluate`: which version judges."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from connectors.postgres.pool import connection
from connectors.postgres.rule_versions import list_versions
from workers.cli.output import Output, console, show_rows
from workers.cli.platform import (
    OutputOption,
    PackOption,
    TenantOption,
    acting_person,
    opened_database,
)
from workers.cli.rule_options import NoteOption, RulesArgument, platform_desk, run_on_rules
from workers.context import worker_context


def activate(
    rules: RulesArgument = "configured",
    note: NoteOption = "",
    expected: Annotated[
        int | None, typer.Option(help="Refuse if another version than this is active by now.")
    ] = None,
    tenant: TenantOption = None,
    pack: PackOption = None,
) -> None:
    """Lets rules judge from now on, on all workers at once; past decisions stay as they are."""
    settings, desk = platform_desk(tenant, pack)

    async def work() -> int:
        async with worker_context("cli", settings) as context:
            effective = await desk.named(context.pool, rules)
            return await desk.activate(
                context, effective, author=acting_person(), note=note, expected=expected
            )

    console.print(
        f"Version [bold]{run_on_rules(work())}[/] of {desk.pack} judges for {desk.tenant}."
    )


def rollback(
    version: Annotated[int, typer.Argument(help="The version whose rules are to judge again.")],
    note: NoteOption = "",
    tenant: TenantOption = None,
    pack: PackOption = None,
) -> None:
    """Lets an older version judge again, under a new number."""
    settings, desk = platform_desk(tenant, pack)

    async def work() -> int:
        async with worker_context("cli", settings) as context:
            return await desk.roll_back(context, version, author=acting_person(), note=note)

    console.print(
        f"Version [bold]{run_on_rules(work())}[/] brings the rules of version {version} back."
    )


def versions(
    tenant: TenantOption = None, pack: PackOption = None, output: OutputOption = Output.TABLE
) -> None:
    """Lists the versions, the newest first: who, when, why, and which one judges."""
    settings, desk = platform_desk(tenant, pack)

    async def work() -> list[dict[str, Any]]:
        async with opened_database(settings) as pool, connection(pool) as reading:
            found = await list_versions(reading, desk.tenant, desk.pack)
        return [
            {
                "version": one.version,
                "active": one.active,
                "accepted_at": one.accepted_at,
                "author": one.author,
                "note": one.note,
                "restores": one.restores,
                "hash": one.hash[:12] if output is Output.TABLE else one.hash,
            }
            for one in found
        ]

    columns = ("version", "active", "accepted_at", "author", "note", "restores", "hash")
    show_rows(run_on_rules(work()), columns, output)


def reevaluate(
    outcome: Annotated[str | None, typer.Option(help="Only pairs with this outcome.")] = None,
    note: NoteOption = "",
    tenant: TenantOption = None,
    pack: PackOption = None,
) -> None:
    """Has standing decisions judged again by the active rules; kept in the audit log (WF-9)."""
    settings, desk = platform_desk(tenant, pack)

    async def work() -> int:
        async with worker_context("cli", settings) as context:
            return await desk.reevaluate(
                context, outcome=outcome, author=acting_person(), note=note
            )

    console.print(
        f"{run_on_rules(work())} pairs will be judged again; `revops decisions follow` shows how."
    )
