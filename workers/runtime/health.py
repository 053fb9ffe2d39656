"""A worker's page for probes and Prometheus: /health, /ready and /metrics (OPS-1, OPS-2)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from connectors.postgres.pool import connection
from schemas.results import Retryable
from workers.context import WorkerContext

_PATIENCE_SECONDS = 2.0


async def serve_health(context: WorkerContext, port: int) -> web.AppRunner:
    """Serves the page on `port` of all interfaces; the caller cleans the runner up."""

    async def health(_: web.Request) -> web.Response:
        return web.json_response({"worker": context.worker, "status": "alive"})

    async def ready(_: web.Request) -> web.Response:
        database, broker = await asyncio.gather(
            _problem(_reach_database(context)), _problem(context.sender.reach())
        )
        status = {"postgresql": database or "up", "kafka": broker or "up"}
        return web.json_response(
            {"worker": context.worker, **status}, status=503 if database or broker else 200
        )

    async def metrics(_: web.Request) -> web.Response:
        page = generate_latest(context.metrics.registry)
        return web.Response(body=page, headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.add_routes(
        [web.get("/health", health), web.get("/ready", ready), web.get("/metrics", metrics)]
    )
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, port=port).start()
    return runner


async def _reach_database(context: WorkerContext) -> None:
    async with connection(context.pool) as borrowed:
        await borrowed.execute("select 1")


async def _problem(reaching: Awaitable[None]) -> str | None:
    try:
        await asyncio.wait_for(reaching, _PATIENCE_SECONDS)
    except Retryable as problem:
        return str(problem)
    except TimeoutError:
        return f"no answer within {_PATIENCE_SECONDS:.0f} s"
    return None
