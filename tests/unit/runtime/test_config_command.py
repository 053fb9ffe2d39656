"""`revops config show`: every setting with its origin, and no secret."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from workers.cli.main import app

HIDDEN = "not-to-be-seen"
VARIABLES = {
    "REVOPS_DATABASE__DSN": f"postgresql://revops:{HIDDEN}@db.example/revops",
    "REVOPS_KAFKA__BOOTSTRAP_SERVERS": "kafka.example:9092",
    "REVOPS_WORKER__BATCH_RECORDS": "250",
    "REVOPS_SOURCE_HOME_ODOO_DSN": f"postgresql://capture:{HIDDEN}@odoo.example/odoo",
}


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REVOPS_SOURCE_HOME_APN_DSN", raising=False)
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)


def shown(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["config", "show", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_config_show_tells_the_origin_of_every_setting() -> None:
    rows = {row["variable"]: row for row in json.loads(shown("--output", "json"))["settings"]}
    assert rows["REVOPS_WORKER__BATCH_RECORDS"]["value"] == "250"
    assert rows["REVOPS_WORKER__BATCH_RECORDS"]["from"] == "environment"
    assert rows["REVOPS_LOG__LEVEL"] == {
        "variable": "REVOPS_LOG__LEVEL",
        "value": "info",
        "from": "default",
    }


def test_config_show_names_the_sources_whose_address_is_missing() -> None:
    sources = json.loads(shown("--output", "json"))["sources"]
    addresses = {row["source"]: row["address"] for row in sources if row["tenant"] == "home"}
    assert addresses == {
        "odoo": "REVOPS_SOURCE_HOME_ODOO_DSN is set",
        "apn": "REVOPS_SOURCE_HOME_APN_DSN is NOT set",
    }


@pytest.mark.parametrize("output", ["table", "json"])
def test_config_show_hides_secrets(output: str) -> None:
    assert HIDDEN not in shown("--output", output)


def test_config_show_given_leaves_defaults_out() -> None:
    rows = json.loads(shown("--given", "--output", "json"))["settings"]
    assert {row["from"] for row in rows} == {"environment"}
    assert {row["variable"] for row in rows} >= {"REVOPS_DATABASE__DSN"}
