"""A ledger worker among disturbances: its inputs, its processes, and what must be true at the end."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import asyncpg
import orjson
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from connectors.kafka.reading import read_to_end
from schemas.topics import dead_letter_topic
from tests.conditions import comes_true

CHECKOUT = Path(__file__).parents[3]
PARTITIONS = 4
Found = TypeVar("Found")


@dataclass
class Arena:
    """One ledger worker: `driver` is `bulk` or `agent`."""

    worker: str
    driver: str
    bootstrap_servers: str
    dsn: str
    random: random.Random
    inputs: dict[str, list[int]] = field(default_factory=dict)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _log: Path = Path(os.devnull)

    @property
    def total(self) -> int:
        return sum(len(amounts) for amounts in self.inputs.values())

    async def make_inputs(self, *, busy_keys: int, positions: int, lone_keys: int) -> None:
        """Puts them all on the topic, mixed, each key's in order; lone keys have a single one."""
        sizes = {f"busy-{one}": positions for one in range(busy_keys)}
        sizes |= {f"lone-{one}": 1 for one in range(lone_keys)}
        order = [key for key, size in sizes.items() for _ in range(size)]
        self.random.shuffle(order)
        producer = AIOKafkaProducer(bootstrap_servers=self.bootstrap_servers)
        await producer.start()
        try:
            for key in order:
                amounts = self.inputs.setdefault(key, [])
                amounts.append(self.random.randrange(1, 1000))
                value = orjson.dumps({"position": len(amounts) - 1, "amount": amounts[-1]})
                await producer.send(f"{self.worker}.in", value, key=key.encode())
            await producer.flush()
        finally:
            await producer.stop()

    def start(
        self, name: str = "a", *, crash: str = "", mutant: str = "", instance: str = ""
    ) -> None:
        """Starts a process; with an `instance` it takes its predecessor's place without waiting."""
        environment = {
            **os.environ,
            "REVOPS_DATABASE__DSN": self.dsn,
            "REVOPS_DATABASE__POOL_SIZE": "3",
            "REVOPS_KAFKA__BOOTSTRAP_SERVERS": self.bootstrap_servers,
            "REVOPS_WORKER__SESSION_TIMEOUT_SECONDS": "6",
            "REVOPS_WORKER__BATCH_RECORDS": "40",
            "REVOPS_WORKER__INSTANCE": instance,
            "LEDGER_WORKER": self.worker,
            "LEDGER_DRIVER": self.driver,
            "LEDGER_CRASH": crash,
            "LEDGER_MUTANT": mutant,
        }
        with self._log.open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", "tests.chaos.runtime.worker"],
                cwd=CHECKOUT,
                env=environment,
                stdout=log,
                stderr=log,
            )

    async def kill(self, name: str, number: signal.Signals) -> None:
        """Signals a process and waits for its end."""
        process = self.processes.pop(name)
        process.send_signal(number)
        await asyncio.to_thread(process.wait, 40)

    async def wait_for_own_end(self, name: str) -> int:
        """The exit status of a process that kills itself."""
        return await asyncio.to_thread(self.processes.pop(name).wait, 180)

    def revive(self) -> None:
        """Starts the processes again that ended by themselves, as a supervisor does."""
        for name, process in list(self.processes.items()):
            if process.poll() is not None:
                self.start(name)

    async def stop_all(self) -> None:
        for name in list(self.processes):
            await self.kill(name, signal.SIGKILL)

    def log_lines(self, count: int = 20) -> str:
        return "\n".join(self._log.read_text("utf-8", "replace").splitlines()[-count:])

    async def entries(self) -> int:
        """How many inputs have had their first effect."""
        found = await self._rows("select count(*) as n from ledger.entries where worker = $1")
        return found[0]["n"]

    async def wait_for_progress(self, entries: int) -> None:
        """Returns when so many inputs have had an effect."""

        async def there() -> bool:
            return await self.entries() >= min(entries, self.total)

        await comes_true(there, lambda: f"{entries} entries\n{self.log_lines()}", 240)

    async def wait_until_caught_up(self, *, reviving: bool = False) -> None:
        """Every offset is committed and the outbox is empty; no process ended, or it was revived."""

        async def caught_up() -> bool:
            if reviving:
                self.revive()
            for name, process in self.processes.items():
                assert process.poll() is None, f"{name} ended by itself\n{self.log_lines()}"
            async with _admin(self.bootstrap_servers) as admin:
                committed = await admin.list_consumer_group_offsets(f"revops.{self.worker}")
            done = sum(
                offset.offset
                for part, offset in committed.items()
                if part.topic == f"{self.worker}.in" and offset.offset > 0
            )
            waiting = await self._rows("select id from ops.outbox where worker = $1 limit 1")
            return done >= self.total and not waiting

        await comes_true(caught_up, lambda: f"every offset committed\n{self.log_lines()}", 240)

    async def faults(self) -> list[str]:
        """What is wrong with the effects of the inputs; nothing, if the guarantees held."""
        faults: list[str] = []
        entries: dict[str, dict[int, int]] = defaultdict(dict)
        for row in await self._rows("select * from ledger.entries where worker = $1"):
            entries[row["key"]][row["position"]] = row["amount"]
        expected = {key: dict(enumerate(amounts)) for key, amounts in self.inputs.items()}
        faults += _differences("entries", entries, expected)
        balances = {
            row["key"]: (row["position"], row["balance"], row["version"])
            for row in await self._rows("select * from ledger.balances where worker = $1")
        }
        faults += _differences(
            "balance",
            {key: balance[:2] for key, balance in balances.items()},
            {key: (len(amounts) - 1, sum(amounts)) for key, amounts in self.inputs.items()},
        )
        versions = {key: balance[2] for key, balance in balances.items()}
        faults += _event_faults(await self._versions(f"{self.worker}.events"), versions)
        faults += _state_faults(await self._versions(f"{self.worker}.states"), versions)
        letters = await self._read(dead_letter_topic(self.worker).name)
        faults += [f"dead letter: {dict(one.headers)}" for one in letters]
        return faults

    async def _versions(self, topic: str) -> dict[str, list[int]]:
        found: dict[str, list[int]] = defaultdict(list)
        for record in await self._read(topic):
            found[record.key.decode()].append(orjson.loads(record.value)["version"])
        return found

    async def _read(self, topic: str) -> list:
        options = {"bootstrap_servers": self.bootstrap_servers}
        return [record async for record in read_to_end(options, topic)]

    async def _rows(self, query: str) -> list[asyncpg.Record]:
        """A query of the worker's rows, asked again while the database is away."""

        async def asked() -> tuple[list[asyncpg.Record]]:
            connection = await asyncpg.connect(self.dsn, timeout=5)
            try:
                return (await connection.fetch(query, self.worker),)
            finally:
                connection.terminate()

        [rows] = await comes_true(asked, "the database to answer", 60)
        return rows


