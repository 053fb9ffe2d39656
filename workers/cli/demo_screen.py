"""What the demo shows: decisions as they come off the topic, and a summary at the end."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from statistics import quantiles
from types import TracebackType
from typing import Any, Self

from aiokafka import AIOKafkaConsumer
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from connectors.postgres.pool import connection, create_pool
from schemas.events import DecisionMade
from workers.cli.output import console
from workers.context import kafka_client_options
from workers.settings import Settings

COLOURS = {
    "auto_approve": "green",
    "auto_reject": "red",
    "needs_review": "yellow",
    "approved": "green",
    "rejected": "red",
}
WORDS = {"auto_approve": "APPROVE", "auto_reject": "REJECT", "needs_review": "REVIEW"}
STATES = {"superseded": "WITHDRAW", "approved": "APPROVED", "rejected": "REJECTED"}
"""What is said of decisions that people made, and of those that no longer stand."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A decision and how long after the source's commit the broker had it, in seconds."""

    decision: DecisionMade
    seconds: float | None


def decision_line(arrived: Arrived) -> Text:
    """One decision on one line: when, what, for whom, why, how fast."""
    made = arrived.decision
    at = made.emitted_at.astimezone(UTC).strftime("%H:%M:%S.%f")[:-3]
    word = STATES.get(made.state) or WORDS.get(made.outcome, made.outcome.upper())
    colour = COLOURS.get(made.state) or COLOURS.get(made.outcome, "blue")
    line = Text.assemble(
        (f"{at} ", "dim"),
        (f"{word:<9}", f"bold {colour}"),
        (f"{made.left} ↔ {made.right}  ", "cyan"),
        made.summary,
    )
    if made.provisional:
        line.append("  provisional", "magenta")
    if arrived.seconds is not None:
        line.append(f"  {arrived.seconds * 1000:.0f} ms", "dim")
    line.no_wrap = True
    line.overflow = "ellipsis"
    return line


@dataclass
class DecisionFeed:
    """Follows a decision topic from its beginning; keeps the latest decision of each pair."""

    settings: Settings
    topic: str
    latest: dict[tuple[str, str, str], DecisionMade] = field(default_factory=dict)
    followed: list[Arrived] = field(default_factory=list)
    received: int = 0
    first_at: float | None = None

    async def __aenter__(self) -> Self:
        self._consumer = AIOKafkaConsumer(
            self.topic,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            **kafka_client_options(self.settings.kafka),
        )
        await self._consumer.start()
        self._last = time.monotonic()
        self._screen: Console | None = None
        self._reading = asyncio.ensure_future(self._read())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._reading.cancel()
        await self._consumer.stop()

    def follow(self, screen: Console) -> None:
        """From now on every decision is printed and its latency counted."""
        self._screen = screen

    async def settle(
        self, quiet_seconds: float, at_most_seconds: float, on_wait: Callable[[], Any] | None = None
    ) -> None:
        """Returns when there are decisions and none came for a while, nor is any work left."""
        began = time.monotonic()
        pool = await create_pool(self.settings.database.dsn.get_secret_value(), max_size=2)
        try:
            while time.monotonic() - began < at_most_seconds:
                await asyncio.sleep(0.25)
                if on_wait:
                    on_wait()
                if self._reading.done():
                    self._reading.result()
                quiet = time.monotonic() - self._last > quiet_seconds
                if quiet and self.latest and await _nothing_waits(pool):
                    return
        finally:
            await pool.close()

    async def _read(self) -> None:
        async for record in self._consumer:
            made = DecisionMade.model_validate_json(record.value or b"")
            self._last = time.monotonic()
            self.first_at = self.first_at or self._last
            self.received += 1
            self.latest[made.tenant, made.left, made.right] = made
            if self._screen is not None:
                arrived = Arrived(made, _latency(made, record.timestamp))
                self.followed.append(arrived)
                self._screen.print(decision_line(arrived))


