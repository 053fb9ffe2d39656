"""Which record caused which event, across workers: trace context in headers, spans where asked for.

Every event that a batch brings about carries the W3C `traceparent` and the `correlation_id` of the
record that caused it, so that a decision can be followed back to the commit that it answers (OPS-3).
A batch of records of several traces is a trace of its own, whose span links to theirs. Spans are made
only where `REVOPS_TRACING__OTLP_ENDPOINT` says where to send them.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import structlog
from opentelemetry import trace
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, TraceFlags, Tracer

from workers.runtime.processor import Incoming
from workers.settings import TracingSettings

TRACEPARENT, CORRELATION = "traceparent", "correlation_id"
_TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")


@dataclass(frozen=True, slots=True)
class Cause:
    """What the events of a batch answer: a place in a trace, and a name that people can look for."""

    trace_id: str
    span_id: str
    correlation_id: str
    flags: str = "01"

    @property
    def traceparent(self) -> str:
        """The header of the W3C recommendation "Trace Context", version 00."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags}"

    def headers(self) -> dict[str, str]:
        """Headers of every event that this brings about."""
        return {TRACEPARENT: self.traceparent, CORRELATION: self.correlation_id}


class Tracing:
    """Gives each batch its cause, and its span where there is a tracer."""

    def __init__(self, tracer: Tracer | None = None) -> None:
        self._tracer = tracer

    @contextmanager
    def batch(self, worker: str, records: Sequence[Incoming]) -> Iterator[Cause]:
        """The cause of what happens within; logs name its trace."""
        causes = list(dict.fromkeys(filter(None, map(cause_in, records))))
        cause = causes[0] if len(causes) == 1 else _beginning(records)
        with structlog.contextvars.bound_contextvars(trace_id=cause.trace_id):
            if self._tracer is None:
                yield cause
                return
            parent = trace.set_span_in_context(NonRecordingSpan(_span_context(cause)))
            with self._tracer.start_as_current_span(
                f"{worker} process",
                context=parent if len(causes) == 1 else None,
                kind=SpanKind.CONSUMER,
                links=[Link(_span_context(one)) for one in causes] if len(causes) > 1 else None,
                attributes={
                    "messaging.system": "kafka",
                    "messaging.operation.type": "process",
                    "messaging.consumer.group.name": f"revops.{worker}",
                    "messaging.destination.name": ",".join(sorted({r.topic for r in records})),
                    "messaging.batch.message_count": len(records),
                },
            ) as span:
                here = span.get_span_context()
                yield Cause(
                    trace.format_trace_id(here.trace_id),
                    trace.format_span_id(here.span_id),
                    cause.correlation_id,
                    f"{here.trace_flags:02x}",
                )


def cause_in(record: Incoming) -> Cause | None:
    """The cause that a record's headers state; None where it states none."""
    stated = record.header(TRACEPARENT)
    found = _TRACEPARENT.fullmatch(stated) if stated else None
    if found is None:
        return None
    trace_id, span_id, flags = found.groups()
    return Cause(trace_id, span_id, record.header(CORRELATION) or _place(record), flags)


def _beginning(records: Sequence[Incoming]) -> Cause:
    """A new trace, named after the first record of the batch."""
    return Cause(secrets.token_hex(16), secrets.token_hex(8), _place(records[0]))


def _place(record: Incoming) -> str:
    return f"{record.topic}:{record.partition}:{record.offset}"


def _span_context(cause: Cause) -> SpanContext:
    return SpanContext(
        int(cause.trace_id, 16), int(cause.span_id, 16), True, TraceFlags(int(cause.flags, 16))
    )


@contextmanager
def open_tracing(worker: str, settings: TracingSettings) -> Iterator[Tracing]:
    """The tracing that the settings ask for; spans that are not sent yet are sent at the end.

    Raises RuntimeError where the exporter is not installed.
    """
    if not settings.otlp_endpoint:
        yield Tracing()
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ImportError as problem:
        raise RuntimeError(
            "REVOPS_TRACING__OTLP_ENDPOINT is set, and the exporter is not installed: "
            "pip install 'revops[tracing]', or unset it"
        ) from problem
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource({"service.name": f"revops-{worker}"}))
    exporter = OTLPSpanExporter(endpoint=f"{settings.otlp_endpoint.rstrip('/')}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter))
    try:
        yield Tracing(provider.get_tracer("revops"))
    finally:
        provider.shutdown()
