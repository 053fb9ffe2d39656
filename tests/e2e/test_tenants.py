"""Two tenants with the same ids, companies and accounts on one platform never meet.

The tests go by what the database and the broker hold: a table, function or topic that they do not
know fails them.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal

import asyncpg
import psycopg
import pytest

from connectors.kafka.reading import read_to_end
from connectors.vectors.neighbours import neighbourhood
from connectors.vectors.port import RecordKey
from deploy.sample.generate import SampleWorld
from schemas.tenants import captured_tables
from schemas.topics import CAPTURE_HEARTBEAT, CAPTURE_NOTIFICATION, catalogue
from tests.e2e.conftest import HOME, SECOND
from tests.e2e.worlds import ace_ids, token_of
from tests.stack import RunningStack
from tests.whole_platform import PACK, WholePlatform
from workers.adapters import open_index
from workers.context import kafka_client_options
from workers.settings import Settings
from workers.tenants import load_tenants, packs_in_use

pytestmark = pytest.mark.platform

TENANTS = (HOME, SECOND)

WITHOUT_TENANT = {
    "public.schema_migrations",
    "search.models",
    "search.vector_collections",
    "ops.outbox",
    "ops.dead_letter_replays",
}
"""Tables that say nothing of any tenant, or hold rows only until they are sent."""

EMPTY_AT_REST = {
    "core.company_verdicts",
    "core.imported_costs",
    "core.match_verdicts",
    "core.spend_imports",
    "ops.audit_checkpoints",
    "ops.audit_nodes",
    "ops.capture_targets",
    "ops.capture_window",
    "ops.decision_drifts",
    "ops.deliveries",
    "ops.dirty",
    "ops.disabled_targets",
    "ops.review_commands",
    "raw.truncates",
}
"""Tables that need not hold rows of every tenant once everything is worked through."""

TOPICS_WITHOUT_TENANT = {CAPTURE_HEARTBEAT, CAPTURE_NOTIFICATION}

TABLES = """
select format('%I.%I', n.nspname, c.relname) as name, tenant.attname as tenant
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  left join pg_attribute tenant
    on tenant.attrelid = c.oid and tenant.attname in ('tenant', 'tenant_id')
 where c.relkind in ('r', 'p', 'v', 'm') and not c.relispartition
   and n.nspname not like 'pg\\_%' and n.nspname <> 'information_schema' order by 1
"""
FUNCTIONS = """
select n.nspname || '.' || p.proname from pg_proc p join pg_namespace n on n.oid = p.pronamespace
 where n.nspname not like 'pg\\_%' and n.nspname <> 'information_schema'
   and not exists (select from pg_depend where objid = p.oid and deptype = 'e')
