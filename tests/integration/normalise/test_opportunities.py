"""CRM and ACE opportunities from changed rows to core records and events."""

from __future__ import annotations

from tests.integration.normalise.bench import NormaliseBench
from tests.integration.normalise.source_feed import SourceFeed

LEAD = {
    "id": 5,
    "name": " Data  lake ",
    "type": "opportunity",
    "active": True,
    "partner_id": 7,
    "stage_id": 1,
    "country_id": 3,
    "expected_revenue": "12000.50",
    "email_from": "Ann <Ann@Lumenor.example>",
    "description": "<p>Move <b>everything</b></p><p>soon</p>",
    "date_deadline": "2026-12-24Z",
    "create_date": "2026-11-01T10:00:00.123456Z",
    "write_date": "2026-11-02T10:00:00Z",
    "probability": 10.0,
    "lost_reason_id": None,
    "partner_name": None,
}
PERSON = {"id": 7, "name": "Ann Field", "is_company": False, "commercial_partner_id": 8}
COMPANY = {
    "id": 8,
    "name": " Lumenor  GmbH",
    "is_company": True,
    "commercial_partner_id": 8,
    "website": "https://www.lumenor.example/de",
}
STAGE = {"id": 1, "name": '{"en_US": "Qualified", "fr_FR": "Qualifié"}', "is_won": False}
COUNTRY = {"id": 3, "code": "DE", "name": '{"en_US": "Germany"}'}


def lead_rows(feed: SourceFeed):
    return [
        feed.insert("crm_lead", LEAD),
        feed.insert("res_partner", PERSON),
        feed.insert("res_partner", COMPANY),
        feed.insert("crm_stage", STAGE),
        feed.insert("res_country", COUNTRY),
    ]


async def test_a_lead_takes_its_company_from_the_persons_commercial_partner(
    bench: NormaliseBench,
) -> None:
    await bench.feed(*lead_rows(SourceFeed()))
    fields = await bench.fields("opportunity", "odoo", 5)
    assert fields["title"] == "Data lake"
    assert fields["company_name"] == "Lumenor GmbH"
    assert fields["normalized_company"] == "lumenor"
    assert fields["normalized_domain"] == "lumenor.example"
    assert fields["stage"] == "Qualified"
    assert fields["country"] == "DE"
    assert fields["expected_revenue"] == "12000.5"
    assert fields["email"] == "ann@lumenor.example"
    assert fields["description"] == "Move everything\nsoon"
    assert fields["expected_close"] == "2026-12-24"
    assert fields["created_at"] == "2026-11-01T10:00:00.123456Z"
    assert fields["contacts"] == ["Ann Field"]
    assert fields["customer"] == "partner:8"
    assert (fields["outcome"], fields["is_open"], fields["is_won"]) == ("open", True, False)


async def test_rows_that_come_in_any_order_make_the_same_record(bench: NormaliseBench) -> None:
    rows = lead_rows(SourceFeed())
    for row in rows:
        await bench.feed(row)
    forward = await bench.core_state()
    for table in ("raw.rows", "core.records"):
        await bench.pool.execute(f"delete from {table}")
    for row in reversed(rows):
        await bench.feed(row)
    assert await bench.core_state() == forward


async def test_a_renamed_partner_refreshes_its_leads_and_tells_what_changed(
    bench: NormaliseBench,
) -> None:
    feed = SourceFeed()
    await bench.feed(*lead_rows(feed))
    await bench.feed(feed.update("res_partner", 8, {"name": "Lumenor Europe SE"}))
    (event,) = await bench.events("core.opportunity")
    assert event["version"] == 2
    assert event["fields"]["company_name"] == "Lumenor Europe SE"
    assert event["changed"] == ["company_name", "normalized_company", "aliases"] or set(
        event["changed"]
    ) == {"company_name", "normalized_company", "aliases"}
    assert event["correlation_id"].startswith('odoo.res_partner:{"id":8}@1.')


