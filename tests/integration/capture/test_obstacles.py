"""Whatever keeps a source from being captured is said in words that name the mend."""

from __future__ import annotations

import pytest

from tests.integration.capture.bench import CaptureBench
from tests.integration.capture.conftest import NewBench

DDL = """
create table lead (id serial primary key, name text);
create table users (id serial primary key, login text, password text);
create table keyless (name text);
"""


async def found(bench: CaptureBench) -> dict[str, str]:
    """What `revops connectors apply` refuses to go on for: code -> what it says."""
    plan = await bench.apply()
    return {one.code: str(one) for one in plan.blocking}


async def test_a_wrong_password(new_bench: NewBench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = await new_bench(DDL, ("lead",))
    right = bench.stack.local.password_of(bench.role)
    monkeypatch.setenv(bench.variable, bench.capture_dsn.replace(right, "wrong"))
    assert "Set the right one" in (await found(bench))["wrong_password"]


async def test_no_replication_right(new_bench: NewBench) -> None:
    bench = await new_bench(DDL, ("lead",))
    bench.sql(f"alter role {bench.role} noreplication")
    assert f"ALTER ROLE {bench.role} REPLICATION" in (await found(bench))["no_replication_right"]


async def test_no_publication_no_table_no_select_right(new_bench: NewBench) -> None:
    bench = await new_bench(DDL, ("lead", "users"))
    bench.sql("drop publication revops_capture")
    bench.sql(f"revoke select on users from {bench.role}")
    bench.sql("drop table lead")
    obstacles = await found(bench)
    assert set(obstacles) == {"no_publication", "missing_table", "no_select_right"}
    assert "revops connectors rights" in obstacles["no_select_right"]


async def test_an_unreachable_source(new_bench: NewBench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = await new_bench(DDL, ("lead",))
    monkeypatch.setenv(bench.variable, "postgresql://reader:x@127.0.0.1:1/crm")
    assert "cannot be reached" in (await found(bench))["unreachable"]


async def test_missing_topics(new_bench: NewBench) -> None:
    bench = await new_bench(DDL, ("lead",))
    bench.write_tenant_file(tables=["lead", "users"])
    await bench.grant()
    assert "revops topics apply" in (await found(bench))["missing_topic"]


async def test_a_table_without_a_key_is_never_published(new_bench: NewBench) -> None:
    """Publishing it would make the application's own UPDATE and DELETE fail."""
    bench = await new_bench(DDL, ("lead",))
    bench.write_tenant_file(tables=["lead", "keyless"])
    with pytest.raises(RuntimeError, match=r"no primary key: .*\. Give it a primary key"):
        await bench.grant()
    published = bench.sql("select tablename from pg_publication_tables")
    assert published == [("lead",)]


async def test_left_out_columns_are_neither_readable_nor_published(new_bench: NewBench) -> None:
    bench = await new_bench(DDL, ("lead", "users"), without={"users": ["password"]})
    [[readable]] = bench.sql(
        "select has_column_privilege(%s, 'users', 'password', 'select')", bench.role
    )
    assert not readable
    [[columns]] = bench.sql(
        "select attnames::text[] from pg_publication_tables where tablename = 'users'"
    )
    assert columns == ["id", "login"]
    assert await found(bench) == {}


async def test_rights_may_be_given_again(new_bench: NewBench) -> None:
    bench = await new_bench(DDL, ("lead",))
    bench.write_tenant_file(tables=["users"])
    await bench.grant()
    assert bench.sql("select tablename from pg_publication_tables") == [("users",)]
