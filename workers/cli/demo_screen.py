"""What the demo shows: decisions as they come off the topic, and a summary at the end."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
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
from workers.rule_cache import tenant_rules
from workers.settings import Settings
from workers.tenants import load_tenants

Meanings = Mapping[tuple[str, str], str | None]
"""What an outcome comes to for people, as its pack says: (pack, outcome) -> approval, rejection or review."""

WORDS = {
    "approval": ("APPROVE", "green"),
    "rejection": ("REJECT", "red"),
    "review": ("REVIEW", "yellow"),
}
"""Word and colour of each meaning."""
STATES = {
    "superseded": ("WITHDRAW", "blue"),
    "approved": ("APPROVED", "green"),
    "rejected": ("REJECTED", "red"),
}
"""What is said of decisions that people made, and of those that no longer stand."""
_LONGEST_ID = 12


@dataclass(frozen=True, slots=True)
class Arrived:
    """A decision and how long after the source's commit the broker had it, in seconds."""

    decision: DecisionMade
    seconds: float | None


def outcome_meanings(directory: Path) -> Meanings:
    """The meanings of the outcomes of all packs in use, by the rule files in that folder."""
    return {
        (pack, name): outcome.means
        for tenant in load_tenants(directory).values()
        for pack, choice in tenant.packs.items()
        for name, outcome in tenant_rules(
            directory, tenant.tenant, pack, choice.rules
        ).document.outcome_table.outcomes.items()
    }


def told(made: DecisionMade, meanings: Meanings) -> tuple[str, str]:
    """A decision in one word, and the colour of it."""
    meaning = meanings.get((made.pack, made.outcome)) or ""
    return STATES.get(made.state) or WORDS.get(meaning, (made.outcome.upper(), "blue"))


def decision_line(arrived: Arrived, meanings: Meanings) -> Text:
    """One decision on one line: when, what, for whom, why, how fast."""
    made = arrived.decision
    at = made.emitted_at.astimezone(UTC).strftime("%H:%M:%S.%f")[:-3]
    word, colour = told(made, meanings)
    line = Text.assemble(
        (f"{at} ", "dim"),
        (f"{word:<9}", f"bold {colour}"),
        (f"{_short(made.left)} ↔ {_short(made.right)}  ", "cyan"),
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
    """Follows the decisions of packs from their beginning; keeps the latest decision of each pair."""

    settings: Settings
    packs: Sequence[str]
    meanings: Meanings
    latest: dict[tuple[str, str, str], DecisionMade] = field(default_factory=dict)
    followed: list[Arrived] = field(default_factory=list)
    received: int = 0
    first_at: float | None = None

    async def __aenter__(self) -> Self:
        self._consumer = AIOKafkaConsumer(
            *(f"{pack}.decision" for pack in self.packs),
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
        """From now on every decision is printed, and the latency counted of what is committed."""
        self._since = datetime.now(UTC)
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
                arrived = Arrived(made, _latency(made, record.timestamp, self._since))
                self.followed.append(arrived)
                self._screen.print(decision_line(arrived, self.meanings))


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
    async def of(
        cls,
        settings: Settings,
        feed: DecisionFeed,
        transactions: int,
        expected: Mapping[tuple[str, str, str], str],
    ) -> Self:
        """Counts what the platform holds now, and compares with what the script expects.

        `expected` has the outcome of each pair: (tenant, left, right) -> outcome.
        """
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
        right = sum(
            (made := feed.latest.get(pair)) is not None and made.outcome == outcome
            for pair, outcome in expected.items()
        )
        return cls(
            transactions,
            len(expected),
            right,
            counted or 0,
            {row["status"]: row["n"] for row in rows},
            feed,
        )

    def __rich__(self) -> RenderableType:
        table = Table(show_header=False, box=None, padding=(0, 2))
        outcomes = Counter(told(one, self.feed.meanings) for one in self.feed.latest.values())
        table.add_row("transactions in the sources", f"{self.transactions:,}")
        table.add_row("records", f"{self.records:,}")
        table.add_row(
            "pairs", ", ".join(f"{n:,} {name}" for name, n in sorted(self.matches.items()))
        )
        for (word, colour), count in sorted(outcomes.items()):
            table.add_row(f"[{colour}]{word}[/]", f"{count:,}")
        table.add_row("as the script expects", f"{self.as_expected} of {self.expected}")
        latencies = sorted(one.seconds for one in self.feed.followed if one.seconds is not None)
        if len(latencies) > 1:
            cuts = quantiles(latencies, n=100)
            cut = f"p50 {cuts[49] * 1000:.0f} ms, p99 {cuts[98] * 1000:.0f} ms"
            table.add_row("from commit to decision", f"{cut} ({len(latencies)} decisions)")
        return Panel(
            Group(table, Text("\nTry next:", "dim"), self._next_steps()),
            title="The day is over",
            title_align="left",
        )

    def _next_steps(self) -> Text:
        """Commands to go on with; they name a tenant where there are several."""
        example = next((one.decision for one in reversed(self.feed.followed)), None)
        several = len({tenant for tenant, _, _ in self.feed.latest}) > 1
        whose = f" --tenant {example.tenant}" if example and several else ""
        return Text.from_markup(
            f"[bold]revops decisions explain {example.decision_id if example else 'ID'}{whose}[/]\n"
            f"[bold]revops reviews list{whose}[/]   [bold]revops decisions at-risk{whose}[/]   "
            f"[bold]revops matches list --status candidate{whose}[/]\n"
            "[bold]revops status[/]   [bold]revops audit verify[/]   [bold]revops down[/]"
        )


def _short(id_: str) -> str:
    """An id that fits on a line: the beginning of a long one."""
    return id_ if len(id_) <= _LONGEST_ID else f"{id_[:8]}…"


def _latency(made: DecisionMade, broker_milliseconds: int, since: datetime) -> float | None:
    """None where no change since then is behind the decision: time passed, rules changed."""
    if made.source_committed_at is None or made.source_committed_at < since:
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
