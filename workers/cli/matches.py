"""`revops matches`: which records are one, why, and people's word on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any
from uuid import uuid4

import typer
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from connectors.postgres.match_queries import find_matches, list_matches
from connectors.postgres.matches import scored_part
from connectors.postgres.outbox import message
from connectors.postgres.pool import connection, transaction
from schemas.events import MatchCommanded, MatchStatus
from schemas.topics import COMMAND_MATCH
from streams.match.explanation import Explanation
from streams.match.explanation import explain as explanation_of
from streams.match.scored_pair import ScoredPair
from workers.cli.output import (
    Output,
    console,
    fail,
    load_settings,
    run_command,
    show_json,
    show_rows,
)
from workers.cli.platform import acting_person
from workers.context import worker_context

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Pairs of records that are the same thing."
)

OutputOption = Annotated[Output, typer.Option("--output", "-o", help="table or json")]
MatchArgument = Annotated[str, typer.Argument(metavar="ID", help="Match id, or LEFT:RIGHT.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; kept for good.")]
TenantOption = Annotated[str | None, typer.Option("--tenant", help="Only this tenant's.")]

_COLUMNS = (
    "match_id",
    "left",
    "right",
    "status",
    "confidence",
    "confidence_method",
    "probability",
    "ambiguous",
    "reason",
)


@app.command("list")
def list_command(
    status: Annotated[MatchStatus | None, typer.Option(help="Only of this status.")] = None,
    record: Annotated[
        str | None, typer.Option(help="Only with this record on either side.")
    ] = None,
    tenant: TenantOption = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="So many at most.")] = 50,
    output: OutputOption = Output.TABLE,
) -> None:
    """Lists pairs, the most probable first."""

    async def work() -> list[dict[str, Any]]:
        async with (
            worker_context("cli", load_settings()) as context,
            connection(context.pool) as borrowed,
        ):
            return await list_matches(
                borrowed, status=status, record=record, tenant=tenant, limit=limit
            )

    show_rows(run_command(work), _COLUMNS, output)


@app.command()
def show(match: MatchArgument, tenant: TenantOption = None) -> None:
    """Shows one pair with all its evidence, as JSON."""
    show_json(_find(match, tenant))


@app.command()
def explain(
    match: MatchArgument, tenant: TenantOption = None, output: OutputOption = Output.TABLE
) -> None:
    """Tells why a pair has its probability: every comparison, its weight, the best rival."""
    found = _find(match, tenant)
    scored = scored_part(found["evidence"])
    if scored is None:
        console.print(found["reason"])
        return
    told = explanation_of(ScoredPair.from_json(scored))
    if output is Output.JSON:
        show_json(told.to_json())
        return
    title = Text.assemble(f"{found['left']} ↔ {found['right']}  ", (str(found["status"]), "bold"))
    console.print(Panel(Text(told.summary), title=title, title_align="left"))
    console.print(waterfall(told))
    for line in (told.confidence, *told.rivals):
        console.print(Text(line))


def waterfall(told: Explanation) -> Table:
    """The way from the prior to the probability, one row a comparison.

    What records say is shown as it is: brackets in a name are no markup.
    """
    table = Table(header_style="bold", expand=False)
    for heading in ("comparison", "left", "right", "weight", "probability after", "in words"):
        table.add_column(heading, overflow="fold")
    table.add_row("before any evidence", "", "", "", f"{told.prior:.1%}", "")
    for step in told.steps:
        colour = "green" if step.contribution > 0 else "red" if step.contribution < 0 else "dim"
        table.add_row(
            step.title,
            Text(step.left_value or ""),
            Text(step.right_value or ""),
            Text(f"{step.contribution:+.2f}", colour),
            f"{step.probability_after:.1%}",
            Text(step.words),
        )
    return table


@app.command()
def confirm(match: MatchArgument, reason: ReasonOption, tenant: TenantOption = None) -> None:
    """Says that the two records are one; rule R4 then passes by your word (MATCH-11)."""
    _command(match, "confirm", reason, tenant)


@app.command()
def reject(match: MatchArgument, reason: ReasonOption, tenant: TenantOption = None) -> None:
    """Says that the two records are not one; they are not proposed again (MATCH-11)."""
    _command(match, "reject", reason, tenant)


@app.command()
def undo(match: MatchArgument, reason: ReasonOption, tenant: TenantOption = None) -> None:
    """Takes the last word on a pair back."""
    _command(match, "undo", reason, tenant)


def _find(match: str, tenant: str | None) -> Mapping[str, Any]:
    """The one pair of that name; fails where there is none, and where several have it."""

    async def work() -> list[dict[str, Any]]:
        async with (
            worker_context("cli", load_settings()) as context,
            connection(context.pool) as borrowed,
        ):
            return await find_matches(borrowed, match, tenant)

    found = run_command(work)
    if not found:
        fail(f"no match {match!r}; `revops matches list` names them")
    if len(found) > 1:
        places = "\n".join(f"  {one['match_id']}  {one['tenant']}, {one['pack']}" for one in found)
        fail(f"{match!r} is a pair of several places; give --tenant or one of the ids:\n{places}")
    return found[0]


def _command(match: str, verdict: Any, reason: str, tenant: str | None) -> None:
    if not reason.strip():
        fail("--reason must say why; it is kept with the verdict", code=2)
    found = _find(match, tenant)

    async def work() -> None:
        async with worker_context("cli", load_settings()) as context:
            command = MatchCommanded(
                tenant=found["tenant"],
                pack=found["pack"],
                emitted_at=context.clock.wall(),
                command_id=str(uuid4()),
                verdict=verdict,
                left=found["left"],
                right=found["right"],
                actor=acting_person(),
                reason=reason.strip(),
                seen_version=found["version"],
            )
            async with transaction(context.pool) as borrowed:
                await context.outbox.put(borrowed, [message(COMMAND_MATCH, command, state=False)])
            await context.relay.flush()

    run_command(work)
    console.print(f"{verdict}: {found['left']} ↔ {found['right']} sent.")
