"""The page of a worker while its dependencies are up and down."""

from __future__ import annotations

import time

import aiohttp
import asyncpg
import pytest

from tests.integration.runtime.bench import bench, running
from tests.stack import RunningStack
from workers.runtime.bulk import BulkDriver
from workers.runtime.health import serve_health

pytestmark = pytest.mark.stack


async def get(port: int, path: str) -> tuple[int, str]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}{path}") as answer,
    ):
        return answer.status, await answer.text()


async def test_page_tells_what_is_up_and_what_is_down(
    stack: RunningStack, platform: str, unused_tcp_port: int
) -> None:
    async with bench(stack, platform) as on:
        page = await serve_health(on.context, unused_tcp_port)
        try:
            assert await get(unused_tcp_port, "/health") == (
                200,
                f'{{"worker": "{on.worker}", "status": "alive"}}',
            )
            status, text = await get(unused_tcp_port, "/ready")
            assert (status, '"postgresql": "up"' in text, '"kafka": "up"' in text) == (
                200,
                True,
                True,
            )
            await _refuse_connections(platform, refuse=True)
            try:
                status, text = await get(unused_tcp_port, "/ready")
                assert status == 503
                assert "PostgreSQL: " in text
                assert (await get(unused_tcp_port, "/health"))[0] == 200
            finally:
                await _refuse_connections(platform, refuse=False)
            assert (await get(unused_tcp_port, "/ready"))[0] == 200
        finally:
            await page.cleanup()


async def test_metrics_count_records_and_name_no_ids(
    stack: RunningStack, platform: str, unused_tcp_port: int
) -> None:
    async with bench(stack, platform) as on:
        page = await serve_health(on.context, unused_tcp_port)
        try:
            await on.send(b"1", {"do": "reject"}, key=b"a-very-particular-key")
            just_now = [("source_committed_ms", str(int(time.time() * 1000)).encode())]
            await on.producer.send_and_wait(on.topic, b"2", headers=just_now)
            async with running(BulkDriver, on):
                await on.wait_for_effects(2)
                await on.wait_for_commit(3)
            status, text = await get(unused_tcp_port, "/metrics")
        finally:
            await page.cleanup()
        assert status == 200
        counter = f"revops_{on.worker}_records_total"
        assert f'{counter}{{outcome="done",topic="{on.topic}"}} 2.0' in text
        assert f'{counter}{{outcome="rejected",topic="{on.topic}"}} 1.0' in text
        assert "a-very-particular-key" not in text
        assert f"revops_{on.worker}_source_to_done_seconds_count 1.0" in text


async def _refuse_connections(dsn: str, *, refuse: bool) -> None:
    """The server ends this database's connections and takes no new ones, as in a restart."""
    server, _, database = dsn.rpartition("/")
    connection = await asyncpg.connect(f"{server}/postgres")
    allowed = "false" if refuse else "true"
    await connection.execute(f"alter database {database} allow_connections {allowed}")
    if refuse:
        await connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", database
        )
    await connection.close()
