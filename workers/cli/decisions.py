"""`revops decisions`: what was decided, why, from which rows, and what would change it."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from aiokafka import AIOKafkaConsumer
from pydantic import ValidationError

from connectors.postgres.audit_log import read_record
from connectors.postgres.decisions import (
    DecisionFilter,
    StoredDecision,
    list_decisions,
    newest_of_pair,
    read_decision,
)
from connectors.postgres.pool import connection
from schemas.events import DecisionMade
from workers.cli.decision_explained import Explained, show_explained
from workers.cli.decision_origins import read_origins
from workers.cli.decisions_at_risk import at_risk
from workers.cli.decisions_report import report
from workers.cli.demo_screen import Arrived, Meanings, decision_line, outcome_meanings
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
    SinceOption,
    TenantOption,
    UntilOption,
    moment,
    one_pack,
    one_tenant,
    opened_database,
)
from workers.context import kafka_client_options
from workers.settings import Settings

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Decisions, their reasons and their sources."
)

DecisionArgument = Annotated[
    str,
    typer.Argument(metavar="ID", help="A decision id or its first characters, or LEFT:RIGHT."),
]


@app.command("list")
def list_command(
    outcome: Annotated[str | None, typer.Option(help="Only with this outcome.")] = None,
    record: Annotated[str | None, typer.Option(help="Only with this record on a side.")] = None,
    rule: Annotated[str | None, typer.Option(help="Only where this rule did not pass.")] = None,
    since: SinceOption = None,
    until: UntilOption = None,
    every: Annotated[bool, typer.Option("--all", help="Older versions too.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="So many at most.")] = 50,
    tenant: TenantOption = None,
    pack: PackOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Lists decisions, the latest first; each pair's newest unless --all is given."""
    settings, whose, which = _whose(tenant, pack)
    wanted = DecisionFilter(outcome, record, rule, moment(since), moment(until), newest=not every)

    async def work() -> list[StoredDecision]:
        async with opened_database(settings) as pool, connection(pool) as reading:
            return await list_decisions(reading, whose, which, wanted, limit)

    found = run_command(work)
    rows = [
        {
            "id": one.decision_id[:8] if output is Output.TABLE else one.decision_id,
            "decided_at": one.decided_at.strftime("%m-%d %H:%M:%S")
            if output is Output.TABLE
            else one.decided_at,
            "left": one.left,
            "right": one.right,
            "version": one.version,
            "outcome": one.outcome,
            "state": one.state,
            "provisional": one.provisional,
            "why": one.summary,
        }
        for one in found
    ]
    columns = ("id", "decided_at", "left", "right", "version", "outcome", "state", "why")
    show_rows(rows, columns, output)
    if output is Output.TABLE and not rows:
        console.print("No decisions yet. `revops status` says what the workers are doing.")


app.command("at-risk")(at_risk)
app.command()(report)


@app.command()
def show(decision: DecisionArgument, tenant: TenantOption = None, pack: PackOption = None) -> None:
    """Shows one decision whole, as JSON: facts by value, rules, trigger, fingerprint."""
    settings, whose, which = _whose(tenant, pack)
    explained = run_command(lambda: _find(settings, whose, which, decision))
    show_json(explained.to_json())


@app.command()
def explain(
    decision: DecisionArgument,
    tenant: TenantOption = None,
    pack: PackOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Tells why: source rows and log positions, what each rule compared, what would change it."""
    settings, whose, which = _whose(tenant, pack)
    explained = run_command(lambda: _find(settings, whose, which, decision))
    if output is Output.JSON:
        show_json(explained.to_json())
    else:
        show_explained(explained, console)


@app.command()
def follow(
    outcome: Annotated[str | None, typer.Option(help="Only with this outcome.")] = None,
    beginning: Annotated[
        bool, typer.Option("--from-beginning", help="Old decisions first.")
    ] = False,
    tenant: TenantOption = None,
    pack: PackOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Prints decisions as they come, until interrupted; one JSON object a line with --output json."""
    settings, whose, which = _whose(tenant, pack)
    meanings = outcome_meanings(settings.config.directory)

    async def work() -> None:
        consumer = AIOKafkaConsumer(
            f"{which}.decision",
            auto_offset_reset="earliest" if beginning else "latest",
            enable_auto_commit=False,
            **kafka_client_options(settings.kafka),
        )
        await consumer.start()
        try:
            async for record in consumer:
                made = _decision(record.value)
                if made and made.tenant == whose and outcome in (None, made.outcome):
                    _print(made, record.timestamp, meanings, output)
        finally:
            await consumer.stop()

    try:
        run_command(work)
    except (KeyboardInterrupt, asyncio.CancelledError):
        console.print("")


def _decision(value: bytes | None) -> DecisionMade | None:
    try:
        return DecisionMade.model_validate_json(value or b"")
    except ValidationError:
        console.print("[red]a record that is no decision[/]")
        return None


def _print(made: DecisionMade, sent_ms: int, meanings: Meanings, output: Output) -> None:
    if output is Output.JSON:
        print(made.model_dump_json(), flush=True)
        return
    seconds = None
    if made.source_committed_at is not None:
        seconds = max(0.0, sent_ms / 1000 - made.source_committed_at.timestamp())
    console.print(decision_line(Arrived(made, seconds), meanings))


def _whose(tenant: str | None, pack: str | None) -> tuple[Settings, str, str]:
    settings = load_settings()
    directory = settings.config.directory
    found = one_tenant(directory, tenant)
    return settings, found, one_pack(directory, found, pack)


async def _find(settings: Settings, tenant: str, pack: str, named: str) -> Explained:
    async with opened_database(settings) as pool, connection(pool) as reading:
        if ":" in named:
            left, _, right = named.partition(":")
            found = await newest_of_pair(reading, tenant, pack, left, right)
        elif len(named) >= 4 and set(named.lower()) <= set("0123456789abcdef-"):
            found = await read_decision(reading, tenant, named)
        else:
            found = None
        if found is None:
            fail(f"no single decision {named!r} of {tenant}; see `revops decisions list --all`")
        records, ledger = await read_origins(reading, found)
        audited = await read_record(reading, tenant, found.decision_id)
        return Explained(found, records, ledger, audited)
