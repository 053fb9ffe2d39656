"""Capture under kill -9 of everything that takes part in it, while the application goes on writing."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from connectors.postgres.migrations import upgrade
from deploy.local.identity import ProcessIdentity
from deploy.local.settings import CHECKOUT, CONNECT, KAFKA, POSTGRES
from tests.chaos.runtime.test_killed_infrastructure import kill_and_await_return
from tests.conditions import comes_true
from tests.integration.capture.bench import CaptureBench, make_bench
from tests.stack import RunningStack, own_stack

pytestmark = [pytest.mark.stack, pytest.mark.chaos]

DDL = """
create table lead (id int primary key, name text, long text);
alter table lead alter column long set storage external;
insert into lead select n, 'lead ' || n, repeat('x', 3000) from generate_series(1, 300) n;
"""
NEVER = threading.Event()
WRITES_PER_SECOND = 30


@pytest.fixture(scope="module")
async def mortal() -> AsyncIterator[tuple[RunningStack, str]]:
    """A stack of its own and the DSN of its platform database."""
    with own_stack() as local:
        await asyncio.to_thread(local.up_infrastructure, owner=ProcessIdentity.own())
        stack = RunningStack(local)
        platform = stack.new_database("platform")
        await asyncio.to_thread(upgrade, platform)
        yield stack, platform


class Writer:
    """An application that writes all the time and connects again when it is thrown out."""

    def __init__(self, bench: CaptureBench) -> None:
        self._bench = bench
        self._random = random.Random(7)
        self._stopped = False
        self.committed = 0

    async def write(self) -> None:
        while not self._stopped:
            await asyncio.to_thread(self._write_until_thrown_out)

    def stop(self) -> None:
        self._stopped = True

    def _write_until_thrown_out(self) -> None:
        try:
            with psycopg.connect(self._bench.owner_dsn, connect_timeout=5) as application:
                while not self._stopped:
                    self._one_transaction(application)
                    self.committed += 1
                    NEVER.wait(1 / WRITES_PER_SECOND)
        except psycopg.OperationalError:
            NEVER.wait(0.5)  # the server starts again

    def _one_transaction(self, application: psycopg.Connection) -> None:
        with application.transaction():
            for _ in range(self._random.randint(1, 3)):
                id_ = self._random.randint(1, 300)
                kind = self._random.random()
                if kind < 0.15:
                    application.execute("delete from lead where id = %s", (id_,))
                elif kind < 0.3:
                    application.execute(
                        "insert into lead values (%s, 'born', repeat('y', 3000))"
                        " on conflict do nothing",
                        (id_,),
                    )
                else:
                    application.execute(
                        "update lead set name = %s where id = %s", (str(self.committed), id_)
                    )


@contextmanager
def workers(bench: CaptureBench, log: Path) -> Iterator[dict[str, subprocess.Popen]]:
    """Real processes of the poll and the normalise worker."""
    processes: dict[str, subprocess.Popen] = {}
    try:
        for name in ("poll", "normalise"):
            start_worker(bench, name, log, processes)
        yield processes
    finally:
        for process in processes.values():
            process.kill()
            process.wait()


def start_worker(
    bench: CaptureBench, name: str, log: Path, processes: dict[str, subprocess.Popen]
) -> None:
    environment = {
        **os.environ,
        **bench.environment(),
        "REVOPS_WORKER__POLL_INTERVAL_SECONDS": "0.2",
        "REVOPS_WORKER__SESSION_TIMEOUT_SECONDS": "6",
    }
    with log.open("ab") as out:
        processes[name] = subprocess.Popen(
            [sys.executable, "-m", "workers.cli.main", "worker", name],
            cwd=CHECKOUT,
            env=environment,
            stdout=out,
            stderr=out,
        )


def revive(bench: CaptureBench, log: Path, processes: dict[str, subprocess.Popen]) -> None:
    """Starts what ended by itself, as a supervisor does."""
    for name, process in list(processes.items()):
        if process.poll() is not None:
            start_worker(bench, name, log, processes)


def raw_is_the_source(bench: CaptureBench) -> bool:
    rows = bench.sql("select id, name, long from lead")
    expected = {
        f'{{"id":{id_}}}': {"id": id_, "name": name, "long": long} for id_, name, long in rows
    }
    return bench.raw("lead") == expected


async def wrote_more(writer: Writer, count: int = 20) -> None:
    goal = writer.committed + count
    await comes_true(lambda: writer.committed >= goal, "the application to write")


@pytest.mark.parametrize("mode", ["debezium", "poll"])
async def test_nothing_is_lost_when_everything_is_killed_in_turn(
    mortal: tuple[RunningStack, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    stack, platform = mortal
    bench = await make_bench(stack, platform, tmp_path, DDL, ("lead",), mode=mode)
    monkeypatch.setenv(bench.variable, bench.capture_dsn)
    await bench.apply()
    writer = Writer(bench)
    writing = asyncio.ensure_future(writer.write())
    log = tmp_path / "workers.log"
    with workers(bench, log) as processes:
        await comes_true(bench.complete, "the snapshot's arrival")
        for _ in range(2):
            for name in (CONNECT, KAFKA, POSTGRES) if mode == "debezium" else (KAFKA, POSTGRES):
                await wrote_more(writer)
                await kill_and_await_return(stack.local, name)
                revive(bench, log, processes)
            for name in ("poll", "normalise"):
                await wrote_more(writer)
                processes[name].send_signal(signal.SIGKILL)
                processes[name].wait()
                start_worker(bench, name, log, processes)
        await wrote_more(writer)
        writer.stop()
        await writing

        def arrived() -> bool:
            revive(bench, log, processes)
            return raw_is_the_source(bench)

        await comes_true(arrived, "what the source holds", seconds=240)
    assert writer.committed > 100
    if mode == "debezium":
        assert bench.registered("epoch") == (1,), "no restart may need a new snapshot"
        times = Counter((one.key, one.position) for one in await bench.changes("lead"))
        assert [found for found, count in times.items() if count > 1] == [], "sent exactly once"
