"""The second sample: rows that fit what the pack reads, labels of every outcome, and its day."""

import re
from collections import Counter
from datetime import date
from importlib import resources

import pytest

from deploy.sample.csp import APART, ASK, HOLD, TRANSACT, CspWorld
from deploy.sample.csp.day import plan_csp_day
from deploy.sample.csp.recipes import RECIPES
from deploy.sample.transactions import Insert, Update
from streams.packs import load_pack

AS_OF = date(2026, 11, 20)


@pytest.fixture(scope="module")
def reseller() -> CspWorld:
    return CspWorld.build(7, AS_OF)


def test_the_world_of_the_same_seed_is_the_same(reseller: CspWorld) -> None:
    assert CspWorld.build(7, AS_OF) == reseller
    assert CspWorld.build(8, AS_OF).dynamics.tables != reseller.dynamics.tables


def test_the_schemas_have_every_column_that_the_pack_reads_and_the_rows_name(
    reseller: CspWorld,
) -> None:
    read = load_pack("csp").plan().tables
    for source, content in reseller.sources.items():
        text = resources.files("deploy.sample").joinpath(content.script).read_text("utf-8")
        bodies = dict(re.findall(r"CREATE TABLE (\w+) \((.*?)\n\);", text, re.DOTALL))
        assert bodies.keys() == set(load_pack("csp").tables[source])
        for table, body in bodies.items():
            columns = set(re.findall(r"^    ([a-z_0-9]+) ", body, re.MULTILINE))
            assert read[f"{source}.{table}"].columns <= columns, table
            rows = content.rows[table].values()
            assert rows, table
            assert {name for row in rows for name in row} <= columns, table


def test_every_recipe_and_every_outcome_has_labelled_pairs(reseller: CspWorld) -> None:
    counted = Counter(label.slice for label in reseller.labels if label.is_match)
    assert {recipe.name: recipe.pairs for recipe in RECIPES}.items() <= counted.items()
    certain = {next(iter(one.accepts)) for one in reseller.labels if len(one.accepts) == 1}
    assert certain == {TRANSACT, HOLD, ASK, APART}
    assert not [one for one in reseller.labels if not one.is_match and TRANSACT in one.accepts]
    assert len({label.pair for label in reseller.labels}) == len(reseller.labels)


def test_each_rule_of_the_pack_stands_in_the_way_of_some_deal() -> None:
    rules = set(re.findall(r"^  (C\d):$", load_pack("csp").file("rules.yaml"), re.MULTILINE))
    assert {recipe.because for recipe in RECIPES if recipe.because} == rules - {"C3"}


def test_the_day_changes_each_row_once_and_says_what_comes_of_it(reseller: CspWorld) -> None:
    day = plan_csp_day(reseller, 7)
    assert day == plan_csp_day(reseller, 7)
    statements = [one for transaction in day.transactions for one in transaction.statements]
    changed = [(one.table, one.ids) for one in statements if isinstance(one, Update)]
    assert len(set(changed)) == len(changed) > 20
    inserted = [one.table for one in statements if isinstance(one, Insert)]
    assert {"account", "contact", "opportunity", "customer", "agreement", "referral"} == {*inserted}
    before = {one.pair: next(iter(one.accepts)) for one in reseller.labels}
    altered = [pair for pair, outcome in day.outcomes.items() if before.get(pair) != outcome]
    assert len(altered) >= 25
    assert {day.outcomes[pair] for pair in altered} == {TRANSACT, HOLD, ASK, APART}