def introduction(feed: DecisionFeed, started: float) -> None:
    """What the platform found before the day began."""
    first = (feed.first_at or time.monotonic()) - started
    console.print(
        Panel(
            f"{len(feed.latest)} pairs decided; the first decision came {first:.0f} s after the start. "
            "Now a day happens in the CRM: every line below is a decision, made from a transaction "
            "that was committed a moment ago.",
            border_style="dim",
        )
    )


@dataclass(frozen=True, slots=True)
class Summary:
    """The demo's figures."""

    transactions: int
    expected: int
    as_expected: int
    records: int
    matches: dict[str, int]
    feed: DecisionFeed

    @classmethod
    async def of(cls, settings: Settings, feed: DecisionFeed, transactions: int, plan: Any) -> Self:
        """Counts what the platform holds now, and compares with what the day's script expects."""
        pool = await create_pool(settings.database.dsn.get_secret_value(), max_size=2)
        try:
            async with connection(pool) as borrowed:
                counted = await borrowed.fetchval(
                    "select count(*) from core.records where not deleted"
                )
                rows = await borrowed.fetch(
                    "select status, count(*) as n from core.matches where live group by status"
                )
        finally:
            await pool.close()
        found = {(left, right): made for (_, left, right), made in feed.latest.items()}
        right = sum(
            (made := found.get((str(left), right))) is not None and made.outcome == outcome
            for (left, right), outcome in plan.outcomes.items()
        )
        return cls(
            transactions,
            len(plan.outcomes),
            right,
            counted or 0,
            {row["status"]: row["n"] for row in rows},
            feed,
        )

    def __rich__(self) -> RenderableType:
        table = Table(show_header=False, box=None, padding=(0, 2))
        outcomes = Counter(made.outcome for made in self.feed.latest.values())
        table.add_row("transactions in the CRM and Partner Central", f"{self.transactions:,}")
        table.add_row("records", f"{self.records:,}")
        table.add_row(
            "pairs", ", ".join(f"{n:,} {name}" for name, n in sorted(self.matches.items()))
        )
        for outcome, count in sorted(outcomes.items()):
            colour = COLOURS.get(outcome, "blue")
            table.add_row(f"[{colour}]{WORDS.get(outcome, outcome)}[/]", f"{count:,}")
        table.add_row("as the script expects", f"{self.as_expected} of {self.expected}")
        latencies = sorted(one.seconds for one in self.feed.followed if one.seconds is not None)
        if len(latencies) > 1:
            cuts = quantiles(latencies, n=100)
            told = f"p50 {cuts[49] * 1000:.0f} ms, p99 {cuts[98] * 1000:.0f} ms"
            table.add_row("from commit to decision", f"{told} ({len(latencies)} decisions)")
        example = next(
            (one.decision.decision_id for one in reversed(self.feed.followed)), "DECISION_ID"
        )
        next_steps = Text.from_markup(
            f"[bold]revops decisions explain {example}[/]\n"
            "[bold]revops reviews list[/]   [bold]revops decisions at-risk[/]   "
            "[bold]revops matches list --status candidate[/]\n"
            "[bold]revops status[/]   [bold]revops audit verify[/]   [bold]revops down[/]"
        )
        return Panel(
            Group(table, Text("\nTry next:", "dim"), next_steps),
            title="The day is over",
            title_align="left",
        )


def _latency(made: DecisionMade, broker_milliseconds: int) -> float | None:
    if made.source_committed_at is None:
        return None
    at_broker = datetime.fromtimestamp(broker_milliseconds / 1000, UTC)
    return max(0.0, (at_broker - made.source_committed_at).total_seconds())


async def _nothing_waits(pool: Any) -> bool:
    """No source is incomplete, nothing is left to send or to compute again."""
    async with connection(pool) as borrowed:
        done = await borrowed.fetchval(
            """select coalesce((select bool_and(complete) from ops.completeness), false)
                  and not exists (select from ops.dirty) and not exists (select from ops.outbox)"""
        )
    return bool(done)
