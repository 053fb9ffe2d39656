"""`revops rules simulate`: what a draft would have decided."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from connectors.postgres.decision_history import History
from streams.decide.comparing_versions import Difference, differences
from streams.decide.simulation import Simulation
from workers.cli.output import Output, console, errors, show_json, show_rows
from workers.cli.platform import (
    OutputOption,
    PackOption,
    SinceOption,
    TenantOption,
    UntilOption,
    moment,
    opened_database,
)
from workers.cli.rule_options import RulesArgument, platform_desk, run_on_rules
from workers.rules_desk import ACTIVE
from workers.simulating import simulate_history, summary
from workers.simulation_report import html_report


def simulate(
    draft: RulesArgument,
    against: Annotated[str, typer.Option(help="What to compare with.")] = ACTIVE,
    since: SinceOption = None,
    until: UntilOption = None,
    every: Annotated[
        bool, typer.Option("--all", help="All decisions, not each pair's newest.")
    ] = False,
    report: Annotated[Path | None, typer.Option(help="Also write an HTML page here.")] = None,
    limit: Annotated[int, typer.Option(help="So many flipped pairs are listed.")] = 20,
    tenant: TenantOption = None,
    pack: PackOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Judges stored decisions by a draft, without any effect: counts, flipped pairs, money at stake."""
    settings, desk = platform_desk(tenant, pack)
    history = History(desk.tenant, desk.pack, moment(since), moment(until), newest=not every)

    async def work() -> tuple[Simulation, list[Difference]]:
        async with opened_database(settings) as pool:
            old, new = await desk.named(pool, against), await desk.named(pool, draft)
            columns = (
                TextColumn("judging"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
            )
            with Progress(*columns, console=errors, transient=True) as progress:
                task = progress.add_task("", total=None)
                found = await simulate_history(
                    pool,
                    history,
                    old.body,
                    new.body,
                    on_progress=lambda done, total: progress.update(
                        task, completed=done, total=total
                    ),
                )
            return found, differences(old, new)

    found, changes = run_on_rules(work())
    if report is not None:
        about = f"{draft} against {against}, {desk.tenant}, {desk.pack}"
        page = html_report(found, changes, title="Simulated rules", about=about)
        report.write_text(page, encoding="utf-8")
    if output is Output.JSON:
        show_json(found.to_json())
        return
    _show_simulation(found, limit)
    if report is not None:
        console.print(f"The whole report is in {report}.")


def _show_simulation(found: Simulation, limit: int) -> None:
    show_rows(summary(found), ("outcome", "before", "after", "change"), Output.TABLE)
    console.print(
        f"{found.judged:,} judged, [bold]{found.flipped:,}[/] flipped, "
        f"{found.money:,.2f} at stake in them."
    )
    if found.by_rule:
        rules = ", ".join(f"{rule} {count:,}" for rule, count in found.by_rule.most_common())
        console.print(f"Pairs flipped by each rule: {rules}.")
    table = Table(header_style="bold", expand=False)
    for heading in ("pair", "before", "after", "why"):
        table.add_column(heading, overflow="fold")
    for flip in found.flips[:limit]:
        table.add_row(
            f"{flip.left} ↔ {flip.right}", flip.before, flip.after, "\n".join(flip.reasons)
        )
    if found.flips:
        console.print(table)
    if found.flipped > limit:
        console.print(f"{found.flipped - limit:,} more: --limit, --report or --output json")
    if found.not_reproduced:
        console.print(
            f"[dim]{found.not_reproduced:,} decisions were made by other rules than those compared "
            "with.[/]"
        )
