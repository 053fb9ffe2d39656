"""Comparisons, trends, periods, limits and products, on values in memory."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from connectors.billing_exports.columns import ExportError, columns_of
from schemas.tenants import PackChoice
from streams.packs import PackError, load_pack
from streams.spend.amounts import COST, FINAL, SPP, STAGED, Amount
from streams.spend.comparison import compared
from streams.spend.leakage import DealLoss, GapLoss, leakage_report
from streams.spend.periods import Grain, MonthRange, period_name, period_range, period_start
from streams.spend.policy import read_policy
from streams.spend.products import UNMAPPED, ProductMap
from streams.spend.thresholds import Limit
from streams.spend.trends import trend
from workers.cli.spend_output import sparkline
from workers.cost_explorer import spend_pack

MAY = date(2026, 5, 1)


def amount(ledger: str, value: str, *, key: str = "", currency: str = "USD") -> Amount:
    return Amount(ledger, key, MAY, currency, Decimal(value), 1)  # type: ignore[arg-type]


def test_ledgers_stand_side_by_side_and_spp_is_in_no_margin() -> None:
    (row,) = compared(
        [amount(COST, "80"), amount(STAGED, "100"), amount(FINAL, "90"), amount(SPP, "7")]
    )
    assert (row.margin, row.margin_percent, row.staged_less_final) == (20, Decimal("20.0"), 10)


def test_margin_percent_is_empty_where_nothing_is_invoiced() -> None:
    (row,) = compared([amount(COST, "80"), amount(STAGED, "0")])
    assert (row.margin, row.margin_percent, row.gap) == (-80, None, "cost without invoice")


def test_currencies_are_compared_apart() -> None:
    rows = compared([amount(COST, "80"), amount(STAGED, "90", currency="EUR")])
    assert [(row.currency, row.gap) for row in rows] == [
        ("EUR", "invoice without cost"),
        ("USD", "cost without invoice"),
    ]


def test_a_trend_rests_on_known_months_alone() -> None:
    series = {date(2025, 5, 1): "50", date(2026, 3, 1): "30", date(2026, 4, 1): "60", MAY: "90"}
    points = trend({month: Decimal(value) for month, value in series.items()})
    last = points[-1]
    assert (last.month_on_month, last.three_month_mean, last.year_on_year) == (50, 60, 80)
    assert (points[0].month_on_month, points[1].month_on_month) == (None, None)


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2026-05", MAY, MAY),
        ("2026-Q2", date(2026, 4, 1), date(2026, 6, 1)),
        ("2026q4", date(2026, 10, 1), date(2026, 12, 1)),
        ("2026", date(2026, 1, 1), date(2026, 12, 1)),
    ],
)
def test_periods_are_read_as_people_write_them(text: str, first: date, last: date) -> None:
    assert period_range(text) == MonthRange(first, last)


@pytest.mark.parametrize("text", ["2026-13", "May", "2026-Q5", ""])
def test_what_is_no_period_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="is no period"):
        period_range(text)


@pytest.mark.parametrize("grain", list(Grain))
def test_a_periods_name_leads_back_to_it(grain: Grain) -> None:
    start = period_start(MAY, grain)
    assert period_range(period_name(start, grain)).first == start


@pytest.mark.parametrize(
    ("total", "state"),
    [
        ("3999.99", "under"),
        ("4000", "near"),
        ("4999.99", "near"),
        ("5000", "over"),
        ("-1", "under"),
    ],
)
def test_the_limit_itself_is_over_it(total: str, state: str) -> None:
    limit = Limit(Decimal(5000), "USD", Decimal("0.8"), {"EUR": Decimal("1.1")})
    assert limit.nearness(Decimal(total)) == state
    assert limit.nearness(limit.total({"EUR": Decimal(1), "CHF": Decimal(1)})) == "unknown"
    assert limit.total({"EUR": Decimal(10), "USD": Decimal(1), "CHF": Decimal(0)}) == 12


def test_products_are_renamed_or_unmapped_and_never_lost() -> None:
    products = ProductMap({"AmazonEC2": "Compute"}, {"Compute"})
    found = products.mapped(
        [amount(COST, "1", key="AmazonEC2"), amount(COST, "2", key="New"), amount(COST, "3")]
    )
    assert [one.key for one in found] == ["Compute", UNMAPPED, UNMAPPED]
    assert sum(one.amount for one in found) == 6


def test_leakage_is_summed_by_customer_and_month_and_deals_of_before_are_left_out() -> None:
    deal = DealLoss("lost", "O1", None, "Lumenor", None, Decimal(10), "USD", "month", MAY)
    old = DealLoss(
        "lost", "O0", None, "Lumenor", None, Decimal(99), "USD", "month", date(2020, 1, 1)
    )
    other = DealLoss("lost", "O2", None, "Lumenor", None, None, "USD", "month", date(2026, 5, 9))
    gaps = [
        GapLoss("1", "c", MAY, "USD", Decimal(5), None),
        GapLoss("2", "c", MAY, "USD", None, Decimal(7)),
    ]
    report = leakage_report([old, deal, other], gaps, MonthRange(MAY, MAY), {"lost": "gone"})
    assert [row[:6] for row in report.rows] == [
        ("lost", "Lumenor", "2026-05", "USD", Decimal(10), 2),
        ("cost_without_invoice", "c", "2026-05", "USD", Decimal(5), 1),
    ]


def test_columns_are_known_without_case_and_punctuation() -> None:
    names = [
        "lineItem/UsageAccountId", "BILL/BILLINGPERIODSTARTDATE", "lineItem/UnblendedCost",
        "line_item_currency_code", "lineItem/ProductCode", "resource/tag",
    ]  # fmt: skip
    columns = columns_of(names)
    assert (columns.standard, columns.account, columns.payer) == ("CUR", names[0], None)
    with pytest.raises(ExportError, match="no column 'EffectiveCost'"):
        columns_of(names, amount="EffectiveCost")
    with pytest.raises(ExportError, match="are one"):
        columns_of([*names, "line_item_product_code"])


def test_the_packs_policy_names_parameters_of_its_rules() -> None:
    pack = load_pack("pod")
    policy = read_policy(pack.file("spend.yaml"))
    assert policy.limit.parameter in pack.file("rules.yaml")
    assert {one.side for one in policy.leakage.values()} == set(pack.sides)


def test_a_tenant_says_otherwise_than_the_pack() -> None:
    spend = spend_pack(
        "pod", PackChoice(spend={"products": {"EC2": "CLOUD-1"}, "limit": {"near": 0.5}})
    )
    assert spend.policy.products == {"EC2": "CLOUD-1"}
    assert spend.policy.limit.near == Decimal("0.5")
    assert spend.policy.limit.parameter == spend_pack("pod").policy.limit.parameter
    with pytest.raises(
        PackError, match=r"spend of pack pod does not fit:\n  anomalies.deviation: "
    ):
        spend_pack("pod", PackChoice(spend={"anomalies": {"deviation": 2}}))


def test_a_sparkline_has_a_bar_a_value() -> None:
    values = [Decimal(0), None, Decimal(50), Decimal(100)]
    assert sparkline(values) == "▁ ▄█"
    assert sparkline([None]) == ""
