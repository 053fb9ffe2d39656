"""`revops reviews`: what waits for a person, and people's answers (WF-1..WF-9)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import uuid4

import typer
from rich.table import Table

from connectors.postgres.decisions import StoredDecision, newest_of_pair, read_decision
from connectors.postgres.outbox import message
from connectors.postgres.pool import Connection, connection, transaction
from connectors.postgres.reviews import (
    QueueFilter,
    command_result,
    commands_of_pair,
    find_entries,
    list_entries,
)
from schemas.events import ReviewCommanded
from schemas.topics import COMMAND_REVIEW
from workers.cli.output import (
    Output,
    console,
    fail,
    load_settings,
    run_command,
    show_json,
    show_rows,
)
from workers.cli.platform import (
    OutputOption,
    PackOption,
    TenantOption,
    acting_person,
    one_pack,
    one_tenant,
    opened_database,
)
from workers.context import worker_context

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Decisions that wait for a person's answer."
)

Verdict = Literal["approve", "reject", "override", "appeal", "assign"]
ReviewArgument = Annotated[
    str,
    typer.Argument(
        metavar="ID", help="A review's or decision's id or its first characters, or LEFT:RIGHT."
    ),
]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; kept for good.")]
SeenOption = Annotated[
    int | None,
    typer.Option(
        "--seen", help="The decision's version that you saw; refused where it is another by now."
    ),
]
_COLUMNS = ("id", "pair", "at_stake", "days_left", "due_at", "status", "why")
_ANSWER_SECONDS = 20.0


@app.command("list")
def list_command(
    every: Annotated[bool, typer.Option("--all", help="Answered and withdrawn ones too.")] = False,
    kind: Annotated[
        str | None, typer.Option(help="Only review, appeal, drift or override.")
    ] = None,
    assignee: Annotated[str | None, typer.Option(help="Only this person's.")] = None,
    record: Annotated[str | None, typer.Option(help="Only with this record on a side.")] = None,
    breached: Annotated[bool, typer.Option("--breached", help="Only what is over time.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="So many at most.")] = 50,
    tenant: TenantOption = None,
    pack: PackOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Lists what waits for an answer: first what is over time, then by money at stake a day left."""
    settings = load_settings()
    whose, which = _whose(tenant, pack)
    wanted = QueueFilter(None if every else "open", kind, assignee, record, breached)
    today = (settings.clock.as_of or datetime.now(UTC)).date()

    async def work() -> list[dict[str, Any]]:
        async with opened_database(settings) as pool, connection(pool) as reading:
            return await list_entries(reading, whose, which, wanted, today, limit)

    rows = run_command(work)
    if output is Output.JSON:
        show_json(rows)
        return
    show_rows([_row(one) for one in rows], _COLUMNS, output)
    if not rows:
        console.print("Nothing waits for an answer.")


