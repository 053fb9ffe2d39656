"""`revops demo`: which samples are shown, and how a decision of any pack is told."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deploy.sample.shows import SHOWS, Show
from schemas.tenants import captured_tables
from workers.cli.demo_screen import WORDS, outcome_meanings
from workers.cli.main import app
from workers.tenants import load_tenants

CONFIGURATIONS = {
    "pod": Path(__file__).parents[3] / "deploy" / "config",
    "csp": Path(__file__).parents[3] / "deploy" / "sample" / "config",
}


def test_a_pack_without_a_sample_is_refused_before_anything_starts() -> None:
    result = CliRunner().invoke(app, ["demo", "--pack", "renewals"])
    assert result.exit_code == 2
    assert "pod, csp" in result.output


@pytest.mark.parametrize("show", SHOWS.values(), ids=SHOWS)
def test_a_sample_has_the_sources_and_tables_that_its_tenant_captures(show: Show) -> None:
    tenant = load_tenants(show.tenant_file.parents[1])[show.tenant]
    shown = show.build(7, date(2026, 11, 20))
    assert tenant.packs.keys() == {show.pack}
    for source, tables in captured_tables([tenant]).items():
        assert set(tables) <= shown.sources[source].rows.tables.keys()
    assert shown.day.transactions
    assert shown.day.outcomes


@pytest.mark.parametrize("pack", CONFIGURATIONS)
def test_each_pack_has_an_outcome_for_every_word_of_the_screen(pack: str) -> None:
    meanings = outcome_meanings(CONFIGURATIONS[pack])
    assert {one for one, _ in meanings} == {pack}
    assert {*filter(None, meanings.values())} == WORDS.keys()
