"""A running Kafka, Connect and PostgreSQL for tests: ask for the session's fixture `stack`.

    async def test_rows_arrive(stack: RunningStack) -> None:
        dsn = stack.new_database("orders")          # an empty database of your own, superuser DSN
        topic = await stack.new_topic("orders", partitions=2, **{"cleanup.policy": "compact"})
        group = stack.new_name("orders")            # for groups, slots, connectors, roles
        consumer = AIOKafkaConsumer(topic, bootstrap_servers=stack.bootstrap_servers, ...)
        requests go to stack.connect_url; stack.dsn(database, role) is a DSN of another role whose
        password you set to stack.local.password_of(role); stack.local is the `LocalStack`, with
        start_workers, stop_workers and state().

One stack serves the whole session; it starts with the first test that asks for it (4 s, the first
time on a machine 20 s) and no worker runs in it. It ends with the session, also when pytest is
interrupted or killed. Never stop or erase it in a test: tests that kill processes of the
infrastructure start their own with `own_stack()`.

To keep one stack running between sessions while you develop:
`REVOPS_TEST_STACK_DIR=/its/data/dir pytest ...` uses the one that runs there and leaves it up.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError
from psycopg import sql

from deploy.local.identity import ProcessIdentity
from deploy.local.ports import is_free
from deploy.local.settings import PORTS_PER_STACK, LocalSettings
from deploy.local.stack import LocalStack

FIRST_PORT, LAST_PORT = 30000, 32700  # below the ports that the system gives to clients


class RunningStack:
    """The infrastructure that runs, and makers of things that no other test uses."""

    def __init__(self, local: LocalStack) -> None:
        self.local = local
        self._numbers = itertools.count(1)
        self._run = secrets.token_hex(3)
        self._databases: list[str] = []
        self._topics: list[str] = []

    @property
    def bootstrap_servers(self) -> str:
        return self.local.bootstrap_servers

    @property
    def connect_url(self) -> str:
        return self.local.connect_url

    def dsn(self, database: str = "postgres", role: str = "postgres") -> str:
        return self.local.postgres_dsn(database, role)

    def new_name(self, hint: str) -> str:
        """A name of lower-case letters, digits and `_` that nothing else in the stack has."""
        return f"{hint}_{self._run}_{next(self._numbers)}"

    def new_database(self, hint: str = "test") -> str:
        """The superuser's DSN of a new, empty database."""
        name = self.new_name(hint)
        with psycopg.connect(self.dsn(), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        self._databases.append(name)
        return self.dsn(name)

    def databases(self) -> set[str]:
        """The names of all databases that there are."""
        with psycopg.connect(self.dsn()) as connection:
            return {name for (name,) in connection.execute("SELECT datname FROM pg_database")}

    async def new_topic(self, hint: str = "test", partitions: int = 1, **configs: str) -> str:
        """The name of a new topic; `configs` as in `**{"cleanup.policy": "compact"}`."""
        name = self.new_name(hint)
        async with self.admin() as admin:
            await admin.create_topics([NewTopic(name, partitions, 1, topic_configs=configs)])
        self._topics.append(name)
        return name

    async def have_topic(self, name: str) -> None:
        """Makes a topic of the platform, which tests share, where it is not there yet."""
        async with self.admin() as admin:
            with contextlib.suppress(TopicAlreadyExistsError):
                await admin.create_topics([NewTopic(name, 1, 1)])

    @contextlib.asynccontextmanager
    async def admin(self):
        """A Kafka admin client."""
        client = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap_servers)
        await client.start()
        try:
            yield client
        finally:
            await client.close()

    def drop_databases(self) -> None:
        """Drops what `new_database` made; for a stack that outlives the session."""
        with psycopg.connect(self.dsn(), autocommit=True) as connection:
            for name in self._databases:
                connection.execute(
                    sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
                )


@pytest.fixture(scope="session")
def stack() -> Iterator[RunningStack]:
    """Kafka, Connect and PostgreSQL that run for the whole session."""
    named = os.environ.get("REVOPS_TEST_STACK_DIR")
    if named:
        yield from _stack_of_another(Path(named))
        return
    with running_stack() as local:
        yield RunningStack(local)


@contextlib.contextmanager
def running_stack() -> Iterator[LocalStack]:
    """Kafka, Connect and PostgreSQL of one's own; erased at the end."""
    with own_stack() as local:
        local.up_infrastructure(owner=ProcessIdentity.own())
        yield local


@contextlib.contextmanager
def some_postgres(given: str | None) -> Iterator[str]:
    """A superuser's DSN: the one that is given, or that of a stack of one's own."""
    if given is not None:
        yield given
        return
    with running_stack() as local:
        yield local.postgres_dsn("postgres")


def _stack_of_another(data_dir: Path) -> Iterator[RunningStack]:
    local = LocalStack(LocalSettings.from_file(LocalSettings(data_dir=data_dir).files.settings))
    if not local.state().running:
        raise RuntimeError(f"REVOPS_TEST_STACK_DIR: no stack runs in {data_dir}; `revops up` it")
    running = RunningStack(local)
    try:
        yield running
    finally:
        running.drop_databases()


@contextlib.contextmanager
def own_stack(**settings: object) -> Iterator[LocalStack]:
    """A stack that is not started yet, with a folder and ports of its own; erased at the end.

    Start it with `up_infrastructure(owner=ProcessIdentity.own())`.
    """
    with (
        reserved_port_base() as port_base,
        tempfile.TemporaryDirectory(prefix="revops-test-") as folder,
    ):
        Path(folder).chmod(0o711)  # PostgreSQL, started by root, is another user
        data_dir = Path(folder) / "stack"
        chosen = {"data_dir": data_dir, "port_base": port_base, "java_learns": False, **settings}
        local = LocalStack(LocalSettings.model_validate(chosen))
        try:
            yield local
        finally:
            local.erase()


@contextlib.contextmanager
def reserved_port_base() -> Iterator[int]:
    """The first of enough free ports, which no other test session takes meanwhile."""
    for base in range(FIRST_PORT, LAST_PORT, PORTS_PER_STACK):
        claim = Path(tempfile.gettempdir()) / f"revops-test-ports-{base}.lock"
        try:
            file = claim.open("a")
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            continue  # another session's, perhaps another user's
        with file:
            if all(is_free(port) for port in range(base, base + PORTS_PER_STACK)):
                yield base
                return
    raise RuntimeError(f"no {PORTS_PER_STACK} free ports in a row from {FIRST_PORT}")
