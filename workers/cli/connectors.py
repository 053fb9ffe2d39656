"""`revops connectors`: how the sources are captured, whether they can be, and bringing it about."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, TypeVar

import typer

from connectors.kafka_connect.client import ConnectClient, ConnectRefused
from connectors.kafka_connect.configuration import DatabaseAddress
from connectors.kafka_connect.source_rights import RightsRefused, grant_rights, rights_script
from workers.capture_control import (
    CaptureFailed,
    CapturePlan,
    SourceToCapture,
    apply_captures,
    opened_connect,
    plan_capture,
    resync,
    sources_of,
)
from workers.capture_status import SourceStatus, capture_status
from workers.cli.output import (
    Output,
    console,
    fail,
    load_settings,
    run_command,
    show_rows,
)
from workers.context import WorkerContext, worker_context
from workers.source_addresses import source_dsn
from workers.tenants import TenantFileError, load_tenants

app = typer.Typer(
    no_args_is_help=True, help="Sources: how each is captured, and bringing it about."
)

OutputOption = Annotated[Output, typer.Option("--output", "-o", help="table or json")]
SourceArgument = Annotated[
    str, typer.Argument(metavar="SOURCE", help="odoo, or home.odoo where several tenants have one")
]
SourcesArgument = Annotated[
    list[str] | None, typer.Argument(metavar="[SOURCE]...", help="All sources where none is named.")
]

Result = TypeVar("Result")


@app.command()
def check(sources: SourcesArgument = None, output: OutputOption = Output.TABLE) -> None:
    """Says for each source whether it can be captured, and what `apply` would do. Changes nothing."""
    targets = _targets(sources)

    async def work(context: WorkerContext, client: ConnectClient | None) -> list[CapturePlan]:
        return [await plan_capture(context, client, target) for target in targets]

    plans = _run(work)
    _show_plans(plans, output)
    if any(plan.blocking for plan in plans):
        raise typer.Exit(1)


@app.command()
def apply(
    sources: SourcesArgument = None,
    dry_run: Annotated[bool, typer.Option(help="Only show what would be done.")] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Brings every source's capture to what the tenant files say; repeating it changes nothing."""
    targets = _targets(sources)
    failures: list[str] = []

    async def work(context: WorkerContext, client: ConnectClient | None) -> list[CapturePlan]:
        if dry_run:
            return [await plan_capture(context, client, target) for target in targets]
        plans: list[CapturePlan] = []
        for found in await apply_captures(context, client, targets):
            match found:
                case CapturePlan():
                    plans.append(found)
                case CaptureFailed() | ConnectRefused():
                    failures.append(str(found))
                case _:
                    raise found
        return plans

    plans = _run(work)
    _show_plans(plans, output)
    if failures:
        fail("\n".join(failures))
    if any(plan.blocking for plan in plans):
        raise typer.Exit(1)


@app.command("resync")
def resync_source(
    source: SourceArgument,
    reason: Annotated[str, typer.Option(help="Kept with the epoch.")] = "asked for by an operator",
    output: OutputOption = Output.TABLE,
) -> None:
    """Reads a source again from the beginning; decisions are provisional until it has arrived."""
    [target] = _targets([source])

    async def work(context: WorkerContext, client: ConnectClient | None) -> CapturePlan:
        return await resync(context, client, target, reason)

    try:
        plan = _run(work)
    except (CaptureFailed, ConnectRefused) as problem:
        fail(str(problem))
    _show_plans([plan], output)
    if plan.blocking:
        raise typer.Exit(1)


@app.command()
def status(output: OutputOption = Output.TABLE) -> None:
    """Shows each source's capture: tasks, slot, epoch, what is on its way, what is wrong."""
    targets = _targets(None)

    async def work(context: WorkerContext, client: ConnectClient | None) -> list[SourceStatus]:
        return await capture_status(context, client, targets)

    rows = [one.as_row() for one in _run(work)]
    columns = (
        "source", "capture", "epoch", "phase", "complete", "connector", "tasks", "slot",
        "slot_lag_bytes", "rows_on_their_way", "problem",
    )  # fmt: skip
    show_rows(rows, columns, output)
    if any(row["problem"] for row in rows):
        raise typer.Exit(1)


RoleOption = Annotated[
    str | None, typer.Option(help="The capture role; else the one of the source's address.")
]


@app.command()
def rights(source: SourceArgument, role: RoleOption = None) -> None:
    """Prints the SQL that gives the capture role what it needs, for a database administrator."""
    [target] = _targets([source])
    console.file.write(rights_script(target.source, role or _role_of(target)))


@app.command()
def grant(
    source: SourceArgument,
    owner_dsn_variable: Annotated[
        str, typer.Option(help="Variable with the address of the tables' owner.")
    ],
    role: RoleOption = None,
) -> None:
    """Creates the capture role with the password of the source's address, and its rights."""
    [target] = _targets([source])
    owner = os.environ.get(owner_dsn_variable, "")
    if not owner:
        fail(f"set {owner_dsn_variable}: postgresql://owner:password@host:port/database", code=2)
    address = DatabaseAddress.of(source_dsn(target.tenant, target.name, target.source))
    try:
        warnings = run_command(
            lambda: grant_rights(owner, target.source, role or address.user, address.password)
        )
    except RightsRefused as problem:
        fail(str(problem))
    for warning in warnings:
        console.print(f"[yellow]warning[/]: {warning}", highlight=False)
    console.print(f"{role or address.user} may capture {target}.")


def _targets(names: Sequence[str] | None) -> list[SourceToCapture]:
    try:
        known = sources_of(load_tenants(load_settings().config.directory))
    except TenantFileError as problem:
        fail(str(problem), code=2)
    if not names:
        return known
    return [_named(name, known) for name in names]


def _named(name: str, known: Sequence[SourceToCapture]) -> SourceToCapture:
    found = [one for one in known if name in (str(one), one.name)]
    if len(found) == 1:
        return found[0]
    several = ", ".join(map(str, found or known))
    fail(f"{name!r} is {'several sources' if found else 'no source'}; say one of {several}", code=2)


def _role_of(target: SourceToCapture) -> str:
    try:
        return DatabaseAddress.of(target.dsn).user
    except (TenantFileError, ValueError) as problem:
        fail(f"{problem}. Or name the role with --role", code=2)


def _run(
    work: Callable[[WorkerContext, ConnectClient | None], Awaitable[Result]],
) -> Result:
    async def connected() -> Result:
        settings = load_settings()
        async with (
            worker_context("cli", settings, wait=False) as context,
            opened_connect(context) as client,
        ):
            return await work(context, client)

    try:
        return run_command(connected)
    except TenantFileError as problem:
        fail(str(problem), code=2)


def _show_plans(plans: Sequence[CapturePlan], output: Output) -> None:
    rows = [_row(plan) for plan in plans]
    show_rows(rows, ("source", "capture", "step", "why", "findings"), output)


def _row(plan: CapturePlan) -> dict[str, Any]:
    changed = plan.registration.settings if plan.registration else {}
    return {
        "source": str(plan.target),
        "capture": plan.target.source.capture.value,
        "step": plan.step,
        "why": plan.new_epoch
        or ", ".join(name for name in changed if plan.known and plan.step != "nothing"),
        "findings": [str(one) for one in plan.examination.findings],
    }