async def test_a_renamed_stage_refreshes_every_lead_in_it_in_chunks(bench: NormaliseBench) -> None:
    feed = SourceFeed()
    leads = [feed.insert("crm_lead", {**LEAD, "id": id}) for id in range(1, 701)]
    await bench.feed(*leads, *lead_rows(feed)[1:])
    await bench.processor.process([feed.update("crm_stage", 1, {"name": '{"en_US": "Proposal"}'})])
    assert await bench.pool.fetchval("select count(*) from ops.dirty") == 700
    await bench.settle()
    stages = await bench.pool.fetch(
        "select fields ->> 'stage' as stage, count(*) as n from core.records"
        " where kind = 'opportunity' group by 1"
    )
    assert [(row["stage"], row["n"]) for row in stages] == [("Proposal", 700)]


async def test_a_change_of_unused_columns_says_nothing(bench: NormaliseBench) -> None:
    feed = SourceFeed()
    await bench.feed(*lead_rows(feed))
    await bench.feed(
        feed.update("crm_lead", 5, {"write_date": "2026-11-03T10:00:00Z", "probability": 44.4}),
        feed.update("res_partner", 8, {"comment": "seen at a fair", "color": 3}),
    )
    record = await bench.record("opportunity", "odoo", 5)
    assert record is not None
    assert record["version"] == 1
    assert record["fields"]["changed_at"] == "2026-11-03T10:00:00Z"


async def test_won_lost_and_archived_are_told_apart(bench: NormaliseBench) -> None:
    feed = SourceFeed()
    await bench.feed(*lead_rows(feed), feed.insert("crm_stage", {**STAGE, "id": 4, "is_won": True}))

    async def outcome() -> str:
        fields = await bench.fields("opportunity", "odoo", 5)
        return fields["outcome"]

    await bench.feed(feed.update("crm_lead", 5, {"stage_id": 4, "probability": 100.0}))
    assert await outcome() == "won"
    await bench.feed(feed.update("crm_lead", 5, {"active": False}))
    assert await outcome() == "archived"
    await bench.feed(feed.update("crm_lead", 5, {"probability": 0.0}))
    assert await outcome() == "lost"
    await bench.feed(feed.update("crm_lead", 5, {"active": True, "stage_id": 1}))
    assert await outcome() == "open"
    await bench.feed(
        feed.update("crm_lead", 5, {"active": False, "lost_reason_id": 2, "probability": 5.0})
    )
    assert await outcome() == "lost"


async def test_products_of_orders_follow_an_order_to_another_lead(bench: NormaliseBench) -> None:
    feed = SourceFeed()
    await bench.feed(
        feed.insert("crm_lead", LEAD),
        feed.insert("crm_lead", {**LEAD, "id": 6}),
        feed.insert("sale_order", {"id": 1, "opportunity_id": 5, "state": "sale"}),
        feed.insert("sale_order_line", {"id": 1, "order_id": 1, "product_id": 2}),
        feed.insert("product_product", {"id": 2, "product_tmpl_id": 3}),
        feed.insert("product_template", {"id": 3, "name": '{"en_US": "Migration"}'}),
    )
    assert (await bench.fields("opportunity", "odoo", 5))["products"] == ["Migration"]
    await bench.feed(feed.update("sale_order", 1, {"opportunity_id": 6}))
    assert (await bench.fields("opportunity", "odoo", 5))["products"] == []
    assert (await bench.fields("opportunity", "odoo", 6))["products"] == ["Migration"]
    await bench.feed(feed.update("sale_order", 1, {"opportunity_id": None}))
    assert (await bench.fields("opportunity", "odoo", 6))["products"] == []
    await bench.feed(
        feed.update("sale_order", 1, {"opportunity_id": 6}),
        feed.delete("sale_order_line", 1),
    )
    assert (await bench.fields("opportunity", "odoo", 6))["products"] == []


async def test_accounts_of_all_the_companys_contacts_belong_to_the_lead(
    bench: NormaliseBench,
) -> None:
    feed = SourceFeed()
    await bench.feed(
        *lead_rows(feed),
        feed.insert("c_aws_accounts", {"id": 1, "account_number": "000000000018", "partner_id": 8}),
        feed.insert("c_aws_accounts", {"id": 2, "account_number": "17", "partner_id": 7}),
    )
    fields = await bench.fields("opportunity", "odoo", 5)
    assert fields["account_ids"] == ["000000000018", "17"]
    record = await bench.record("account", "-", 2)
    assert record is not None
    assert record["customer"] == "partner:8"
    assert "malformed:account_id" in record["dq_flags"]


