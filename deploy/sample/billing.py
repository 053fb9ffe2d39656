"""The AWS cost report of every account and month, exact to the cent where a rule looks at it."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal

from deploy.sample.draft import Account, WorldDraft, month_start
from deploy.sample.invoices import Bills, write_bill, write_invoices, write_other_moves
from deploy.sample.lookups import UNMAPPED_PRODUCT

USAGE_UNITS = {"AmazonS3": "GB-Mo", "AWSLambda": "Requests", "AWSBackup": "GB-Mo"}
RESTATED_MONTHS_BACK = 3
"""The month before the as-of date in which AWS corrected part of the cost after it was final."""

_EXACT = Decimal("0.0000000001")
_CENT = Decimal("0.01")


def write_billing(draft: WorldDraft, products_per_account: tuple[int, int]) -> None:
    """Cost rows, load markers, bills, invoices and SPP bills of the months before the as-of date.

    The month before the as-of date is `loaded` (complete, provisional), earlier ones are `final`, the
    running month is `loading` and holds part of its rows.
    """
    _add_payer_support(draft)
    counts: defaultdict[date, int] = defaultdict(int)
    bills: Bills = defaultdict(list)
    for account in draft.accounts:
        low, high = products_per_account
        codes = draft.rng.sample(sorted(_aws_codes(draft)), k=draft.rng.randint(low, high))
        if draft.rng.random() < 0.05:
            codes.append(UNMAPPED_PRODUCT)
        for back in range(draft.months, -1, -1):
            month = month_start(draft.as_of, back)
            costs = _write_costs(draft, account, codes, month, back)
            counts[month] += len(costs)
            if back >= 1 and account.billed and costs:
                write_bill(draft, account, month, costs, bills)
    write_invoices(draft, bills)
    write_other_moves(draft)
    _restate(draft, counts)
    _write_load_markers(draft, counts)


def _aws_codes(draft: WorldDraft) -> list[str]:
    return [code for code in draft.lookups.product_ids if not code.startswith("LW-")]


def _add_payer_support(draft: WorldDraft) -> None:
    """The reseller's own payers use AWS too (support plans): more than any limit."""
    for row_id in draft.lookups.payer_account_ids:
        number = draft.odoo["c_aws_accounts"][row_id]["account_number"]
        draft.accounts.append(
            Account(row_id, number, number, judged_spend=draft.money(6000, 9000), billed=False)
        )


def _write_costs(
    draft: WorldDraft, account: Account, codes: list[str], month: date, back: int
) -> list[tuple[str, Decimal]]:
    """The month's cost rows of one account; gives product code and cost of each."""
    total = _month_total(draft, account, back)
    if total is None:
        return []
    credit = account.credit if back == 1 else _random_credit(draft, total)
    lines = [
        (code, "Usage", cost)
        for code, cost in zip(codes, _split(draft, total - credit, len(codes)), strict=True)
    ]
    if credit:
        lines.append((codes[0], "Refund" if draft.rng.random() < 0.2 else "Credit", credit))
    written_on = (
        draft.as_of - timedelta(days=1)
        if back == 0
        else month_start(draft.as_of, back - 1) + timedelta(days=3)
    )
    moment = draft.moment(min(written_on, draft.as_of))
    for code, line_type, cost in lines:
        draft.odoo.insert(
            "c_billing_internal_cur",
            {
                "account_number": account.number,
                "payer_account_number": account.payer_number,
                "product_code": code,
                "product_name": _spoken(code),
                "line_type": line_type,
                "billing_month": month,
                "usage_quantity": Decimal(draft.rng.randrange(1, 90_000)) / 8
                if cost > 0
                else Decimal(0),
                "usage_unit": USAGE_UNITS.get(code, "Hrs"),
                "cost": cost,
                "currency": account.currency,
                "bill_invoice_id": invoice_number(account, month) if back >= 2 else None,
                "create_uid": 1,
                "write_uid": 1,
                "create_date": moment,
                "write_date": moment,
            },
        )
    return [(code, cost) for code, _, cost in lines]


def invoice_number(account: Account, month: date) -> str:
    """AWS's invoice id of an account's payer for a month that is final."""
    return f"EUINV{month:%y%m}-{int(account.payer_number) % 100_000:05d}"


def _month_total(draft: WorldDraft, account: Account, back: int) -> Decimal | None:
    """What the account costs in a month: exact in the judged month, about the same in the others."""
    if back == 1:
        return account.judged_spend
    if account.judged_spend is None and back < 4:
        return None
    around = max(account.judged_spend or Decimal(0), Decimal(120))
    trend = Decimal(100 - 2 * back + draft.rng.randint(-12, 12)) / 100
    share = Decimal("0.5") if back == 0 else Decimal(1)
    return (
        around * trend * share * Decimal(draft.rng.randint(900_000, 1_100_000)) / 1_000_000
    ).quantize(_EXACT)


def _random_credit(draft: WorldDraft, total: Decimal) -> Decimal:
    if draft.rng.random() > 0.04:
        return Decimal(0)
    return -(total * Decimal(draft.rng.randint(5, 30)) / 100).quantize(_CENT)


def _split(draft: WorldDraft, total: Decimal, parts: int) -> list[Decimal]:
    """`parts` amounts with ten decimals whose sum is exactly `total`."""
    shares = [draft.rng.random() + 0.05 for _ in range(parts)]
    amounts = [
        (total * Decimal(share) / Decimal(sum(shares))).quantize(_EXACT) for share in shares[1:]
    ]
    return [total - sum(amounts, Decimal(0)), *amounts]


def _spoken(code: str) -> str:
    brand = "Amazon" if code.startswith("Amazon") else "AWS"
    return f"{brand} {code.removeprefix(brand)}"


def _restate(draft: WorldDraft, counts: dict[date, int]) -> None:
    """A month corrected after it was final: changed costs, an added row, late write dates."""
    month = month_start(draft.as_of, RESTATED_MONTHS_BACK)
    rows = [
        row
        for row in draft.odoo["c_billing_internal_cur"].values()
        if row["billing_month"] == month
    ]
    late = draft.moment(draft.days_ago(9))
    for row in draft.rng.sample(rows, k=min(8, len(rows))):
        row["cost"] = (row["cost"] * Decimal("1.0375")).quantize(_EXACT)
        row["write_date"] = late
        extra = row | {"line_type": "Usage", "cost": Decimal("12.5000000001"), "create_date": late}
        extra.pop("id")
        draft.odoo.insert("c_billing_internal_cur", extra)
        counts[month] += 1


def _write_load_markers(draft: WorldDraft, counts: dict[date, int]) -> None:
    for back in range(draft.months, -1, -1):
        month = month_start(draft.as_of, back)
        moment = draft.moment(min(month_start(month, -1) + timedelta(days=3), draft.as_of))
        draft.odoo.insert(
            "c_billing_cur_load",
            {
                "month": month,
                "state": ("loading", "loaded")[back] if back < 2 else "final",
                "rows": counts[month],
                "loaded_at": None if back == 0 else moment,
                "create_uid": 1,
                "write_uid": 1,
                "create_date": moment,
                "write_date": moment,
            },
        )
