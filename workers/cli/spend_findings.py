"""`revops spend anomalies|acknowledge|watch|leakage|reconcile`: what wants a person's attention."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import typer

from connectors.postgres.outbox import Outbox
from connectors.postgres.pool import connection, transaction
from connectors.postgres.spend_findings import AnomalyFilter, acknowledge_anomaly
from connectors.postgres.spend_summaries import WORKER
from streams.spend.periods import months_after
from streams.spend.reports import Report
from workers.cli.output import console, fail, run_command
from workers.cli.platform import PackOption, TenantOption, acting_person, opened_database
from workers.cli.spend_options import (
    AccountOption,
    CustomerOption,
    FromOption,
    PayerOption,
    SpendDesk,
    ToOption,
)
from workers.cli.spend_output import Format, FormatOption, OutOption, joined, show_report
from workers.cost_explorer import CostExplorer
from workers.spend import limit_in_force

MonthOption = Annotated[
    str | None, typer.Option("--month", help="As 2026-11; default: this month and the one before.")
]


def register(app: typer.Typer) -> None:
    """Adds the commands to `revops spend`."""
    for command in (anomalies, acknowledge, watch, leakage, reconcile):
        app.command()(command)


def anomalies(
    account: AccountOption = None,
    first: FromOption = None,
    last: ToOption = None,
    every: Annotated[
        bool, typer.Option("--all", help="Also those acknowledged and those that have ended.")
    ] = False,
    tenant: TenantOption = None,
    pack: PackOption = None,
    output: FormatOption = Format.TABLE,
    out: OutOption = None,
) -> None:
    """Lists spend that is far from what it was, the latest month first."""
    desk = SpendDesk(tenant, pack)
    months = desk.months(first, last)
    wanted = AnomalyFilter(months.first, months.last, None if every else "open", joined(account))
    report = desk.answer(
        lambda explorer, _: explorer.anomalies(wanted), desk.selection(first, last)
    )
    show_report(report, output, out, None)


def acknowledge(
    account: Annotated[str, typer.Argument(help="The account.")],
    product: Annotated[str, typer.Argument(help="The product's code.")],
    month: Annotated[str, typer.Argument(help="The month, as 2026-11.")],
    note: Annotated[str, typer.Option("--note", help="Why it is all right; kept with it.")],
    currency: Annotated[str, typer.Option(help="Its currency.")] = "USD",
    tenant: TenantOption = None,
    pack: PackOption = None,
) -> None:
    """Notes that somebody knows of an anomaly; it comes back when its amount changes."""
    desk = SpendDesk(tenant, pack)
    place = (account, product, currency, desk.months(month, month).first)

    async def work() -> bool:
        async with opened_database(desk.settings) as pool, transaction(pool) as opened:
            messages = await acknowledge_anomaly(
                opened,
                desk.tenant,
                desk.pack,
                place,
                actor=acting_person(),
                note=note,
                now=desk.clock.wall(),
            )
            await Outbox(WORKER).put(opened, messages)
            return bool(messages)

    if not run_command(work):
        fail(f"no open anomaly of {account}, {product} in {month}; see `revops spend anomalies`")
    console.print(f"acknowledged: {account}, {product}, {month}", highlight=False)


def watch(
    month: MonthOption = None,
    every: Annotated[bool, typer.Option("--all", help="Also customers far from it.")] = False,
    tenant: TenantOption = None,
    pack: PackOption = None,
    output: FormatOption = Format.TABLE,
    out: OutOption = None,
) -> None:
    """Lists customers from 80 percent of the limit on, by the rules that are active."""
    desk = SpendDesk(tenant, pack)
    months: list[date] = [months_after(desk.this_month(), -1), desk.this_month()]
    if month is not None:
        months = list(desk.months(month, month).months())

    async def work() -> Report:
        async with opened_database(desk.settings) as pool, connection(pool) as opened:
            limit = await limit_in_force(opened, desk.tenant, desk.spend)
            explorer = CostExplorer(opened, desk.tenant, desk.spend)
            return await explorer.watch(months, limit, every=every)

    show_report(run_command(work), output, out, None)


def leakage(
    account: AccountOption = None,
    payer: PayerOption = None,
    customer: CustomerOption = None,
    first: FromOption = None,
    last: ToOption = None,
    tenant: TenantOption = None,
    pack: PackOption = None,
    output: FormatOption = Format.TABLE,
    out: OutOption = None,
) -> None:
    """Tells where money is lost: deals without a twin, cost without invoice, by customer and month."""
    desk = SpendDesk(tenant, pack)
    report = desk.answer(
        lambda explorer, chosen: explorer.leakage(chosen),
        desk.selection(first, last, account, payer, customer),
        incomplete=False,
    )
    show_report(report, output, out, None)


def reconcile(
    tenant: TenantOption = None,
    pack: PackOption = None,
    output: FormatOption = Format.TABLE,
    out: OutOption = None,
) -> None:
    """Lists bills whose total is not that of their lines."""
    desk = SpendDesk(tenant, pack)
    report = desk.answer(lambda explorer, _: explorer.uneven_bills(), desk.selection(None, None))
    show_report(report, output, out, None)
