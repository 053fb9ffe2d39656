"""The connector's configuration: what the template and the tenant file make of a source."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from connectors.kafka_connect.configuration import (
    ConnectorNames,
    DatabaseAddress,
    connector_configuration,
    difference,
)
from connectors.kafka_connect.source_rights import rights_script
from schemas.tenants import Source

NAMES = ConnectorNames("home", "crm")
ADDRESS = DatabaseAddress("db.example", 5433, "crm", "reader", "secret")
KEYS = {"lead": ("id",), "tag_rel": ("lead_id", "tag_id")}


def source(**changes: Any) -> Source:
    base = {"capture": "debezium", "dsn_variable": "DSN", "tables": ["lead", "tag_rel"]}
    return Source.model_validate(base | changes)


def configuration(epoch: int = 1, **changes: Any) -> dict[str, str]:
    return connector_configuration(NAMES, source(**changes), ADDRESS, KEYS, epoch)


def test_every_placeholder_is_filled_and_nothing_is_empty() -> None:
    filled = configuration()
    assert not [value for value in filled.values() if re.search(r"\{[a-z_]+\}", value) or not value]
    assert filled["database.hostname"] == "db.example"
    assert filled["slot.name"] == "revops_home_crm"
    assert filled["topic.prefix"] == "home.crm"


def test_topics_are_routed_by_source_and_table() -> None:
    filled = configuration()
    pattern = filled["transforms.changes.regex"]
    replacement = filled["transforms.changes.replacement"].replace("$1", r"\1")
    assert re.sub(f"^{pattern}$", replacement, "home.crm.public.lead") == "cdc.crm.lead"
    assert not re.fullmatch(pattern, "homeXcrm.public.lead")
    assert re.fullmatch(filled["transforms.heartbeats.regex"], "__heartbeat.home.crm")


def test_tables_and_left_out_columns_are_exact_patterns() -> None:
    filled = configuration(without={"lead": ["password", "a$b"]})
    patterns = filled["table.include.list"].split(",")
    assert [bool(re.fullmatch(patterns[0], name)) for name in ("public.lead", "publicXlead")] == [
        True,
        False,
    ]
    columns = filled["column.exclude.list"].split(",")
    assert re.fullmatch(columns[0], "public.lead.a$b")
    assert re.fullmatch(columns[1], "public.lead.password")
    assert "column.exclude.list" not in configuration()


def test_a_key_of_several_columns_is_in_alphabetical_order() -> None:
    assert configuration()["message.key.columns"] == r"public\.tag_rel:lead_id,tag_id"


def test_the_epoch_travels_in_value_and_header() -> None:
    filled = configuration(epoch=7)
    assert filled["transforms.valueEpoch.static.value"] == "7"
    assert filled["transforms.headerEpoch.value.literal"] == "7"


def test_a_password_that_connect_looks_up_is_not_in_the_configuration() -> None:
    filled = configuration(connect_password="${env:CRM_PASSWORD}")
    assert filled["database.password"] == "${env:CRM_PASSWORD}"
    assert "secret" not in filled.values()


def test_further_settings_are_added_but_none_is_changed() -> None:
    assert configuration(connector={"snapshot.max.threads": "2"})["snapshot.max.threads"] == "2"
    with pytest.raises(ValueError, match=r"slot\.name"):
        configuration(connector={"slot.name": "mine"})


def test_difference_never_shows_a_password() -> None:
    before = configuration() | {"name": "revops.home.crm"}
    wanted = configuration() | {"database.password": "other"}
    assert difference(configuration(), before) == {}
    assert difference(wanted, before) == {"database.password": ("***", "***")}


@pytest.mark.parametrize(
    "dsn", ["", "mysql://u:p@h/d", "postgresql://h/d", "postgresql://u:p@h", "postgresql:///d"]
)
def test_an_address_that_lacks_a_part_is_refused(dsn: str) -> None:
    with pytest.raises(ValueError, match="postgresql://role:password@host:port/database"):
        DatabaseAddress.of(dsn)


def test_an_address_is_unquoted() -> None:
    found = DatabaseAddress.of("postgresql://r%40x:p%2Fw@h.example/my%20db")
    assert found == DatabaseAddress("h.example", 5432, "my db", "r@x", "p/w")


def test_names_come_back_from_the_prefix() -> None:
    assert ConnectorNames.of_prefix(NAMES.prefix) == NAMES
    assert ConnectorNames.of_prefix("other") is None


def test_the_rights_script_names_exactly_what_is_captured() -> None:
    polled = source(capture="poll", without={"lead": ["password"]})
    script = rights_script(polled, "reader")
    assert json.loads(script.split("$wanted$")[1]) == {
        "role": "reader",
        "replication": False,
        "schema": "public",
        "publication": "revops_capture",
        "tables": [{"name": "lead", "without": ["password"]}, {"name": "tag_rel", "without": []}],
    }
    assert json.loads(rights_script(source(), "r").split("$wanted$")[1])["replication"] is True
