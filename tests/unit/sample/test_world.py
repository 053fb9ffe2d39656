"""What every sample world must hold, whatever its seed."""

import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from importlib import resources

import pytest

from deploy.sample.draft import month_start
from deploy.sample.generate import SampleSize, SampleWorld
from deploy.sample.lookups import UNMAPPED_PRODUCT
from deploy.sample.tables import SourceDatabase

AS_OF = date(2026, 11, 20)


def _foreign_keys(script: str) -> Iterator[tuple[str, str, str]]:
    """Table, column and referenced table of every foreign key in a schema script."""
    text = resources.files("deploy.sample").joinpath(script).read_text(encoding="utf-8")
    for table, body in re.findall(r"ALTER TABLE (\w+)\s+(ADD FOREIGN KEY.*?);", text, re.DOTALL):
        for column, referenced in re.findall(r"FOREIGN KEY \((\w+)\) REFERENCES (\w+)", body):
            yield table, column, referenced


def _columns(script: str) -> dict[str, set[str]]:
    text = resources.files("deploy.sample").joinpath(script).read_text(encoding="utf-8")
    return {
        table: set(re.findall(r"^    ([a-z_0-9]+) ", body, re.MULTILINE))
        for table, body in re.findall(r"CREATE TABLE (\w+) \((.*?)\n\);", text, re.DOTALL)
    }


@pytest.mark.parametrize("script", ["odoo.sql", "apn.sql"])
def test_world_resolves_every_foreign_key(world: SampleWorld, script: str) -> None:
    database = world.odoo if script == "odoo.sql" else world.apn
    keys = list(_foreign_keys(script))
    assert len(keys) > 1
    for table, column, referenced in keys:
        ids = {row[column] for row in database[table].values() if row.get(column) is not None}
        assert ids <= database[referenced].keys(), f"{table}.{column}"


@pytest.mark.parametrize("script", ["odoo.sql", "apn.sql"])
def test_world_names_only_columns_of_the_schema(world: SampleWorld, script: str) -> None:
    database = world.odoo if script == "odoo.sql" else world.apn
    columns = _columns(script)
    assert columns.keys() == database.tables.keys()
    for table, rows in database.tables.items():
        assert {name for row in rows.values() for name in row} <= columns[table], table


def test_world_of_the_same_seed_is_the_same() -> None:
    first, second = (SampleWorld.build(3, AS_OF, SampleSize(months=3)) for _ in range(2))
    assert first == second
    assert first.odoo.tables != SampleWorld.build(4, AS_OF, SampleSize(months=3)).odoo.tables


def test_world_has_the_asked_size(world: SampleWorld) -> None:
    assert len(world.odoo["crm_lead"]) >= 600
    assert len(world.apn["apn_opportunity"]) >= 250
    assert (
        len({row["billing_month"] for row in world.odoo["c_billing_internal_cur"].values()}) == 19
    )
    assert all(rows for table, rows in world.odoo.tables.items())


def test_size_with_source_rows_comes_near() -> None:
    rows = 100_000
    built = SampleWorld.build(1, AS_OF, SampleSize.with_source_rows(rows)).rows()
    assert rows * 0.95 <= built <= rows * 1.08


def test_world_has_leads_without_partner_and_persons_as_partner(world: SampleWorld) -> None:
    leads = list(world.odoo["crm_lead"].values())
    partners = world.odoo["res_partner"]
    linked = [partners[lead["partner_id"]] for lead in leads if lead["partner_id"]]
    assert sum(lead["partner_id"] is None for lead in leads) > 100
    assert sum(not partner["is_company"] for partner in linked) > len(linked) * 0.9
    assert all(
        partner["commercial_partner_id"] != partner["id"]
        for partner in linked
        if not partner["is_company"]
    )
    assert any(lead["partner_name"] is None and lead["partner_id"] is None for lead in leads)
    assert any(not lead["active"] and lead.get("lost_reason_id") is None for lead in leads)
    assert any(not lead["active"] and lead.get("lost_reason_id") for lead in leads)


