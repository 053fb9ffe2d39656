"""Look-ups whose cost does not grow with what a tenant has: indexes and the plans that use them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sized

import pytest

from connectors.postgres import match_memory as memory
from connectors.postgres import matches as store
from connectors.postgres.facts import PairSchema
from connectors.postgres.matches import Place
from connectors.postgres.pool import Connection, Pool, transaction
from connectors.postgres.touched_pairs import pairs_of_accounts, pairs_of_records
from tests.platform import platform_database
from tests.stack import RunningStack

_MANY = 6_000
_HOME = Place("home", "pod")
_SCHEMA = PairSchema("opportunity", "odoo", "ace", "odoo")
_FILL = (
    # three deals a company, each of which one account pays for
    """insert into core.records (tenant, pack, kind, side, id, version, is_open, customer, fields)
       select 'home', 'pod', 'opportunity', side, side || n, 1, true, 'partner ' || n / 3,
              jsonb_build_object('normalized_company', 'company ' || n / 3,
                'account_ids', jsonb_build_array(lpad((n / 3)::text, 12, '0')))
         from generate_series(1, $1::int) n, unnest(array['odoo', 'ace']) side""",
    """insert into core.match_keys (tenant, pack, side, kind, value, id)
       select 'home', 'pod', side, kind, kind || n / 3, side || n
         from generate_series(1, $1::int) n, unnest(array['odoo', 'ace']) side,
              unnest(array['name', 'domain']) kind""",
    # live pairs among the deals of a company, and ended ones
    """insert into core.matches (tenant, pack, left_id, right_id, match_id, version, status, live,
         confidence, confidence_method, probability, rank_score)
       select 'home', 'pod', 'odoo' || n, 'ace' || n / 3 * 3 + (n + o) % 3, n || 'x' || o, 1,
              'unmatched', o < 2, 0, 'none', 0.1, 0.1
         from generate_series(1, $1::int) n, generate_series(0, 2) o""",
    """insert into core.match_verdicts (tenant, pack, command_id, left_id, right_id, verdict, actor,
         reason, given_at)
       select 'home', 'pod', n::text, 'odoo' || n, 'ace' || n, 'confirm', 'ann', '', now()
         from generate_series(1, $1::int) n""",
    """insert into ops.decision_heads (tenant, pack, left_id, right_id, state, accounts, competitors)
       select 'home', 'pod', 'odoo' || n, 'ace' || n, 'decided', array[lpad((n / 3)::text, 12, '0')],
              array['odoo/odoo' || n / 3 * 3]
         from generate_series(1, $1::int) n""",
)
_READ = """
select coalesce(sum(pg_stat_get_xact_tuples_returned(oid)), 0)::int from pg_class
 where relkind in ('r', 'i') and relnamespace in ('core'::regnamespace, 'ops'::regnamespace)
"""
"""Rows and index entries that the statements of this transaction went through."""


@pytest.fixture
async def filled(stack: RunningStack) -> AsyncIterator[Pool]:
    """A tenant of many records, analysed as tables that grow are."""
    async with platform_database(stack, "indexes") as database:
        for statement in _FILL:
            await database.pool.execute(statement, _MANY)
        await database.pool.execute("analyze")
        yield database.pool


LookUp = Callable[[Connection], Awaitable[Sized]]
_OF_ROUNDS: dict[str, LookUp] = {
    "component_of": lambda connection: store.component_of(
        connection, _HOME, ["odoo900"], ["ace900"]
    ),
    "newest_verdicts": lambda connection: memory.newest_verdicts(
        connection, _HOME, ["odoo900"], ["ace901"]
    ),
    "stored_pairs": lambda connection: store.stored_pairs(
        connection, _HOME, [("odoo900", "ace900")]
    ),
    "read_subjects": lambda connection: store.read_subjects(
        connection, _HOME, "opportunity", "odoo", ["odoo900", "odoo901"]
    ),
    "read_changed": lambda connection: store.read_changed(
        connection, _HOME, "opportunity", "odoo", ["odoo900", "odoo901"]
    ),
    "subjects_by_keys": lambda connection: store.subjects_by_keys(
        connection, _HOME, "opportunity", "ace", [("name", "name300"), ("domain", "domain7")], 50
    ),
}
_OF_DECISIONS: dict[str, LookUp] = {
    "pairs_of_records": lambda connection: pairs_of_records(
        connection, "home", "pod", _SCHEMA, [("odoo", "odoo900")]
    ),
    "pairs_of_accounts": lambda connection: pairs_of_accounts(
        connection, "home", "pod", _SCHEMA, ["000000000300"]
    ),
}


@pytest.mark.parametrize("name", [*_OF_ROUNDS, *_OF_DECISIONS])
async def test_a_look_up_reads_what_it_finds_and_little_more(filled: Pool, name: str) -> None:
    async with transaction(filled) as connection:
        found, read = await _counted(connection, (_OF_ROUNDS | _OF_DECISIONS)[name])
    assert found
    assert read < 60 * found


@pytest.mark.parametrize("name", _OF_ROUNDS)
async def test_so_it_does_with_the_plan_that_a_round_keeps(filled: Pool, name: str) -> None:
    async with transaction(filled) as connection:
        await store.begin_matching(connection, _HOME)
        assert await connection.fetchval("show plan_cache_mode") == "force_generic_plan"
        for _ in range(2):
            found, read = await _counted(connection, _OF_ROUNDS[name])
            assert found
            assert read < 60 * found
    assert await filled.fetchval("show plan_cache_mode") == "auto"


async def test_plans_are_not_kept_before_the_tables_have_been_analysed(stack: RunningStack) -> None:
    async with (
        platform_database(stack, "indexes") as database,
        transaction(database.pool) as connection,
    ):
        await store.begin_matching(connection, _HOME)
        assert await connection.fetchval("show plan_cache_mode") == "auto"


async def _counted(connection: Connection, look_up: LookUp) -> tuple[int, int]:
    """How many are found, and how many rows and index entries were read for it."""
    before: int = await connection.fetchval(_READ)
    found = await look_up(connection)
    after: int = await connection.fetchval(_READ)
    return len(found), after - before


async def test_no_look_up_walks_over_what_waits_to_be_indexed(filled: Pool) -> None:
    waiting = await filled.fetch(
        "select oid::regclass::text as name from pg_class where relkind = 'i'"
        " and relam = (select oid from pg_am where amname = 'gin')"
        " and not coalesce(reloptions @> '{fastupdate=off}', false)"
    )
    assert waiting == []
