"""`revops packs`: a skeleton that is sound from the first minute."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

import streams.packs
from streams.packs import load_pack, packs_folder
from workers.cli.main import app

CONFIGURATION = Path(__file__).parents[3] / "deploy" / "config"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with the installed packs that packs are written to and loaded from."""
    copy = tmp_path / "packs"
    shutil.copytree(str(packs_folder()), copy)
    monkeypatch.setattr(streams.packs, "packs_folder", lambda: copy)
    monkeypatch.setattr("workers.cli.packs.packs_folder", lambda: copy)
    monkeypatch.setenv("REVOPS_CONFIG__DIRECTORY", str(CONFIGURATION))
    load_pack.cache_clear()
    yield copy
    load_pack.cache_clear()


def revops(*words: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, words)
    assert result.exit_code == code, result.output
    return result.output


def test_a_new_pack_passes_lint_and_all_its_cases(folder: Path) -> None:
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
    assert (folder / "renewals" / "mapping" / "billing.yaml").is_file()
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
    folder: Path, words: tuple[str, ...], says: str
) -> None:
    before = sorted(folder.rglob("*"))
    assert says in revops("packs", "new", *words, code=2)
    assert sorted(folder.rglob("*")) == before


def test_the_list_names_every_pack_with_its_sides() -> None:
    found = {one["pack"]: one for one in json.loads(revops("packs", "list", "--output", "json"))}
    assert found["csp"]["sides"] == ["dynamics", "partner_center"]
    assert found["pod"]["sources"] == ["odoo", "apn"]
