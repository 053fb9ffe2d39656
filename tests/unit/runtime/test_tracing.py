"""Trace context and correlation travel from records to what they bring about (OPS-3)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from workers.runtime.processor import Incoming
from workers.runtime.tracing import Cause, Tracing, cause_in, open_tracing
from workers.settings import TracingSettings

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def record(offset: int, **headers: str) -> Incoming:
    pairs = tuple((name, text.encode()) for name, text in headers.items())
    return Incoming("core.opportunity", 2, offset, b"k", b"v", pairs)


def traced(offset: int, trace_id: str = TRACE, **headers: str) -> Incoming:
    return record(offset, traceparent=f"00-{trace_id}-{SPAN}-01", **headers)


def test_a_batch_of_one_trace_hands_it_on_unchanged() -> None:
    with Tracing().batch(
        "match", [traced(1, correlation_id="c"), traced(2, correlation_id="c")]
    ) as cause:
        assert cause.headers() == {"traceparent": f"00-{TRACE}-{SPAN}-01", "correlation_id": "c"}


def test_a_record_without_a_trace_begins_one_that_is_named_after_it() -> None:
    with Tracing().batch("match", [record(7)]) as cause:
        assert cause.correlation_id == "core.opportunity:2:7"
        assert cause_in(record(8, **cause.headers())) == cause


def test_a_batch_of_several_traces_is_a_trace_of_its_own() -> None:
    with Tracing().batch("match", [traced(1), traced(2, "1" * 32)]) as cause:
        assert cause.trace_id not in {TRACE, "1" * 32}
        assert cause.correlation_id == "core.opportunity:2:1"


@pytest.mark.parametrize(
    "stated",
    [
        "",
        "nonsense",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{SPAN}-01-more",
    ],
)
def test_a_malformed_trace_context_is_passed_over(stated: str) -> None:
    assert cause_in(record(1, traceparent=stated)) is None


@given(st.binary())
def test_no_header_however_strange_is_an_obstacle(data: bytes) -> None:
    strange = Incoming("t", 0, 0, None, None, (("traceparent", data), ("correlation_id", data)))
    with Tracing().batch("match", [strange]) as cause:
        assert cause.headers()


def spans_of(*batches: list[Incoming]) -> tuple[list[ReadableSpan], list[Cause]]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracing = Tracing(provider.get_tracer("test"))
    causes: list[Cause] = []
    for batch in batches:
        with tracing.batch("match", batch) as cause:
            causes.append(cause)
    return list(exporter.get_finished_spans()), causes


def test_a_span_continues_the_trace_of_its_records() -> None:
    (span,), (cause,) = spans_of([traced(1, correlation_id="c")])
    assert span.parent is not None
    assert f"{span.parent.span_id:016x}" == SPAN
    assert (cause.trace_id, cause.correlation_id) == (TRACE, "c")
    assert cause.span_id == f"{span.context.span_id:016x}"
    assert dict(span.attributes or {})["messaging.batch.message_count"] == 1


def test_a_span_of_several_traces_links_to_each() -> None:
    (span,), _ = spans_of([traced(1), traced(2, "1" * 32), traced(3)])
    assert span.parent is None
    assert {f"{link.context.trace_id:032x}" for link in span.links} == {TRACE, "1" * 32}


def test_without_an_endpoint_there_is_no_tracer() -> None:
    with open_tracing("match", TracingSettings(otlp_endpoint="")) as tracing:
        assert tracing._tracer is None
