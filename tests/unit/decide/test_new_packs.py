"""`revops packs`: a skeleton that is sound from the first minute."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from streams.packs import PackError, load_pack, use_own_packs
from workers.cli.main import app
from workers.tenants import load_tenants

SHIPPED = Path(__file__).parents[3] / "deploy" / "config"


@pytest.fixture
def configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A configuration folder outside of the checkout; packs of its own are forgotten afterwards."""
    copy = tmp_path / "config"
    shutil.copytree(SHIPPED, copy)
    monkeypatch.setenv("REVOPS_CONFIG__DIRECTORY", str(copy))
    yield copy
    use_own_packs(SHIPPED / "packs")


def revops(*words: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, words)
    assert result.exit_code == code, result.output
    return result.output


def test_a_new_pack_passes_lint_and_all_its_cases(configuration: Path) -> None:
    revops(
        "packs",
        "new",
        "renewals",
        "--title",
        "Renewals: all",
        "--left",
        "crm",
        "--right",
        "billing",
    )
    assert (configuration / "packs" / "renewals" / "mapping" / "billing.yaml").is_file()
    assert load_pack("renewals").manifest.title == "Renewals: all"
    assert load_pack("renewals").sides == ("crm", "billing")
    assert load_pack("renewals").file("matcher.json") == load_pack("pod").file("matcher.json")
    whose = ("pack", "--tenant", "home", "--pack", "renewals", "--output", "json")
    assert json.loads(revops("rules", "lint", *whose)) == []
    found = json.loads(revops("rules", "test", *whose))
    assert [one["problems"] for one in found["cases"]] == [[]] * 6
    assert found["not_exercised"] == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("Renewals",), "name"),
        (("../renewals",), "name"),
        (("pod",), "there already"),
        (("renewals", "--left", "crm", "--right", "crm"), "both sides"),
        (("renewals", "--left", "c-r-m"), "sides"),
    ],
)
def test_what_cannot_be_a_pack_is_refused_before_anything_is_written(
    configuration: Path, words: tuple[str, ...], says: str
) -> None:
    assert says in revops("packs", "new", *words, code=2)
    assert not (configuration / "packs").exists()


def test_a_tenant_uses_a_pack_of_its_own_installation(configuration: Path) -> None:
    revops("packs", "new", "renewals")
    tenant = {
        "tenant": "second",
        "sources": {
            side: {"capture": "poll", "dsn_variable": "UNUSED"} for side in ("crm", "vendor")
        },
        "packs": {"renewals": {}},
    }
    (configuration / "tenants" / "second.yaml").write_text(json.dumps(tenant), encoding="utf-8")
    sources = load_tenants(configuration)["second"].sources
    assert sources["crm"].tables == load_pack("renewals").tables["crm"] != ()


def test_a_pack_named_like_one_that_ships_is_refused(configuration: Path) -> None:
    (configuration / "packs" / "csp").mkdir(parents=True)
    (configuration / "packs" / "csp" / "pack.yaml").write_text("name: csp")
    use_own_packs(configuration / "packs")
    with pytest.raises(PackError, match="rename yours"):
        load_pack("csp")


def test_the_list_names_every_pack_with_its_sides() -> None:
    found = {one["pack"]: one for one in json.loads(revops("packs", "list", "--output", "json"))}
    assert found["csp"]["sides"] == ["dynamics", "partner_center"]
    assert found["pod"]["sources"] == ["odoo", "apn"]
