"""`revops actions`: who is told of decisions and reviews, what was delivered, what was not."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import uuid4

import typer

from connectors.postgres.deliveries import (
    Delivery,
    add_deliveries,
    delivery_state,
    disabled_targets,
    enable_target,
    list_deliveries,
    revive,
)
from connectors.postgres.dirty import mark_dirty
from connectors.postgres.pool import connection, transaction
from streams.actions.mails import TEST
from streams.actions.notices import Notice, delivery_id
from streams.actions.signatures import SecretError, read_secrets, written_secret
from workers.act import dirty_delivery
from workers.cli.output import Output, console, fail, load_settings, run_command, show_rows
from workers.cli.platform import OutputOption, TenantOption, one_tenant, opened_database
from workers.tenants import load_tenants

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Webhooks and e-mails about decisions."
)

_ATTEMPT_SECONDS = 30.0
TargetOption = Annotated[str | None, typer.Option("--target", help="Only this target's.")]


@app.command("list")
def list_command(
    status: Annotated[str | None, typer.Option(help="Only pending, delivered or dead.")] = None,
    target: TargetOption = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="So many at most.")] = 50,
    tenant: TenantOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Lists deliveries, the latest first."""
    settings = load_settings()
    whose = one_tenant(settings.config.directory, tenant)

    async def work() -> list[Mapping[str, Any]]:
        async with opened_database(settings) as pool, connection(pool) as reading:
            return await list_deliveries(reading, whose, status=status, target=target, limit=limit)

    rows = run_command(work)
    if output is Output.TABLE:
        rows = [{**one, "delivery_id": one["delivery_id"][:8]} for one in rows]
    columns = ("delivery_id", "type", "left", "right", "target", "status", "attempts", "last_error")
    show_rows(rows, columns, output)


@app.command()
def targets(tenant: TenantOption = None, output: OutputOption = Output.TABLE) -> None:
    """Shows whom the tenant file names, and whether everything is there to reach them."""
    settings = load_settings()
    whose = one_tenant(settings.config.directory, tenant)
    known = load_tenants(settings.config.directory)[whose].actions

    async def work() -> dict[tuple[str, str], str]:
        async with opened_database(settings) as pool, connection(pool) as reading:
            return await disabled_targets(reading, whose)

    disabled = run_command(work)
    rows = [
        {
            "name": name,
            "channel": "webhook",
            "events": one.events,
            "problem": disabled.get((whose, name))
            or _webhook_problem(one.url_variable, one.secrets_variable),
        }
        for name, one in known.webhooks.items()
    ]
    no_server = (
        "" if settings.mail.host and settings.mail.sender else "REVOPS_MAIL__HOST is not set"
    )
    rows += [
        {
            "name": name,
            "channel": "mail",
            "events": one.events,
            "problem": no_server or _unset(one.to_variable),
        }
        for name, one in known.mail.items()
    ]
    show_rows(rows, ("name", "channel", "events", "problem"), output)
    if output is Output.TABLE and not rows:
        console.print("The tenant file names nobody under `actions`: nobody is told.")


@app.command()
def retry(
    delivery: Annotated[
        str | None, typer.Argument(metavar="ID", help="A delivery's id or its first characters.")
    ] = None,
    target: TargetOption = None,
    every: Annotated[bool, typer.Option("--all", help="Every dead delivery.")] = False,
    tenant: TenantOption = None,
) -> None:
    """Tries dead deliveries again from the beginning, under the ids that they had."""
    if not (delivery or target or every):
        fail("say which: an id, --target NAME or --all", code=2)
    settings = load_settings()
    whose = one_tenant(settings.config.directory, tenant)

    async def work() -> int:
        async with opened_database(settings) as pool, transaction(pool) as writing:
            revived = await revive(writing, whose, delivery_id=delivery, target=target)
            await mark_dirty(writing, "act", [dirty_delivery(whose, one) for one in revived])
            return len(revived)

    found = run_command(work)
    if not found:
        fail("no dead delivery is of that description; `revops actions list --status dead`")
    console.print(f"{found:,} deliveries are tried again.")


@app.command("test")
def try_target(
    target: Annotated[str, typer.Argument(metavar="NAME", help="A target of the tenant file.")],
    tenant: TenantOption = None,
) -> None:
    """Sends a notice of the type `test` to one target, and tells what came of the first attempt."""
    settings = load_settings()
    whose = one_tenant(settings.config.directory, tenant)
    known = load_tenants(settings.config.directory)[whose]
    channel = "webhook" if target in known.actions.webhooks else "mail"
    if target not in known.actions.webhooks.keys() | known.actions.mail.keys():
        fail(f"the tenant file names no target {target!r}; see `revops actions targets`", code=2)
    if not known.packs:
        fail(f"{whose} uses no pack, so there is nothing to tell", code=2)
    delivery = _test_delivery(whose, next(iter(known.packs)), channel, target)

    async def work() -> tuple[str, int, str]:
        async with opened_database(settings) as pool:
            async with transaction(pool) as writing:
                await add_deliveries(writing, [delivery])
                marks = [dirty_delivery(whose, delivery.delivery_id)]
                await mark_dirty(writing, "act", marks)
            clock = asyncio.get_running_loop().time
            deadline = clock() + _ATTEMPT_SECONDS
            while True:
                async with connection(pool) as reading:
                    found = await delivery_state(reading, delivery.delivery_id)
                if found[1] or clock() > deadline:
                    return found
                await asyncio.sleep(0.1)

    status, attempts, error = run_command(work)
    if not attempts:
        fail("the act worker has not tried it yet: `revops status` tells whether it runs")
    if status != "delivered":
        fail(f"{target} did not take it: {error}")
    console.print(f"{target} took it.")


@app.command()
def enable(
    target: Annotated[str, typer.Argument(metavar="NAME", help="A target that was disabled.")],
    tenant: TenantOption = None,
) -> None:
    """Calls a target again that had answered 410; `revops actions retry --target` sends what it missed."""
    settings = load_settings()
    whose = one_tenant(settings.config.directory, tenant)

    async def work() -> bool:
        async with opened_database(settings) as pool, transaction(pool) as writing:
            return await enable_target(writing, whose, target)

    if not run_command(work):
        fail(f"{target!r} is not disabled; `revops actions targets` shows which are")
    console.print(f"{target} is called again.")


@app.command()
def secret() -> None:
    """Makes a secret that signs webhooks; keep it in the variable that the tenant file names."""
    typer.echo(written_secret(secrets.token_bytes(32)))


def _test_delivery(tenant: str, pack: str, channel: str, target: str) -> Delivery:
    now = datetime.now(UTC)
    data = {"text": f"revops can reach {target} of {tenant}.\n"}
    notice = Notice(tenant, pack, "", "", "", TEST, now, str(uuid4()), data)
    return Delivery(
        delivery_id(notice, channel, target),
        tenant,
        pack,
        "",
        "",
        "",
        channel,
        target,
        TEST,
        json.dumps(notice.payload()),
        now,
    )


def _webhook_problem(url_variable: str, secrets_variable: str) -> str:
    problem = _unset(url_variable) or _unset(secrets_variable)
    if problem:
        return problem
    try:
        read_secrets(os.environ[secrets_variable])
    except SecretError as wrong:
        return f"{secrets_variable}: {wrong}"
    return ""


def _unset(variable: str) -> str:
    return "" if os.environ.get(variable) else f"{variable} is not set"
