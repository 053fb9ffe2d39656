"""The closed set of metrics of a worker (OPS-2). Labels never hold ids."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_LATENCY = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 0.6, 1, 2.5, 5, 10, 30, 60)


class WorkerMetrics:
    """Counters and histograms of one worker process, in a registry of their own."""

    def __init__(self, worker: str) -> None:
        self.registry = CollectorRegistry()
        prefix = f"revops_{worker}"
        self.records = Counter(
            f"{prefix}_records",
            "Records handled, by topic and outcome (done or rejected).",
            ("topic", "outcome"),
            registry=self.registry,
        )
        self.batch_seconds = Histogram(
            f"{prefix}_batch_seconds",
            "Time from a batch's first processing to its last acknowledgement.",
            buckets=_LATENCY,
            registry=self.registry,
        )
        self.batch_records = Histogram(
            f"{prefix}_batch_records",
            "Records in a batch.",
            buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000),
            registry=self.registry,
        )
        self.source_seconds = Histogram(
            f"{prefix}_source_to_done_seconds",
            "Time from the source's commit to the record being done here.",
            buckets=_LATENCY,
            registry=self.registry,
        )
        self.waits = Counter(
            f"{prefix}_dependency_waits",
            "Retries because a dependency was away.",
            registry=self.registry,
        )
        self.relayed = Counter(
            f"{prefix}_outbox_relayed",
            "Events sent from the outbox, by who sent them (batch or sweep).",
            ("by",),
            registry=self.registry,
        )
        self.up_to_date = Gauge(
            f"{prefix}_dependencies_up",
            "1 while the last attempt to reach the dependencies succeeded.",
            registry=self.registry,
        )
        self.up_to_date.set(1)