def _differences(
    what: str, found: Mapping[str, object], expected: Mapping[str, object]
) -> list[str]:
    wrong = [key for key in expected if found.get(key) != expected[key]]
    return [f"{what} of {key}: {found.get(key)}, not {expected[key]}" for key in wrong[:3]]


def _event_faults(events: Mapping[str, list[int]], versions: Mapping[str, int]) -> list[str]:
    """Every version at least once, first seen in order, and the newest is the last word."""
    wrong = {
        key: events.get(key, [])
        for key, version in versions.items()
        if list(dict.fromkeys(events.get(key, []))) != list(range(1, version + 1))
        or events[key][-1] != version
    }
    return [f"events of {key}: {seen}, not 1..{versions[key]}" for key, seen in wrong.items()][:3]


def _state_faults(states: Mapping[str, list[int]], versions: Mapping[str, int]) -> list[str]:
    """An old version never follows a new one, and the newest is there."""
    wrong = {
        key: states.get(key, [])
        for key, version in versions.items()
        if states.get(key, []) != sorted(states.get(key, [])) or version not in states.get(key, [])
    }
    return [f"states of {key}: {seen}, newest {versions[key]}" for key, seen in wrong.items()][:3]


@asynccontextmanager
async def _admin(bootstrap_servers: str) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


async def open_arena(
    worker: str, driver: str, bootstrap_servers: str, dsn: str, seed: int, log: Path
) -> Arena:
    """An arena whose topics exist."""
    names = (f"{worker}.in", f"{worker}.events", f"{worker}.states")
    topics = [NewTopic(name, PARTITIONS, 1) for name in names]
    topics.append(NewTopic(dead_letter_topic(worker).name, 1, 1))
    async with _admin(bootstrap_servers) as admin:
        await admin.create_topics(topics)
    return Arena(worker, driver, bootstrap_servers, dsn, random.Random(seed), _log=log)
