"""`revops status`: what runs, what is captured, what waits, what was rejected, and what is wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.table import Table

from connectors.postgres.dirty import count_dirty
from connectors.postgres.pool import connection
from connectors.postgres.timers import next_timer
from deploy.local.stack import LocalStack
from schemas.results import Retryable
from workers.capture_control import opened_connect, sources_of
from workers.capture_status import capture_status, dead_letter_counts, worker_lags
from workers.cli.output import Output, console, fail, load_settings, show_json
from workers.context import WorkerContext, worker_context
from workers.local import local_stack
from workers.settings import Settings
from workers.subscriptions import subscriptions
from workers.tenants import TenantFileError, load_tenants

app = typer.Typer(add_completion=False)

Findings = dict[str, Any]


@app.command()
def status(
    output: Annotated[Output, typer.Option("--output", "-o", help="table or json")] = Output.TABLE,
) -> None:
    """Shows the state of the whole platform; exit status 1 where something is wrong."""
    settings = load_settings()
    found: Findings = {"processes": _processes(local_stack()), "problems": []}
    found["problems"] += [
        f"{one['name']}: {one['problem'] or one['status']}"
        for one in found["processes"]
        if one["status"] not in {"ready", "stopped"}
    ]
    try:
        found |= asyncio.run(_platform(settings))
        found["problems"] += _platform_problems(found)
    except Retryable as problem:
        found["problems"].append(str(problem))
    except TenantFileError as problem:
        fail(str(problem))
    if output is Output.JSON:
        show_json(found)
    else:
        _print(found)
    if found["problems"]:
        raise typer.Exit(1)


def _processes(stack: LocalStack) -> list[dict[str, Any]]:
    """The local stack's processes; none where the platform runs elsewhere."""
    if not stack.settings.data_dir.is_dir():
        return []
    return [
        {
            "name": one.name,
            "kind": one.kind,
            "status": one.status,
            "pid": one.process.pid if one.process else None,
            "since": one.since.isoformat(),
            "restarts": one.restarts,
            "last_exit": one.last_exit,
            "problem": one.problem,
        }
        for one in stack.state().processes
    ]


async def _platform(settings: Settings) -> Findings:
    tenants = load_tenants(settings.config.directory)
    targets = sources_of(tenants)
    async with worker_context("cli", settings, wait=False) as context:
        async with opened_connect(context) as client:
            sources = [one.as_row() for one in await capture_status(context, client, targets)]
        lags = await worker_lags(context, subscriptions(tenants))
        return {
            "sources": sources,
            "lag": {one.worker: one.records for one in lags},
            "dead_letters": await dead_letter_counts(context),
            **await _work_left(context),
        }


async def _work_left(context: WorkerContext) -> Findings:
    async with connection(context.pool) as borrowed:
        return {
            "to_recompute": await count_dirty(borrowed),
            "to_send": await borrowed.fetchval("select count(*) from ops.outbox"),
            "next_timer": await next_timer(borrowed),
        }


def _platform_problems(found: Findings) -> list[str]:
    problems = [f"{one['source']}: {one['problem']}" for one in found["sources"] if one["problem"]]
    problems += [
        f"{worker}: {count} dead letters; `revops dlq list --worker {worker}` says why"
        for worker, count in found["dead_letters"].items()
    ]
    return problems


def _print(found: Findings) -> None:
    if found["processes"]:
        _table("Processes", found["processes"], ("name", "status", "pid", "restarts", "last_exit"))
    if "sources" in found:
        columns = (
            "source",
            "capture",
            "epoch",
            "phase",
            "complete",
            "connector",
            "tasks",
            "slot_lag_bytes",
            "rows_on_their_way",
        )
        _table("Sources", found["sources"], columns)
        lag = [
            {"worker": worker, "records_behind": count} for worker, count in found["lag"].items()
        ]
        for row in lag:
            row["to_recompute"] = found["to_recompute"].get(row["worker"], 0)
            row["dead_letters"] = found["dead_letters"].get(row["worker"], 0)
        _table("Workers", lag, ("worker", "records_behind", "to_recompute", "dead_letters"))
        console.print(
            f"events to send: {found['to_send']}   next timer: {found['next_timer'] or 'none'}"
        )
    for problem in found["problems"]:
        console.print(f"[bold red]problem[/] {problem}", highlight=False)
    if not found["problems"]:
        console.print("[green]Nothing is wrong.[/]")


def _table(title: str, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    table = Table(title=title, title_justify="left", header_style="bold")
    for column in columns:
        table.add_column(column.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(_shown(row[column]) for column in columns))
    console.print(table)


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "[green]yes[/]" if value else "[yellow]no[/]"
    if isinstance(value, tuple | list):
        return "\n".join(map(str, value))
    return str(value)
