"""The process that owns the stack: it starts what is wanted, keeps it running and ends it.

Started by `stack.LocalStack` as `python -m deploy.local.supervisor DATA_DIR`. It holds the lock
of the data folder for as long as it lives, so there is never a second one. When it is killed the
kernel stops its processes; what is left of them, the next supervisor or `down` clears away.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from deploy.local.connect import ConnectWorker
from deploy.local.identity import STACK_MARK, ProcessIdentity
from deploy.local.jars import JarCache
from deploy.local.kafka import KafkaBroker
from deploy.local.kafka_ui import KafkaUi
from deploy.local.keeper import Keeper
from deploy.local.orphans import end_orphans
from deploy.local.postgres import PostgresCluster
from deploy.local.probes import url_answers
from deploy.local.service import Service, ready_at_once
from deploy.local.settings import CHECKOUT, CONNECT, KAFKA, KAFKA_UI, POSTGRES, LocalSettings
from deploy.local.state import StackState, Wanted, WorkerCommand, read_whole, write_whole

LOOK_EVERY_SECONDS = 0.05
LOCK_PATIENCE_SECONDS = 5.0
OWNER_EVERY_SECONDS = 0.5
STOP_ORDER = ((KAFKA_UI,), (CONNECT,), (KAFKA, POSTGRES))


class AnotherSupervisorError(Exception):
    """The data folder's lock is held: a supervisor of this stack is alive."""


def hold_lock(path: Path, patience_seconds: float = LOCK_PATIENCE_SECONDS) -> TextIO:
    """The open lock file; the lock lasts as long as it stays open, however the process ends.

    A supervisor that was just killed may hold it for a moment longer than it seems to live, so
    this tries for a while. Raises AnotherSupervisorError.
    """
    file = path.open("a", encoding="ascii")
    deadline = time.monotonic() + patience_seconds
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as taken:
            if time.monotonic() > deadline:
                file.close()
                raise AnotherSupervisorError(
                    f"{path} is held: a supervisor of this stack is alive"
                ) from taken
            time.sleep(LOOK_EVERY_SECONDS)
        else:
            return file


def service_of(name: str, settings: LocalSettings) -> Service:
    """The process of the infrastructure that has this name."""
    jars = JarCache.of(settings.cache_dir)
    makers: dict[str, Callable[[], Service]] = {
        POSTGRES: lambda: PostgresCluster.of(settings).service(),
        KAFKA: lambda: KafkaBroker(settings, jars).service(),
        CONNECT: lambda: ConnectWorker(settings, jars).service(),
        KAFKA_UI: lambda: KafkaUi(settings).service(),
    }
    return makers[name]()


def worker_service(worker: WorkerCommand, settings: LocalSettings) -> Service:
    """The service of a worker command."""
    return Service(
        name=worker.name,
        kind="worker",
        command=worker.command,
        environment=worker.environment,
        log=settings.files.log(worker.name),
        folder=CHECKOUT,
        ready=url_answers(worker.ready_url) if worker.ready_url else ready_at_once,
    )


class Supervisor:
    """Makes what runs equal to what is wanted, until it is told to stop."""

    def __init__(self, settings: LocalSettings) -> None:
        self.settings = settings
        self._keepers: dict[str, Keeper] = {}
        self._stop = asyncio.Event()
        self._identity = ProcessIdentity.own()
        self._revision = 0

    async def run(self) -> None:
        """Returns when everything has been stopped."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self._stop.set)
        self._publish()
        try:
            await self._follow_wishes()
        finally:
            await self._stop_all()
            self.settings.files.wanted.unlink(missing_ok=True)
            self._publish(alive=False)

    async def _follow_wishes(self) -> None:
        seen: os.stat_result | None = None
        looks = 0
        wanted = Wanted()
        while not self._stop.is_set():
            found = _stat(self.settings.files.wanted)
            if found is None:
                return  # the data folder was deleted: nobody could ever ask for a stop
            if seen is None or _differ(found, seen):
                seen = found
                wanted = read_whole(self.settings.files.wanted, Wanted) or wanted
                await self._reconcile(wanted)
            looks += 1
            if looks % int(OWNER_EVERY_SECONDS / LOOK_EVERY_SECONDS) == 0:
                self._stop_without_owner(wanted)
            try:
                await asyncio.wait_for(self._stop.wait(), LOOK_EVERY_SECONDS)
            except TimeoutError:
                continue

    def _stop_without_owner(self, wanted: Wanted) -> None:
        if wanted.owner and not wanted.owner.is_alive():
            self._stop.set()

    async def _reconcile(self, wanted: Wanted) -> None:
        services = {
            **{name: service_of(name, self.settings) for name in wanted.infrastructure},
            **{worker.name: worker_service(worker, self.settings) for worker in wanted.workers},
        }
        outdated = [
            name
            for name, keeper in self._keepers.items()
            if name not in services or not keeper.service.runs_as(services[name])
        ]
        await self._stop_these(outdated)
        for name, service in services.items():
            if name not in self._keepers:
                self._keepers[name] = Keeper(service, self._publish)
        self._revision = wanted.revision
        self._publish()

    async def _stop_these(self, names: list[str]) -> None:
        await asyncio.gather(*(self._keepers[name].stop() for name in names))
        for name in names:
            del self._keepers[name]

    async def _stop_all(self) -> None:
        infrastructure = {name for group in STOP_ORDER for name in group}
        workers = tuple(name for name in self._keepers if name not in infrastructure)
        for group in (workers, *STOP_ORDER):
            await self._stop_these([name for name in group if name in self._keepers])

    def _publish(self, *, alive: bool = True) -> None:
        state = StackState(
            data_dir=self.settings.data_dir,
            port_base=self.settings.port_base,
            revision=self._revision,
            supervisor=self._identity if alive else None,
            processes=tuple(keeper.state for keeper in self._keepers.values()),
        )
        if self.settings.data_dir.is_dir():
            write_whole(self.settings.files.state, state)


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _differ(one: os.stat_result, other: os.stat_result) -> bool:
    return (one.st_ino, one.st_mtime_ns) != (other.st_ino, other.st_mtime_ns)


def main(data_dir: Path) -> int:
    """Runs the supervisor of a data folder; 1 when there is one already."""
    logging.basicConfig(level=logging.CRITICAL)  # clients complain loudly of what starts up
    files = LocalSettings(data_dir=data_dir).files
    try:
        lock = hold_lock(files.lock)
    except AnotherSupervisorError as already:
        print(already, file=sys.stderr)
        return 1
    with lock:
        if not files.wanted.exists():
            return 0  # the stack was taken down while this waited for the lock
        os.umask(0o077)
        os.environ[STACK_MARK] = str(data_dir)
        end_orphans(data_dir)
        settings = LocalSettings.from_file(files.settings)
        asyncio.run(Supervisor(settings).run())
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
