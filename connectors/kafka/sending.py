"""Sending records so that what is acknowledged is certain, and so is what is not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, KafkaTimeoutError, MessageSizeTooLargeError

from schemas.results import Retryable

_CLOSE_SECONDS = 5.0
_REFUSED_AT_THE_DOOR = (KafkaTimeoutError, MessageSizeTooLargeError)
"""What the producer itself raises before a record has got its sequence number."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One record to be sent: bytes, as they will lie in the topic.

    Without a `partition` the key chooses it.
    """

    topic: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    partition: int | None = None

    def size(self) -> int:
        """Bytes of key, value and headers."""
        headers = sum(len(name) + len(data or b"") for name, data in self.headers)
        return len(self.key or b"") + len(self.value or b"") + headers


class TooLarge(ValueError):  # noqa: N818 - it names what is wrong with the record
    """The broker will never take this record; `record` says which."""

    def __init__(self, record: Outgoing) -> None:
        super().__init__(f"{record.size()} bytes are more than {record.topic} takes")
        self.record = record


class Sender:
    """An idempotent producer that is replaced when it can send no more.

    A record that the broker refused for good leaves a hole in the producer's sequence: every later
    record of that partition would be refused too, for ever.
    """

    def __init__(self, start: Callable[[], Awaitable[AIOKafkaProducer]]) -> None:
        self._start = start
        self._producer: AIOKafkaProducer | None = None
        self._renewing = asyncio.Lock()
        self._log = structlog.get_logger()

    async def start(self) -> None:
        """Connects; waits for the broker."""
        self._producer = await self._start()

    async def stop(self) -> None:
        """Disconnects; what is not acknowledged by then never will be."""
        if self._producer:
            await _close(self._producer)

    async def send(self, records: Sequence[Outgoing]) -> None:
        """Sends in order per partition and returns when all are acknowledged.

        When it raises, nothing of `records` is under way any more: part of them may lie in their
        topics, none will arrive later. Raises TooLarge for a record that the broker refuses for
        good, Retryable for whatever time or an operator mends.
        """
        producer = self._producer
        if producer is None:
            raise RuntimeError("the sender was not started")
        under_way: list[asyncio.Future[object]] = []
        not_taken: KafkaError | None = None
        for record in records:
            try:
                under_way.append(await _hand_over(producer, record))
            except KafkaError as problem:
                not_taken = problem
                break
        if under_way:
            await asyncio.wait(under_way)
        problems = [future.exception() for future in under_way] + [not_taken]
        failed = [(record, one) for record, one in zip(records, problems, strict=False) if one]
        if failed:
            if any(map(_spends_the_producer, problems[:-1])) or (
                _spends_the_producer(not_taken) and not isinstance(not_taken, _REFUSED_AT_THE_DOOR)
            ):
                await self._renew(producer)
            _raise_for(failed)

    async def reach(self) -> None:
        """Returns when the broker answers. Raises Retryable when it does not."""
        if self._producer is None or not await self._producer.client.force_metadata_update():
            raise Retryable("Kafka: no broker answers")

    async def _renew(self, spent: AIOKafkaProducer) -> None:
        async with self._renewing:
            if self._producer is not spent:
                return  # another task's failure did it already
            self._log.warning("replacing the producer: its sequence is broken")
            self._producer = await self._start()
            await _close(spent)


async def _hand_over(producer: AIOKafkaProducer, record: Outgoing) -> asyncio.Future[object]:
    return await producer.send(
        record.topic,
        key=record.key,
        value=record.value,
        partition=record.partition,
        headers=list(record.headers),
    )


def _spends_the_producer(problem: BaseException | None) -> bool:
    return problem is not None and not (isinstance(problem, KafkaError) and problem.retriable)


def _raise_for(failed: Sequence[tuple[Outgoing, BaseException]]) -> NoReturn:
    for record, problem in failed:
        if isinstance(problem, MessageSizeTooLargeError):
            raise TooLarge(record) from problem
    record, problem = failed[0]
    if isinstance(problem, KafkaError):
        raise Retryable(f"Kafka: {record.topic}: {type(problem).__name__}: {problem}") from problem
    raise problem


async def _close(producer: AIOKafkaProducer) -> None:
    try:
        await asyncio.wait_for(producer.stop(), _CLOSE_SECONDS)
    except (TimeoutError, KafkaError):
        return  # the broker is away, or another task still waits for its acknowledgements
