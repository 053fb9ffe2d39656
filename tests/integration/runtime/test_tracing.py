"""Trace context from input to output through both drivers, and spans at a collector."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.integration.runtime.bench import Driver, bench, running, settings_for
from tests.stack import RunningStack
from workers.context import worker_context
from workers.runtime.processor import Incoming
from workers.runtime.tracing import open_tracing
from workers.settings import TracingSettings

pytestmark = pytest.mark.stack

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def test_events_carry_the_trace_of_the_record_that_caused_them(
    driver: Driver, stack: RunningStack, platform: str
) -> None:
    headers = [("traceparent", TRACEPARENT.encode()), ("correlation_id", b"order-7")]
    async with bench(stack, platform) as on:
        await on.producer.send_and_wait(on.topic, b"1", key=b"k", headers=headers)
        async with running(driver, on):
            await on.wait_for_effects(1)
            await on.wait_for_commit(1)
        (event,) = await on.read(on.events)
        assert sorted(event.headers) == sorted(headers)


async def test_a_first_record_names_what_follows(
    driver: Driver, stack: RunningStack, platform: str
) -> None:
    async with bench(stack, platform) as on:
        await on.send(b"1")
        async with running(driver, on):
            await on.wait_for_effects(1)
            await on.wait_for_commit(1)
        (event,) = await on.read(on.events)
        assert dict(event.headers)["correlation_id"] == f"{on.topic}:0:0".encode()


async def test_spans_arrive_at_the_collector(unused_tcp_port: int) -> None:
    received: list[ExportTraceServiceRequest] = []

    async def collect(request: web.Request) -> web.Response:
        received.append(ExportTraceServiceRequest.FromString(await request.read()))
        return web.Response()

    app = web.Application()
    app.add_routes([web.post("/v1/traces", collect)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", unused_tcp_port).start()

    def work() -> None:
        endpoint = f"http://127.0.0.1:{unused_tcp_port}"
        with open_tracing("match", TracingSettings(otlp_endpoint=endpoint)) as tracing:
            record = Incoming("t", 0, 0, b"k", b"v", (("traceparent", TRACEPARENT.encode()),))
            with tracing.batch("match", [record]):
                pass

    try:
        await asyncio.to_thread(work)
    finally:
        await runner.cleanup()
    (request,) = received
    (span,) = request.resource_spans[0].scope_spans[0].spans
    assert (span.name, span.trace_id.hex()) == ("match process", TRACEPARENT.split("-")[1])


async def test_worker_context_opens_without_a_collector(stack: RunningStack, platform: str) -> None:
    async with worker_context("match", settings_for(stack, platform)) as context:
        with context.tracing.batch("match", [Incoming("t", 0, 0, None, b"")]) as cause:
            assert cause.correlation_id == "t:0:0"
