"""The catalogue of topics: the one place that names them, with partitions, retention and size.

Topics are never auto-created: `revops topics apply` brings the broker to what stands here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

RECORD_BYTES = 16 * 1024 * 1024
"""The largest record that passes everywhere: a 2 MB description is valid input."""

DEAD_LETTER_BYTES = RECORD_BYTES + RECORD_BYTES // 4
"""A dead letter holds its record and what is to be said about it."""


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic. `retention` None keeps records until compaction alone removes them."""

    name: str
    key: str
    purpose: str
    partitions: int = 4
    compacted: bool = False
    retention: timedelta | None = timedelta(days=7)
    max_bytes: int = RECORD_BYTES
    public: bool = False

    def configuration(self) -> dict[str, str]:
        """The broker's settings for this topic."""
        settings = {
            "cleanup.policy": "compact" if self.compacted else "delete",
            "max.message.bytes": str(self.max_bytes),
        }
        if self.compacted:
            settings["min.cleanable.dirty.ratio"] = "0.1"
            settings["delete.retention.ms"] = str(_milliseconds(timedelta(days=7)))
        else:
            settings["retention.ms"] = (
                "-1" if self.retention is None else str(_milliseconds(self.retention))
            )
        return settings


def _milliseconds(span: timedelta) -> int:
    return int(span.total_seconds() * 1000)


CORE_OPPORTUNITY = "core.opportunity"
CORE_COMPANY = "core.company"
CORE_ACCOUNT = "core.account"
CORE_SPEND_MONTHLY = "core.spend.monthly"
CORE_BILLING_MONTH = "core.billing.month"
SPEND_ANOMALY = "spend.anomaly"
SPEND_THRESHOLD = "spend.threshold"
EMBED_DONE = "embed.done"
MATCH_RESULT = "match.result"
COMMAND_MATCH = "command.match"
COMMAND_REVIEW = "command.review"
TIMER_DUE = "timer.due"
CONFIG_RULES = "config.rules"
DQ_VIOLATION = "dq.violation"
AUDIT_EVENT = "audit.event"
OPS_HEALTH = "ops.health"
CAPTURE_NOTIFICATION = "capture.notification"
CAPTURE_HEARTBEAT = "capture.heartbeat"

WORKERS = (
    "normalise",
    "embed",
    "match",
    "decide",
    "review",
    "act",
    "audit",
    "spend",
    "companies",
    "timers",
    "poll",
    "api",
)

PLATFORM_TOPICS: tuple[Topic, ...] = (
    Topic(CORE_OPPORTUNITY, "tenant, kind, side, id", "normalised opportunities", compacted=True, public=True),
    Topic(CORE_COMPANY, "tenant, kind, side, id; tenant, company, pack", "normalised companies, and which of them are one", compacted=True, public=True),
    Topic(CORE_ACCOUNT, "tenant, kind, side, id", "cloud accounts with owner and payer", compacted=True, public=True),
    Topic(CORE_SPEND_MONTHLY, "tenant, account, currency, month", "billed total per account and month", compacted=True, public=True),
    Topic(CORE_BILLING_MONTH, "tenant, source, month", "load state of billing months", partitions=1, compacted=True, public=True),
    Topic(SPEND_ANOMALY, "tenant, account, currency, month, product", "spend that is far from what it was", partitions=2, compacted=True, public=True),
    Topic(SPEND_THRESHOLD, "tenant, customer, month", "customers near the spend limit and over it", partitions=2, compacted=True, public=True),
    Topic(EMBED_DONE, "tenant, side, id", "a record's vectors are current"),
    Topic(MATCH_RESULT, "tenant, left, right", "scored pairs with evidence", compacted=True, public=True),
    Topic(COMMAND_MATCH, "tenant, left, right", "people confirm and reject matches", retention=None),
    Topic(COMMAND_REVIEW, "tenant, left, right", "people review decisions", retention=None),
    Topic(TIMER_DUE, "tenant, subject", "a moment that facts depend on has come"),
    Topic(CONFIG_RULES, "tenant, pack", "active rule sets", partitions=1, compacted=True),
    Topic(DQ_VIOLATION, "tenant, kind, side, id", "data-quality findings", compacted=True, public=True),
    Topic(AUDIT_EVENT, "tenant, subject", "what is audited beside decisions", retention=None),
    Topic(OPS_HEALTH, "tenant, source", "state of sources and schema changes", partitions=1, compacted=True),
    Topic(CAPTURE_NOTIFICATION, "source", "progress of snapshots", partitions=1),
    Topic(CAPTURE_HEARTBEAT, "source", "the connectors' heartbeats", partitions=1, retention=timedelta(hours=1)),
)  # fmt: skip


def change_topic(source: str, table: str) -> Topic:
    """The topic of one captured table (STR-1)."""
    return Topic(
        f"cdc.{source}.{table}",
        "tenant, primary key",
        f"changes of {source}'s table {table}",
        partitions=2,
        retention=timedelta(days=7),
    )


def pack_topics(pack: str) -> tuple[Topic, ...]:
    """The topics that one pack's decisions travel on (AM-16)."""
    return (
        Topic(f"{pack}.decision", "tenant, left, right", f"decisions of the pack {pack}, with evidence", retention=None, public=True),
        Topic(f"{pack}.review", "tenant, left, right", f"review queue of the pack {pack}", retention=None, public=True),
        Topic(f"{pack}.action", "tenant, left, right", f"actions and their results of the pack {pack}", retention=None, public=True),
    )  # fmt: skip


def dead_letter_topic(worker: str) -> Topic:
    """Where a worker puts the records that it cannot take (OPS-4)."""
    return Topic(
        f"dlq.{worker}",
        "as the record",
        f"records that the worker {worker} rejected",
        partitions=1,
        retention=timedelta(days=90),
        max_bytes=DEAD_LETTER_BYTES,
    )


def catalogue(tables: dict[str, tuple[str, ...]], packs: tuple[str, ...]) -> tuple[Topic, ...]:
    """Every topic of an installation: `tables` names the captured tables of each source."""
    captured = tuple(
        change_topic(source, table) for source, names in tables.items() for table in names
    )
    decided = tuple(topic for pack in packs for topic in pack_topics(pack))
    dead = tuple(dead_letter_topic(worker) for worker in WORKERS)
    return captured + PLATFORM_TOPICS + decided + dead
