"""Billing exports as their standards name the columns: FOCUS 1.x and the AWS cost and usage report."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

_NOT_IN_NAMES = re.compile(r"[^a-z0-9]+")
_REQUIRED = ("account", "month", "amount", "currency", "product")


class ExportError(ValueError):
    """A file that cannot be imported; the message says what is wrong and what to do."""


@dataclass(frozen=True, slots=True)
class ExportColumns:
    """Which column of a file holds what; None: the file has none of it."""

    standard: str
    account: str
    month: str
    amount: str
    currency: str
    product: str
    payer: str | None
    product_name: str | None
    line_type: str | None
    quantity: str | None
    unit: str | None
    invoice: str | None
    line: str | None
    interval: str | None


_FOCUS: Mapping[str, tuple[str, ...]] = {
    "account": ("SubAccountId",),
    "payer": ("BillingAccountId",),
    "month": ("BillingPeriodStart",),
    "amount": ("BilledCost",),
    "currency": ("BillingCurrency",),
    "product": ("x_ServiceCode", "ServiceName"),
    "product_name": ("ServiceName",),
    "line_type": ("ChargeCategory",),
    "quantity": ("ConsumedQuantity",),
    "unit": ("ConsumedUnit",),
    "invoice": ("InvoiceId",),
}
_CUR: Mapping[str, tuple[str, ...]] = {
    "account": ("line_item_usage_account_id",),
    "payer": ("bill_payer_account_id",),
    "month": ("bill_billing_period_start_date",),
    "amount": ("line_item_unblended_cost",),
    "currency": ("line_item_currency_code",),
    "product": ("line_item_product_code",),
    "product_name": ("product_servicename", "product_product_name"),
    "line_type": ("line_item_line_item_type",),
    "quantity": ("line_item_usage_amount",),
    "unit": ("pricing_unit",),
    "invoice": ("bill_invoice_id",),
    "line": ("identity_line_item_id",),
    "interval": ("identity_time_interval",),
}
STANDARDS: Mapping[str, Mapping[str, tuple[str, ...]]] = {"FOCUS": _FOCUS, "CUR": _CUR}


def columns_of(names: Iterable[str], *, amount: str | None = None) -> ExportColumns:
    """Where a file with these columns has what, in any order and with any others beside.

    Names are compared without case and punctuation, so that the legacy report's
    `lineItem/UsageAccountId` and Athena's lower case are known too. `amount` names another column of
    cost than the standard's usual one. Raises ExportError.
    """
    present: dict[str, str] = {}
    for name in names:
        if (plain := _plain(name)) in present:
            raise ExportError(f"the columns {present[plain]!r} and {name!r} are one; drop one")
        present[plain] = name
    ranked = sorted(STANDARDS, key=lambda one: len(_missing(STANDARDS[one], present)))
    standard = ranked[0]
    fields = STANDARDS[standard]
    if missing := _missing(fields, present):
        raise ExportError(
            f"it is nearest to {standard}, but lacks {', '.join(missing)}; "
            "export again with these columns"
        )
    found = {field: _first(choices, present) for field, choices in fields.items()}
    cost = found["amount"] if amount is None else present.get(_plain(amount))
    if cost is None:
        raise ExportError(f"it has no column {amount!r} to take the amount from")
    return ExportColumns(
        standard=standard,
        account=found["account"] or "",
        month=found["month"] or "",
        amount=cost,
        currency=found["currency"] or "",
        product=found["product"] or "",
        payer=found["payer"],
        product_name=found["product_name"],
        line_type=found["line_type"],
        quantity=found["quantity"],
        unit=found["unit"],
        invoice=found["invoice"],
        line=found.get("line"),
        interval=found.get("interval"),
    )


def _missing(fields: Mapping[str, tuple[str, ...]], present: Collection[str]) -> list[str]:
    return [
        " or ".join(fields[name])
        for name in _REQUIRED
        if not any(_plain(one) in present for one in fields[name])
    ]


def _first(choices: Iterable[str], present: Mapping[str, str]) -> str | None:
    return next((present[_plain(one)] for one in choices if _plain(one) in present), None)


def _plain(name: str) -> str:
    return _NOT_IN_NAMES.sub("", name.casefold())