@app.command()
def show(
    review: ReviewArgument,
    tenant: TenantOption = None,
    pack: PackOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Shows a pair's questions and answers; `revops decisions explain` tells what led to them."""
    settings = load_settings()
    whose, which = _whose(tenant, pack)

    async def work() -> dict[str, Any]:
        async with opened_database(settings) as pool, connection(pool) as reading:
            decision = await _decision(reading, whose, which, review)
            wanted = QueueFilter(status=None, record=decision.left)
            entries = await list_entries(reading, whose, which, wanted, decision.as_of, 1000)
            return {
                "decision_id": decision.decision_id,
                "left": decision.left,
                "right": decision.right,
                "version": decision.version,
                "outcome": decision.outcome,
                "state": decision.state,
                "summary": decision.summary,
                "entries": [one for one in entries if one["right"] == decision.right],
                "commands": await commands_of_pair(
                    reading, whose, which, decision.left, decision.right
                ),
            }

    found = run_command(work)
    if output is Output.JSON:
        show_json(found)
        return
    console.print(
        f"[bold]{found['left']} ↔ {found['right']}[/]  version {found['version']}  "
        f"{found['outcome']}, {found['state']}"
    )
    console.print(found["summary"])
    show_rows([_row(one) for one in found["entries"]], _COLUMNS, output)
    if found["commands"]:
        table = Table("at", "who", "verdict", "came to", "", header_style="bold")
        for one in found["commands"]:
            at = one["at"].strftime("%m-%d %H:%M:%S")
            table.add_row(at, one["actor"], one["verdict"], one["code"], one["message"])
        console.print(table)


@app.command()
def assign(
    review: ReviewArgument,
    to: Annotated[str, typer.Option("--to", help="Whose it becomes.")],
    tenant: TenantOption = None,
    pack: PackOption = None,
) -> None:
    """Makes a review somebody's."""
    _command("assign", review, tenant, pack, assignee=to)


@app.command()
def approve(
    review: ReviewArgument,
    reason: ReasonOption,
    seen: SeenOption = None,
    tenant: TenantOption = None,
    pack: PackOption = None,
) -> None:
    """Approves a decision that waits; where a critical rule fails a second lead must do so too."""
    _command("approve", review, tenant, pack, reason=reason, seen=seen)


@app.command()
def reject(
    review: ReviewArgument,
    reason: ReasonOption,
    seen: SeenOption = None,
    tenant: TenantOption = None,
    pack: PackOption = None,
) -> None:
    """Rejects a decision that waits."""
    _command("reject", review, tenant, pack, reason=reason, seen=seen)


@app.command()
def override(
    review: ReviewArgument,
    reason: ReasonOption,
    seen: SeenOption = None,
    tenant: TenantOption = None,
    pack: PackOption = None,
) -> None:
    """Turns an approved or rejected decision around; leads only, and the rules' results stay visible."""
    _command("override", review, tenant, pack, reason=reason, seen=seen)


@app.command()
def appeal(
    review: ReviewArgument,
    reason: ReasonOption,
    seen: SeenOption = None,
    tenant: TenantOption = None,
    pack: PackOption = None,
) -> None:
    """Objects to a rejection with new facts; another person answers than decided first."""
    _command("appeal", review, tenant, pack, reason=reason, seen=seen)


def _whose(tenant: str | None, pack: str | None) -> tuple[str, str]:
    directory = load_settings().config.directory
    whose = one_tenant(directory, tenant)
    return whose, one_pack(directory, whose, pack)


async def _decision(reading: Connection, tenant: str, pack: str, named: str) -> StoredDecision:
    """The newest decision of the pair that an id names."""
    pair = named.partition(":")[::2] if ":" in named else None
    if pair is None:
        found = await find_entries(reading, tenant, pack, named)
        if len(found) == 1:
            pair = (found[0]["left"], found[0]["right"])
        elif decision := await read_decision(reading, tenant, named):
            pair = (decision.left, decision.right)
    newest = await newest_of_pair(reading, tenant, pack, *pair) if pair else None
    if newest is None:
        fail(f"no review {named!r}; `revops reviews list` names them")
    return newest


def _command(
    verdict: Verdict,
    review: str,
    tenant: str | None,
    pack: str | None,
    *,
    reason: str = "",
    seen: int | None = None,
    assignee: str | None = None,
) -> None:
    """Sends a command and waits for what the review worker makes of it."""
    if verdict != "assign" and not reason.strip():
        fail("--reason must say why; it is kept with the verdict", code=2)
    settings = load_settings()
    whose, which = _whose(tenant, pack)

    async def work() -> tuple[StoredDecision, tuple[str, str] | None]:
        async with worker_context("cli", settings, wait=False) as context:
            async with connection(context.pool) as reading:
                decision = await _decision(reading, whose, which, review)
            command = ReviewCommanded(
                tenant=whose,
                pack=which,
                emitted_at=context.clock.wall(),
                command_id=str(uuid4()),
                verdict=verdict,
                left=decision.left,
                right=decision.right,
                actor=acting_person(),
                reason=reason.strip(),
                seen_version=decision.version if seen is None else seen,
                assignee=assignee,
            )
            async with transaction(context.pool) as writing:
                await context.outbox.put(writing, [message(COMMAND_REVIEW, command, state=False)])
            await context.relay.flush()
            deadline = asyncio.get_running_loop().time() + _ANSWER_SECONDS
            while asyncio.get_running_loop().time() < deadline:
                async with connection(context.pool) as reading:
                    result = await command_result(reading, whose, command.command_id)
                if result is not None:
                    return decision, result
                await asyncio.sleep(0.1)
        return decision, None

    decision, result = run_command(work)
    if result is None:
        fail(
            "the command is sent, and the review worker has not answered yet: `revops status` tells "
            f"whether it runs, `revops reviews show {decision.left}:{decision.right}` what came of it"
        )
    code, text = result
    if code != "done":
        fail(f"{text} ({code})")
    console.print(f"{verdict}: {decision.left} ↔ {decision.right} done.")


def _row(entry: Mapping[str, Any]) -> dict[str, Any]:
    """An entry as a line of a table."""
    value, proposal = entry["value"], entry["proposal"]
    state = [entry["kind"], entry["verdict"] or entry["status"]]
    if entry["assignee"]:
        state.append(f"with {entry['assignee']}")
    if proposal:
        state.append(f"{proposal['by']} proposes to {proposal['answer']}")
    late = " over time" if entry["breached_at"] and entry["status"] == "open" else ""
    return {
        "id": entry["entry_id"][:8],
        "pair": f"{entry['left']} ↔ {entry['right']}",
        "at_stake": None if value is None else f"{value:,.2f} {entry['unit']}".rstrip(),
        "days_left": entry.get("days_left"),
        "due_at": f"{entry['due_at']:%m-%d %H:%M}{late}",
        "status": ", ".join(state),
        "why": "; ".join(entry["reasons"]),
    }
