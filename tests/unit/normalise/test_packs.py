"""The installed packs load, compile and are consistent in themselves."""

from __future__ import annotations

import pytest

from streams.normalise.mapping import MappingError
from streams.packs import PackError, installed_packs, load_pack


@pytest.mark.parametrize("name", installed_packs())
def test_every_installed_pack_compiles(name: str) -> None:
    pack = load_pack(name)
    plan = pack.plan(partner_domains=["partner.example"])
    kinds = {(record.kind, record.side) for record in plan.records if record.is_record}
    for side in pack.sides:
        assert ("opportunity", side) in kinds


def test_the_pod_pack_names_its_sides_in_order_and_its_tables() -> None:
    pack = load_pack("pod")
    assert pack.sides == ("odoo", "ace")
    assert "crm_lead" in pack.tables["odoo"]
    assert "apn_opportunity" in pack.tables["apn"]
    assert "core.odoo_opportunities" in (pack.views() or "")


def test_both_sides_of_the_pod_pack_give_the_fields_of_the_specification() -> None:
    common = {
        "id", "title", "company_name", "normalized_company", "website", "normalized_domain", "aliases",
        "description", "products", "industry", "country", "state", "stage", "is_open", "is_won",
        "origination", "origination_raw", "expected_revenue", "currency", "amount_period",
        "expected_close", "created_at", "changed_at", "account_ids", "owner_name", "owner_email",
        "contacts", "contact_emails", "customer",
    }  # fmt: skip
    plan = load_pack("pod").plan()
    for side in ("odoo", "ace"):
        names = {field.name for field in plan.record(f"opportunity/{side}").fields}
        assert common <= names


def test_a_tenants_override_reaches_the_plan() -> None:
    override = {
        "odoo": {
            "records": [
                {
                    "kind": "opportunity",
                    "side": "odoo",
                    "root": "crm_lead",
                    "fields": {"eur_status": {"from": "root.x_studio_eur"}},
                }
            ]
        }
    }
    plan = load_pack("pod").plan(override)
    assert "x_studio_eur" in plan.tables["odoo.crm_lead"].columns
    assert "completion_status" not in plan.tables["odoo.crm_lead"].columns


def test_an_override_of_a_file_that_is_not_there_is_refused() -> None:
    with pytest.raises(MappingError, match="overrides for salesforce: pack pod has only"):
        load_pack("pod").plan({"salesforce": {}})


def test_an_override_that_reads_an_uncaptured_table_is_refused() -> None:
    record = {"kind": "note", "root": "crm_note", "fields": {"text": {"from": "root.text"}}}
    with pytest.raises(MappingError, match=r"odoo.crm_note is mapped but not captured"):
        load_pack("pod").plan({"odoo": {"records": [record]}})


def test_a_pack_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(PackError, match=r"there is no pack 'csp_x'; installed: .*pod"):
        load_pack("csp_x")
    with pytest.raises(PackError, match=r"pack pod has no file nothing\.yaml"):
        load_pack("pod").file("nothing.yaml")