"""


@pytest.fixture(scope="session")
def foreign(worlds: Mapping[str, SampleWorld]) -> Mapping[str, re.Pattern[str]]:
    """By tenant: what its rows and records must never say, as text or as hexadecimal bytes."""
    words = {tenant: {token_of(tenant), *ace_ids(worlds[tenant])} for tenant in TENANTS}
    assert words[HOME].isdisjoint(words[SECOND])
    return {
        one: re.compile("|".join(f"{word}|{word.encode().hex()}" for word in sorted(words[other])))
        for one, other in ((HOME, SECOND), (SECOND, HOME))
    }


async def test_no_row_speaks_of_another_tenant(
    platform: WholePlatform, foreign: Mapping[str, re.Pattern[str]]
) -> None:
    column_of = {row["name"]: row["tenant"] for row in await platform.ask(TABLES)}
    assert {table for table, column in column_of.items() if not column} == WITHOUT_TENANT
    silent: set[str] = set()
    for table, column in column_of.items():
        rows = await platform.ask(
            f"select {column or 'null'} as of, one::text as said from {table} one"
        )
        for tenant in TENANTS:
            said = [row["said"] for row in rows if row["of"] in (tenant, None)]
            assert not [one for one in said if foreign[tenant].search(one)], table
            if not said:
                silent.add(table)
    unseen = silent - WITHOUT_TENANT - EMPTY_AT_REST
    assert not unseen, f"no rows of both tenants to look at: give the sample some for {unseen}"


async def test_no_record_of_a_topic_speaks_of_another_tenant(
    platform: WholePlatform, foreign: Mapping[str, re.Pattern[str]]
) -> None:
    settings = Settings.load()
    tenants = load_tenants(settings.config.directory)
    packs = packs_in_use(tenants.values())
    declared = {one.name for one in catalogue(captured_tables(tenants.values()), packs)}
    async with RunningStack(platform.stack).admin() as admin:
        present = {name for name in await admin.list_topics() if not name.startswith("_")}
    assert present == declared
    heard: dict[str, set[str]] = {tenant: set() for tenant in TENANTS}
    for topic in sorted(present):
        async for record in read_to_end(kafka_client_options(settings.kafka), topic):
            said = f"{record.key!r} {record.value!r} {record.headers!r}"
            tenant = dict(record.headers).get("tenant", b"").decode().strip('"')
            if topic in TOPICS_WITHOUT_TENANT:
                assert not any(pattern.search(said) for pattern in foreign.values()), topic
            elif tenant in TENANTS:
                heard[tenant].add(topic)
                assert f'"tenant":"{tenant}"' in (record.key or b"").decode(), topic
                assert not foreign[tenant].search(said), f"{topic}: {tenant}: {said[:400]}"
            else:
                assert tenant in tenants, f"{topic}: no tenant: {said[:400]}"
    line = {"core.opportunity", "embed.done", "match.result", f"{PACK}.decision"}
    assert all(topics >= line for topics in heard.values()), heard


async def test_every_sql_function_keeps_tenants_apart(platform: WholePlatform) -> None:
    functions = {row[0] for row in await platform.ask(FUNCTIONS)}
    assert functions == set(KEEPS_APART)
    for name, keeps_apart in KEEPS_APART.items():
        connection = await asyncpg.connect(platform.dsn)
        try:
            await connection.execute("begin")  # closed without commit: nothing of it stays
            assert await keeps_apart(connection), name
        finally:
            await connection.close()


async def _locks_rows_of_one(connection: asyncpg.Connection) -> bool:
    """Both tenants have the row; each call gives the image of the tenant that it names."""
    keys = "select min(pk) from raw.rows where source_table = 'odoo.res_partner'"
    statement = (
        f"select image from raw.lock_rows(array[$1], array['odoo.res_partner'], array[({keys})])"
    )
    images = {tenant: await connection.fetchval(statement, tenant) for tenant in TENANTS}
    return all(token_of(tenant) in image for tenant, image in images.items())


async def _lock_keys_differ(connection: asyncpg.Connection) -> bool:
    keys = [await connection.fetchval(LOCK_KEY, tenant) for tenant in TENANTS]
    return len(set(keys)) == len(TENANTS)


async def _locks_table_of_one(connection: asyncpg.Connection) -> bool:
    """The other tenant's rows of the same table stay free."""
    await connection.execute("select raw.lock_table($1, 'odoo.crm_lead')", HOME)
    held = await connection.fetch(
        "select (classid::bigint << 32) | objid::bigint as key from pg_locks"
        " where locktype = 'advisory' and pid = pg_backend_pid()"
    )
    return [row["key"] for row in held] == [await connection.fetchval(LOCK_KEY, HOME)]


async def _refuses_every_tenant(connection: asyncpg.Connection) -> bool:
    """It reads and writes nothing: it refuses whoever asks."""
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute("delete from ops.audit_log where tenant = $1", HOME)
    return True


