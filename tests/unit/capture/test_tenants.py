"""Tenant files: what they may say, and how the tables of a source are found."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from schemas.tenants import CaptureMode, Tenant, captured_tables
from workers.tenants import packs_in_use


def tenant(name: str = "home", packs: tuple[str, ...] = ("pod",), **source: Any) -> Tenant:
    base = {"capture": "debezium", "dsn_variable": "DSN_CRM"}
    return Tenant.model_validate(
        {"tenant": name, "sources": {"crm": base | source}, "packs": {pack: {} for pack in packs}}
    )


DECLARED = {"pod": {"crm": ("stage", "lead")}, "other": {"crm": ("lead", "bill")}}


def test_tables_are_those_that_the_packs_declare() -> None:
    found = tenant(packs=("pod", "other")).with_tables(DECLARED)
    assert found.sources["crm"].tables == ("stage", "lead", "bill")


def test_tables_of_the_file_stand_before_the_packs() -> None:
    assert tenant(tables=["lead"]).with_tables(DECLARED).sources["crm"].tables == ("lead",)


def test_a_source_without_tables_is_refused() -> None:
    with pytest.raises(ValueError, match="name them in the tenant file under `tables`"):
        tenant(packs=()).with_tables(DECLARED)


@pytest.mark.parametrize(
    "source",
    [
        {"capture": "guess"},
        {"dsn_variable": "postgresql://a:b@c/d"},
        {"dsn_variable": ""},
        {"tables": ["lead", "lead"]},
        {"tables": ["lead; drop table lead"]},
        {"password": "x"},
    ],
)
def test_a_source_that_makes_no_sense_is_refused(source: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        tenant(**source)


@pytest.mark.parametrize("name", ["Home", "1st", "a-b", "", "a" * 40])
def test_a_name_that_cannot_be_part_of_a_slot_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        tenant(name)


def test_captured_tables_join_the_tenants() -> None:
    one, two = tenant(tables=["lead", "stage"]), tenant("second", tables=["bill", "lead"])
    assert captured_tables([one, two]) == {"crm": ("lead", "stage", "bill")}
    assert one.sources["crm"].capture is CaptureMode.DEBEZIUM


def test_packs_in_use_are_those_that_some_tenant_names() -> None:
    assert packs_in_use([tenant(packs=("pod", "other")), tenant("second")]) == ("other", "pod")
    assert packs_in_use([]) == ()