async def test_an_ace_opportunity_is_found_by_its_apn_id(bench: NormaliseBench) -> None:
    feed = SourceFeed(source="apn")
    await bench.feed(
        feed.insert(
            "apn_opportunity",
            {
                "id": 1,
                "apn_id": "O1234567",
                "company_id": 9,
                "customer_company_name": "Lumenor",
                "stage": "launched",
                "opportunity_ownership": "partner referral",
                "expected_monthly_revenue": "1500.00",
                "currency": "USD",
                "target_close_date": "2026-12-01Z",
                "country": "Germany",
                "aws_account_id": "0000-0000-0018",
                "created_date": "2026-10-01T08:00:00+02:00",
                "use_case": "Migration; Storage",
                "delivery_model": None,
                "government_advising": "No",
            },
        ),
        feed.insert(
            "apn_companies", {"id": 9, "name": "Lumenor GmbH", "aliases": "Lumenor AG; LMN"}
        ),
        feed.insert(
            "apn_contacts", {"id": 1, "company_id": 9, "name": "Ann", "email": "A@x.example"}
        ),
    )
    fields = await bench.fields("opportunity", "ace", "O1234567")
    assert fields["aliases"] == ["LMN", "Lumenor AG", "Lumenor GmbH"]
    assert (fields["is_open"], fields["is_won"], fields["origination"]) == (False, True, "PO")
    assert (fields["country"], fields["amount_period"]) == ("DE", "monthly")
    assert fields["account_ids"] == ["000000000018"]
    assert fields["created_at"] == "2026-10-01T06:00:00Z"
    assert fields["products"] == ["Migration", "Storage"]
    assert fields["contact_emails"] == ["a@x.example"]
    assert fields["government_advising"] is False
    await bench.feed(feed.update("apn_opportunity", 1, {"apn_id": "O7654321"}))
    gone = await bench.record("opportunity", "ace", "O1234567")
    assert gone is not None
    assert gone["deleted"]
    assert (await bench.fields("opportunity", "ace", "O7654321"))["company_name"] == "Lumenor"


async def test_every_value_can_be_traced_to_a_row_column_and_position(
    bench: NormaliseBench,
) -> None:
    await bench.feed(*lead_rows(SourceFeed()))
    record = await bench.record("opportunity", "odoo", 5)
    assert record is not None
    ((place, column),) = record["lineage"]["company_name"]
    table, key, epoch, position, committed_at = record["inputs"][place]
    assert (table, key, column, epoch) == ("odoo.res_partner", '{"id":8}', "name", 1)
    raw = await bench.raw("odoo.res_partner", 8)
    assert raw is not None
    assert raw["position"] == position
    assert committed_at.startswith("2026-")


async def test_two_tenants_with_the_same_ids_never_mix(bench: NormaliseBench) -> None:
    home, second = SourceFeed("home"), SourceFeed("second")
    rows = lead_rows(home)
    await bench.feed(*rows, second.insert("crm_lead", LEAD), second.insert("res_partner", PERSON))
    assert (await bench.fields("opportunity", "odoo", 5))["company_name"] == "Lumenor GmbH"
    other = await bench.record("opportunity", "odoo", 5, "second")
    assert other is not None
    assert other["fields"]["company_name"] == "Ann Field"
    assert "unresolved:company" in other["dq_flags"]
    await bench.feed(second.insert("res_partner", {**COMPANY, "name": "Another"}))
    assert (await bench.fields("opportunity", "odoo", 5))["company_name"] == "Lumenor GmbH"


async def test_a_record_without_name_and_domain_is_a_finding_until_it_has_one(
    bench: NormaliseBench,
) -> None:
    feed = SourceFeed()
    await bench.feed(
        feed.insert(
            "crm_lead",
            {"id": 9, "name": "?", "type": "lead", "active": True, "email_from": "x@gmail.com"},
        )
    )
    (finding,) = await bench.events("dq.violation")
    assert {"no_company_name", "not_embeddable"} <= set(finding["flags"])
    await bench.feed(feed.update("crm_lead", 9, {"partner_name": "Lumenor"}))
    (finding,) = await bench.events("dq.violation")
    assert (finding["flags"], finding["version"]) == ([], 2)
