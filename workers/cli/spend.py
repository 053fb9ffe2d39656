"""`revops spend`: what was spent, what was invoiced, where money is lost, who is near the limit."""

from __future__ import annotations

from typing import Annotated

import typer

from streams.spend.periods import Grain
from workers.cli import spend_findings, spend_imports
from workers.cli.output import fail
from workers.cli.platform import PackOption, TenantOption
from workers.cli.spend_options import (
    AccountOption,
    ByOption,
    CustomerOption,
    FromOption,
    GrainOption,
    Group,
    IncompleteOption,
    LimitOption,
    PayerOption,
    SpendDesk,
    ToOption,
)
from workers.cli.spend_output import ChartOption, Format, FormatOption, OutOption, show_report

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="What was spent and invoiced, where money is lost, who is near the limit.",
)


@app.command()
def show(
    account: AccountOption = None,
    payer: PayerOption = None,
    customer: CustomerOption = None,
    first: FromOption = None,
    last: ToOption = None,
    grain: GrainOption = Grain.MONTH,
    by: ByOption = Group.TOTAL,
    limit: LimitOption = 20,
    tenant: TenantOption = None,
    pack: PackOption = None,
    output: FormatOption = Format.TABLE,
    out: OutOption = None,
    chart: ChartOption = None,
) -> None:
    """Shows what was spent: the union of the accounts, payers and customers named, each row once."""
    desk = SpendDesk(tenant, pack)
    report = desk.answer(
        lambda explorer, chosen: explorer.show(chosen, by.value, grain, limit),
        desk.selection(first, last, account, payer, customer),
    )
    show_report(report, output, out, chart)


@app.command()
def compare(
    account: AccountOption = None,
    payer: PayerOption = None,
    customer: CustomerOption = None,
    first: FromOption = None,
    last: ToOption = None,
    grain: GrainOption = Grain.MONTH,
    by: ByOption = Group.TOTAL,
    gaps: Annotated[
        bool, typer.Option("--gaps", help="Only accounts' months with cost or invoice alone.")
    ] = False,
    incomplete: IncompleteOption = False,
    limit: LimitOption = 20,
    tenant: TenantOption = None,
    pack: PackOption = None,
    output: FormatOption = Format.TABLE,
    out: OutOption = None,
    chart: ChartOption = None,
) -> None:
    """Compares cost with what was charged, posted by accounting and discounted, by billing month."""
    desk = SpendDesk(tenant, pack)
    report = desk.answer(
        lambda explorer, chosen: (
            explorer.gaps(chosen, limit)
            if gaps
            else explorer.compare(chosen, by.value, grain, limit)
        ),
        desk.selection(first, last, account, payer, customer),
        incomplete=incomplete,
    )
    show_report(report, output, out, chart)


@app.command()
def margin(
    account: AccountOption = None,
    payer: PayerOption = None,
    customer: CustomerOption = None,
    first: FromOption = None,
    last: ToOption = None,
    by: ByOption = Group.CUSTOMER,
    incomplete: IncompleteOption = False,
    limit: LimitOption = 50,
    tenant: TenantOption = None,
    pack: PackOption = None,
    output: FormatOption = Format.TABLE,
    out: OutOption = None,
) -> None:
    """Shows margin and margin percent over the whole range, the lowest first."""
    desk = SpendDesk(tenant, pack)
    report = desk.answer(
        lambda explorer, chosen: explorer.margin(chosen, by.value, limit),
        desk.selection(first, last, account, payer, customer),
        incomplete=incomplete,
    )
    show_report(report, output, out, None)


@app.command()
def products(
    product: Annotated[
        str | None, typer.Option(help="Only this product's cost, by account and month.")
    ] = None,
    account: AccountOption = None,
    payer: PayerOption = None,
    customer: CustomerOption = None,
    first: FromOption = None,
    last: ToOption = None,
    grain: GrainOption = Grain.YEAR,
    incomplete: IncompleteOption = False,
    limit: LimitOption = 100,
    tenant: TenantOption = None,
    pack: PackOption = None,
    output: FormatOption = Format.TABLE,
    out: OutOption = None,
    chart: ChartOption = None,
) -> None:
    """Compares cost and invoices by product; what is in no catalogue is `unmapped`."""
    desk = SpendDesk(tenant, pack)
    report = desk.answer(
        lambda explorer, chosen: (
            explorer.products(chosen, grain, limit)
            if product is None
            else explorer.product_series(chosen, product)
        ),
        desk.selection(first, last, account, payer, customer),
        incomplete=incomplete,
    )
    show_report(report, output, out, chart)


@app.command()
def trends(
    account: AccountOption = None,
    payer: PayerOption = None,
    customer: CustomerOption = None,
    first: FromOption = None,
    last: ToOption = None,
    by: ByOption = Group.TOTAL,
    incomplete: IncompleteOption = False,
    limit: LimitOption = 20,
    tenant: TenantOption = None,
    pack: PackOption = None,
    output: FormatOption = Format.TABLE,
    out: OutOption = None,
    chart: ChartOption = None,
) -> None:
    """Shows the change on month, the mean of three months and the change on year."""
    desk = SpendDesk(tenant, pack)
    report = desk.answer(
        lambda explorer, chosen: explorer.trends(chosen, by.value, limit),
        desk.selection(first, last, account, payer, customer),
        incomplete=incomplete,
    )
    show_report(report, output, out, chart)


@app.command()
def export(
    out: OutOption = None,
    account: AccountOption = None,
    payer: PayerOption = None,
    customer: CustomerOption = None,
    first: FromOption = None,
    last: ToOption = None,
    grain: GrainOption = Grain.MONTH,
    by: ByOption = Group.ACCOUNT,
    tenant: TenantOption = None,
    pack: PackOption = None,
    output: FormatOption = Format.CSV,
) -> None:
    """Writes cost and invoices of every group and period, incomplete months too, to a file."""
    if out is None and output is Format.TABLE:
        fail("an export is no table: --out FILE.csv, or --output csv or json", code=2)
    desk = SpendDesk(tenant, pack)
    report = desk.answer(
        lambda explorer, chosen: explorer.compare(chosen, by.value, grain, None),
        desk.selection(first, last, account, payer, customer),
    )
    chosen = Format.TABLE if out is not None and output is Format.CSV else output
    show_report(report, chosen, out, None)


spend_findings.register(app)
spend_imports.register(app)
