"""From the commit of one change in a source to its decision in the broker, at a steady rate."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import asyncpg
import orjson
from aiokafka import AIOKafkaConsumer

from deploy.sample.change_stream import change_stream
from deploy.sample.execute import CommitReport, run_transaction
from deploy.sample.generate import SampleWorld
from deploy.sample.transactions import Transaction, Update
from tests.benchmarks.figures import Figure, percentile
from tests.conditions import comes_true
from tests.whole_platform import PACK
from workers.context import kafka_client_options
from workers.settings import KafkaSettings

CHANGES_A_SECOND = 20
P50_LIMIT, P99_LIMIT = 150.0, 600.0
_LAST_ANSWER_SECONDS = 20.0
_CHANGE_TOPICS = ("cdc.odoo.crm_lead", "cdc.apn.apn_opportunity")

Key = tuple[str, ...]


class _Stopwatch:
    """The n-th start of a key against its n-th stop, which a busy process may see before the start."""

    def __init__(self) -> None:
        self._started: defaultdict[Key, list[float]] = defaultdict(list)
        self._stopped: defaultdict[Key, list[float]] = defaultdict(list)

    def start(self, key: Key, at: float) -> None:
        self._started[key].append(at)

    def stop(self, key: Key) -> None:
        self._stopped[key].append(time.time())

    @property
    def unanswered(self) -> int:
        return sum(
            max(0, len(begun) - len(self._stopped[key])) for key, begun in self._started.items()
        )

    @property
    def milliseconds(self) -> list[float]:
        return [
            (ended - begun) * 1000
            for key, starts in self._started.items()
            for begun, ended in zip(starts, self._stopped[key], strict=False)
        ]


async def latency_figures(
    kafka: KafkaSettings, dsns: dict[str, str], world: SampleWorld, changes: int
) -> list[Figure]:
    """Figures of `changes` single changes, `CHANGES_A_SECOND` a second, each altering a decision."""
    captured, decided = _Stopwatch(), _Stopwatch()
    consumer = AIOKafkaConsumer(*_CHANGE_TOPICS, f"{PACK}.decision", **kafka_client_options(kafka))
    await consumer.start()
    await consumer.seek_to_end()
    for partition in consumer.assignment():  # or the first changes pass before the ends are known
        await consumer.position(partition)
    reading = asyncio.ensure_future(_read(consumer, captured, decided))
    try:
        await _change(dsns, itertools.islice(change_stream(world), changes), captured, decided)
        with suppress(AssertionError):  # what is left without its decision is a figure
            await comes_true(
                lambda: reading.done() or not decided.unanswered,
                "the last decisions",
                _LAST_ANSWER_SECONDS,
            )
        if reading.done():
            reading.result()
    finally:
        reading.cancel()
        await consumer.stop()
    return _figures(captured, decided, changes)


def _figures(captured: _Stopwatch, decided: _Stopwatch, changes: int) -> list[Figure]:
    floor, taken = captured.milliseconds, decided.milliseconds
    missing = decided.unanswered
    result = [
        Figure(
            "changes with their decision", changes - missing, f"of {changes}", changes, "all",
            (changes - missing) / changes, 1.0,
        )
    ]  # fmt: skip
    if not taken or not floor:
        return result
    for name, share, limit in (("p50", 0.5, P50_LIMIT), ("p99", 0.99, P99_LIMIT)):
        bare, whole = percentile(floor, share), percentile(taken, share)
        result.append(Figure(f"commit to change topic, {name}", bare, "ms"))
        result.append(
            Figure(f"commit to decision, {name}", whole, "ms", limit, "limit", limit / whole)
        )
    return result


async def _change(
    dsns: dict[str, str], changes: Iterator[Transaction], captured: _Stopwatch, decided: _Stopwatch
) -> None:
    connections = {name: await asyncpg.connect(dsn) for name, dsn in dsns.items()}
    begun = time.monotonic()
    try:
        for number, change in enumerate(changes):
            await asyncio.sleep(max(0.0, begun + number / CHANGES_A_SECOND - time.monotonic()))
            report = await run_transaction(connections[change.database], change, datetime.now(UTC))
            _await_answers(report, captured, decided)
    finally:
        for connection in connections.values():
            await connection.close()


def _await_answers(report: CommitReport, captured: _Stopwatch, decided: _Stopwatch) -> None:
    change, at = report.transaction, report.commit_sent
    [update] = change.statements
    assert isinstance(update, Update)
    assert change.expectation is not None
    expected = change.expectation
    captured.start((f"cdc.{change.database}.{update.table}", str(update.ids[0])), at)
    decided.start((str(expected.odoo_id), expected.apn_id, expected.outcome), at)


async def _read(consumer: AIOKafkaConsumer, captured: _Stopwatch, decided: _Stopwatch) -> None:
    async for record in consumer:
        value: dict[str, Any] = orjson.loads(record.value or b"{}")
        if record.topic.startswith("cdc."):
            captured.stop((record.topic, str(orjson.loads(record.key or b"{}").get("id"))))
        else:
            decided.stop((value["left"], value["right"], value["outcome"]))
