"""`revops spend import`: costs from files of FOCUS or of the cost and usage report."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from connectors.billing_exports.columns import ExportError
from connectors.billing_exports.reading import ReadingRules
from streams.spend.reports import Column, Report
from workers.cli.output import (
    Output,
    console,
    errors,
    fail,
    run_command,
    show_json,
)
from workers.cli.platform import OutputOption, PackOption, TenantOption, opened_database
from workers.cli.spend_options import SpendDesk
from workers.cli.spend_output import Format, show_report, write_report
from workers.spend_importing import REJECTS_KEPT, ImportPlan, ImportResult, import_files
from workers.spend_importing import Report as Told


def register(app: typer.Typer) -> None:
    """Adds the command to `revops spend`."""
    app.command("import")(import_command)


def import_command(
    files: Annotated[
        list[Path],
        typer.Argument(help="All files of an export, or its folder: CSV, CSV.gz, Parquet."),
    ],
    export: Annotated[
        str, typer.Option(help="The export's name; importing it again replaces what it said.")
    ] = "default",
    month: Annotated[
        str | None, typer.Option(help="As 2026-11: rows of other months are rejected.")
    ] = None,
    amount: Annotated[
        str | None, typer.Option(help="Column of the cost; default: BilledCost or unblended cost.")
    ] = None,
    complete: Annotated[
        bool,
        typer.Option(
            "--complete",
            help="The files hold whole months: accounts that are gone are withdrawn, months loaded.",
        ),
    ] = False,
    with_tax: Annotated[bool, typer.Option("--with-tax", help="Count rows of tax too.")] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Although these files have been imported already.")
    ] = False,
    rejected: Annotated[
        Path | None, typer.Option(help="Write rejected rows with their reasons to this CSV file.")
    ] = None,
    tenant: TenantOption = None,
    pack: PackOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Imports costs from FOCUS 1.x or CUR files; an account's month is replaced, never added to."""
    desk = SpendDesk(tenant, pack)
    only = desk.months(month, month).first if month else None
    rules = ReadingRules(only, amount, with_tax)
    plan = ImportPlan(desk.tenant, desk.spend, export, files, rules, complete=complete, again=again)

    async def work() -> ImportResult:
        async with opened_database(desk.settings) as pool:
            return await import_files(plan, pool, desk.clock, report)

    with _progress() as report:
        try:
            result = run_command(work)
        except ExportError as problem:
            fail(str(problem))
    _write_rejects(result, rejected)
    if output is Output.JSON:
        show_json(_as_json(result))
    else:
        _show(result, export)
    if result.reading is not None and not result.reading.taken:
        fail("no row could be taken")


def _write_rejects(result: ImportResult, path: Path | None) -> None:
    if path is None or result.rejects is None:
        return
    names, rows = result.rejects
    texts = [tuple(None if cell is None else str(cell) for cell in row) for row in rows]
    write_report(Report("Rejected", tuple(map(Column, names)), texts), Format.CSV, path)
    errors.print(f"{len(rows)} rejected rows in {path} (at most {REJECTS_KEPT})", highlight=False)


def _show(result: ImportResult, export: str) -> None:
    reading = result.reading
    if reading is None:
        console.print(
            f"These files are imported already (import {result.import_id}): nothing to do. "
            "`--again` imports them once more.",
            highlight=False,
        )
        return
    rows = [
        (f"{one.month:%Y-%m}", currency, one.accounts, one.withdrawn, before, after)
        for one in result.months
        for currency in sorted({*one.before, *one.after})
        for before, after in [(one.before.get(currency), one.after.get(currency))]
    ]
    columns = (
        Column("month"),
        Column("currency"),
        Column("accounts", "count"),
        Column("withdrawn", "count"),
        Column("cost_before", "money"),
        Column("cost_now", "money"),
    )
    notes = [f"{reading.taken:,} of {reading.rows:,} rows taken ({reading.standard})"]
    if reading.tax_rows:
        notes.append(f"{reading.tax_rows:,} rows of tax left out (--with-tax counts them)")
    notes += [f"{count:,} rows rejected: {reason}" for reason, count in reading.rejected.items()]
    notes += reading.notes
    if result.resumed:
        notes.append(f"{len(result.resumed)} months had been stored before it was cut off")
    if result.set_aside:
        notes.append(
            f"{result.set_aside:,} accounts' months are kept and not counted: another source has them"
        )
    report = Report(f"Import {result.import_id} of {export}", columns, rows, tuple(notes))  # type: ignore[arg-type]
    show_report(report, Format.TABLE, None, None)


def _as_json(result: ImportResult) -> dict[str, Any]:
    reading = result.reading
    return {
        "import_id": result.import_id,
        "already_imported": reading is None,
        "standard": reading and reading.standard,
        "rows": reading and reading.rows,
        "taken": reading and reading.taken,
        "tax_rows": reading and reading.tax_rows,
        "rejected": reading and reading.rejected,
        "notes": reading.notes if reading else [],
        "resumed": list(result.resumed),
        "set_aside": result.set_aside,
        "months": [
            {
                "month": one.month,
                "accounts": one.accounts,
                "withdrawn": one.withdrawn,
                "before": one.before,
                "after": one.after,
            }
            for one in result.months
        ],
    }


@contextmanager
def _progress() -> Iterator[Told]:
    """A progress bar on stderr, one line a step."""
    columns = (TextColumn("{task.description:<16}"), BarColumn(), TaskProgressColumn())
    with Progress(*columns, TimeElapsedColumn(), console=errors, transient=True) as bar:
        steps: dict[str, Any] = {}

        def report(step: str, done: float, total: float) -> None:
            if step not in steps:
                steps[step] = bar.add_task(step, total=total)
            bar.update(steps[step], completed=done, total=total)

        yield report
