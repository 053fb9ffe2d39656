"""`revops decisions at-risk`: money in deals that are not approved, and what each lacks."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from connectors.postgres.decision_reports import standing_decisions
from connectors.postgres.pool import connection
from streams.review.at_risk import DealAtRisk, deal_at_risk, most_urgent_first, totals, won_states
from workers.cli.output import Output, console, show_json, show_rows
from workers.cli.platform import OutputOption, PackOption, TenantOption, opened_database
from workers.cli.rule_options import platform_desk, run_on_rules
from workers.rules_desk import ACTIVE


def at_risk(
    within: Annotated[
        int | None, typer.Option(min=0, help="Only what can be won for so many days at most.")
    ] = None,
    owner: Annotated[str | None, typer.Option(help="Only this owner's deals.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="So many are listed at most.")] = 50,
    tenant: TenantOption = None,
    pack: PackOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Lists deals that wait or fail: value, owner, days left, missing facts; the costliest day first."""
    settings, desk = platform_desk(tenant, pack)
    today = (settings.clock.as_of or datetime.now(UTC)).date()

    async def work() -> list[DealAtRisk]:
        async with opened_database(settings) as pool:
            document = (await desk.named(pool, ACTIVE)).document
            async with connection(pool) as reading:
                rows = await standing_decisions(
                    reading, desk.tenant, desk.pack, without=won_states(document)
                )
        return [deal_at_risk(document, **row, today=today) for row in rows]

    deals = [
        one
        for one in most_urgent_first(run_on_rules(work()))
        if (within is None or (one.days_left is not None and 0 <= one.days_left <= within))
        and (owner is None or one.stakes.owner == owner)
    ]
    sums = totals(deals)
    if output is Output.JSON:
        show_json(
            {
                "deals": [one.to_json() for one in deals[:limit]],
                "count": len(deals),
                "totals": {unit: format(value, "f") for unit, value in sums.items()},
            }
        )
        return
    show_rows([_row(one) for one in deals[:limit]], _COLUMNS, output)
    money = ", ".join(f"{value:,.2f} {unit}".rstrip() for unit, value in sorted(sums.items()))
    console.print(f"Not approved: {len(deals):,}; at stake in them: [bold]{money or 'unknown'}[/]")


_COLUMNS = ("pair", "state", "at_stake", "days_left", "owner", "missing", "why")


def _row(deal: DealAtRisk) -> dict[str, object]:
    at_stake = deal.stakes
    money = None if at_stake.value is None else f"{at_stake.value:,.2f} {at_stake.unit}".rstrip()
    return {
        "pair": f"{deal.left} ↔ {deal.right}",
        "state": deal.state,
        "at_stake": money,
        "days_left": deal.days_left,
        "owner": at_stake.owner,
        "missing": "\n".join(deal.missing),
        "why": "\n".join(deal.reasons),
    }
