"""`revops decisions report`: what was decided in a period."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from connectors.postgres.decision_reports import decisions_of_period
from connectors.postgres.pool import connection
from streams.actions.reports import PeriodReport, period_report, report_text
from workers.cli.output import Output, console, show_json
from workers.cli.platform import (
    OutputOption,
    PackOption,
    SinceOption,
    TenantOption,
    UntilOption,
    moment,
    opened_database,
)
from workers.cli.rule_options import platform_desk, run_on_rules
from workers.rules_desk import ACTIVE


def report(
    since: SinceOption = None,
    until: UntilOption = None,
    tenant: TenantOption = None,
    pack: PackOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Counts a period's decisions: states, approval rate, money, reasons; the last day if none is given."""
    settings, desk = platform_desk(tenant, pack)
    end = moment(until) or datetime.now(UTC)
    begin = moment(since) or end - timedelta(days=1)

    async def work() -> PeriodReport:
        async with opened_database(settings) as pool:
            document = (await desk.named(pool, ACTIVE)).document
            async with connection(pool) as reading:
                rows = await decisions_of_period(reading, desk.tenant, desk.pack, begin, end)
        return period_report(document, rows, begin, end)

    found = run_on_rules(work())
    if output is Output.JSON:
        show_json(found.to_json())
    else:
        console.print(report_text(found), highlight=False, soft_wrap=True, end="")
