"""The endless stream of single changes, and the cost rows for measuring imports."""

import itertools
from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal

from deploy.sample.change_stream import change_stream
from deploy.sample.cost_report import COST_COLUMNS, cost_rows
from deploy.sample.expected import Judge
from deploy.sample.generate import SampleWorld
from deploy.sample.transactions import apply

NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)


def test_change_stream_alters_the_decision_that_it_names(world: SampleWorld) -> None:
    odoo, apn = world.odoo.copy(), world.apn.copy()
    for change in itertools.islice(change_stream(world, seed=1), 120):
        expectation = change.expectation
        assert expectation is not None
        before = Judge(odoo, apn, world.as_of).verdict(expectation.odoo_id, expectation.apn_id)
        assert before.outcome == expectation.before
        apply(odoo if change.database == "odoo" else apn, change.database, change.statements, NOW)
        after = Judge(odoo, apn, world.as_of).verdict(expectation.odoo_id, expectation.apn_id)
        assert after.outcome == expectation.outcome
        assert expectation.alters


def test_change_stream_gives_every_pair_its_turn_before_one_comes_again(world: SampleWorld) -> None:
    changes = list(itertools.islice(change_stream(world, seed=2), 240))
    pairs = [change.expectation.odoo_id for change in changes if change.expectation]
    turns = len(set(pairs))
    assert turns >= 20
    assert set(Counter(pairs).values()) == {len(pairs) // turns}
    assert pairs[:turns] == pairs[turns : 2 * turns]
    assert {change.database for change in changes} == {"odoo", "apn"}
    assert changes == list(itertools.islice(change_stream(world, seed=2), 240))


def test_cost_rows_are_as_many_as_asked_and_only_the_last_month_is_open() -> None:
    rows = list(cost_rows(1, date(2026, 11, 20), accounts=20, products=3, months=4))
    assert len(rows) == 20 * 3 * 4
    assert {len(row) for row in rows} == {len(COST_COLUMNS)}
    assert {row[5] for row in rows if row[10] is None} == {date(2026, 10, 1)}
    assert len({row[0] for row in rows}) == 20
    assert len({row[1] for row in rows}) == 2
    assert all(isinstance(row[8], Decimal) for row in rows)