def test_world_times_are_naive_in_odoo_and_zoned_in_apn(world: SampleWorld) -> None:
    def times(database: SourceDatabase) -> list[datetime]:
        return [
            value
            for rows in database.tables.values()
            for row in rows.values()
            for value in row.values()
            if isinstance(value, datetime)
        ]

    assert all(value.tzinfo is None for value in times(world.odoo))
    assert all(value.tzinfo is UTC for value in times(world.apn))


def test_world_holds_no_float_money(world: SampleWorld) -> None:
    floats = {
        (table, column)
        for table, rows in world.odoo.tables.items()
        for row in rows.values()
        for column, value in row.items()
        if isinstance(value, float)
    }
    assert floats == {("crm_lead", "probability"), ("crm_lead", "automated_probability")}


def test_accounts_are_synthetic_text_of_twelve_digits(world: SampleWorld) -> None:
    accounts = world.odoo["c_aws_accounts"].values()
    numbers = [account["account_number"] for account in accounts]
    assert len(set(numbers)) == len(numbers)
    assert all(re.fullmatch(r"0000\d{8}", number) for number in numbers)
    assert any(account["is_payer"] and account["partner_id"] != 1 for account in accounts)
    assert any(account["partner_id"] is None for account in accounts)


def test_domains_are_reserved_ones(world: SampleWorld) -> None:
    texts = [row.get("website") for row in world.odoo["res_partner"].values()]
    texts += [row["customer_website"] for row in world.apn["apn_opportunity"].values()]
    texts += [row["email"] for row in world.apn["apn_contacts"].values()]
    texts += [row.get("email_normalized") for row in world.odoo["crm_lead"].values()]
    hosts = [re.split(r"[/?]", re.sub(r"^.*@|^https?://", "", text))[0] for text in texts if text]
    assert [host for host in hosts if not host.endswith((".example", ".test"))] == []


def test_billing_has_credits_restatement_and_unmapped_products(world: SampleWorld) -> None:
    costs = list(world.odoo["c_billing_internal_cur"].values())
    codes = {row["default_code"] for row in world.odoo["product_template"].values()}
    assert any(row["cost"] < 0 for row in costs)
    assert {row["product_code"] for row in costs} - codes == {UNMAPPED_PRODUCT}
    restated = month_start(AS_OF, 3)
    late = [
        row
        for row in costs
        if row["billing_month"] == restated
        and row["write_date"].date() > AS_OF - timedelta(days=30)
    ]
    assert len(late) >= 8
    assert all(isinstance(row["cost"], Decimal) for row in costs)


def test_billing_months_have_load_markers_and_final_invoice_numbers(world: SampleWorld) -> None:
    states = {row["month"]: row for row in world.odoo["c_billing_cur_load"].values()}
    rows = Counter(row["billing_month"] for row in world.odoo["c_billing_internal_cur"].values())
    assert [states[month_start(AS_OF, back)]["state"] for back in (0, 1, 2)] == [
        "loading",
        "loaded",
        "final",
    ]
    assert {month: row["rows"] for month, row in states.items()} == dict(rows)
    for row in world.odoo["c_billing_internal_cur"].values():
        final = states[row["billing_month"]]["state"] == "final"
        assert (row["bill_invoice_id"] is not None) == final


def test_bills_are_the_sum_of_their_lines(world: SampleWorld) -> None:
    sums: Counter[int] = Counter()
    for line in world.odoo["c_billing_bill_line"].values():
        sums[line["bill_id"]] += line["amount"]
    assert all(bill["total"] == sums[bill["id"]] for bill in world.odoo["c_billing_bill"].values())


def test_accounting_holds_more_than_customer_invoices(world: SampleWorld) -> None:
    kinds = {(row["move_type"], row["state"]) for row in world.odoo["account_move"].values()}
    assert {
        ("out_invoice", "posted"),
        ("out_invoice", "draft"),
        ("out_invoice", "cancel"),
        ("out_refund", "posted"),
        ("in_invoice", "posted"),
        ("entry", "posted"),
    } <= kinds