async def _company_is_the_tenants_own(connection: asyncpg.Connection) -> bool:
    """Both tenants have the member; where one moves it to another company, it stays with the other."""
    pack, member = await connection.fetchrow(
        "select pack, member from core.company_members where tenant = any($1)"
        " group by 1, 2 having count(distinct tenant) = 2 limit 1",
        list(TENANTS),
    )
    await connection.execute(
        "update core.company_members set company_id = 'moved' where (tenant, member) = ($1, $2)",
        HOME,
        member,
    )
    of = {
        tenant: await connection.fetchval(
            "select core.company_of($1, $2, $3)", tenant, pack, member
        )
        for tenant in TENANTS
    }
    return of[HOME] == "moved" != of[SECOND]


def _reads_nothing(function: str) -> Callable[[asyncpg.Connection], Awaitable[bool]]:
    """Immutable: what it says is made of its arguments alone."""

    async def is_immutable(connection: asyncpg.Connection) -> bool:
        volatility = "select provolatile from pg_proc where oid = $1::text::regproc"
        return await connection.fetchval(volatility, function) == b"i"

    return is_immutable


async def _begins_with_what_one_has(connection: asyncpg.Connection) -> bool:
    """A source that is read again and new statistics are one tenant's own, and so is the lock."""
    await connection.execute("update ops.completeness set complete = false where tenant = $1", HOME)
    await connection.execute(
        "insert into core.match_statistics (tenant, pack, version, records, body)"
        " values ($1, $2, 999, 0, '{}')",
        HOME,
        PACK,
    )
    found = {
        tenant: await connection.fetchrow("select * from core.begin_matching($1, $2)", tenant, PACK)
        for tenant in TENANTS
    }
    locks = await connection.fetchval(
        "select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()"
    )
    affected = {
        tenant for tenant, one in found.items() if one["provisional"] or one["statistics"] == 999
    }
    return affected == {HOME} and found[HOME]["provisional"] and locks == len(TENANTS)


LOCK_KEY = "select raw.table_lock_key($1, 'odoo.crm_lead')"
KEEPS_APART: dict[str, Callable[[asyncpg.Connection], Awaitable[bool]]] = {
    "core.begin_matching": _begins_with_what_one_has,
    "core.company_of": _company_is_the_tenants_own,
    "core.company_member": _reads_nothing("core.company_member"),
    "core.company_customer": _reads_nothing("core.company_customer"),
    "raw.lock_rows": _locks_rows_of_one,
    "raw.table_lock_key": _lock_keys_differ,
    "raw.lock_table": _locks_table_of_one,
    "ops.refuse_audit_change": _refuses_every_tenant,
}


async def test_neighbours_of_a_record_are_its_own_tenants(
    platform: WholePlatform, worlds: Mapping[str, SampleWorld]
) -> None:
    index = open_index(Settings.load())
    [model] = await platform.ask("select model_id, dimension from search.models")
    try:
        await index.ensure(model["model_id"], model["dimension"])
        for tenant in TENANTS:
            leads = await platform.ask(
                "select id from core.records where tenant = $1 and kind = 'opportunity'"
                " and side = 'odoo' and not deleted",
                tenant,
            )
            found: set[str] = set()
            for lead in leads:
                key = RecordKey(tenant, PACK, "odoo", lead["id"])
                near = await neighbourhood(index, key, "ace", top_k=100, least_cosine=-1.0)
                found |= set(near.hits)
            assert found == ace_ids(worlds[tenant])
    finally:
        await index.close()


async def test_spend_is_that_of_the_tenants_own_cost_report(platform: WholePlatform) -> None:
    sums: list[Decimal] = []
    for tenant in TENANTS:
        dsn = platform.stack.postgres_dsn(platform.databases[tenant, "odoo"])
        with psycopg.connect(dsn) as source:
            found = source.execute("select sum(cost) from c_billing_internal_cur").fetchone()
        [row] = await platform.ask(
            "select sum(amount) as total from core.spend_monthly where tenant = $1", tenant
        )
        assert found
        assert row["total"] == found[0]
        sums.append(row["total"])
    assert len(set(sums)) == len(TENANTS)
