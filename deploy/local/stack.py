"""The local stack as its users see it: bring it up, run workers in it, look at it, take it down."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Mapping

from deploy.local import jar_download
from deploy.local.identity import ProcessIdentity
from deploy.local.jars import JarCache
from deploy.local.kafka_ui import KafkaUi
from deploy.local.passwords import password_of
from deploy.local.postgres import PostgresCluster
from deploy.local.progress import Progress, silent
from deploy.local.settings import HOST, INFRASTRUCTURE, KAFKA_UI, POSTGRES, LocalSettings
from deploy.local.state import StackState, Wanted, WorkerCommand
from deploy.local.supervision import StackError, Supervision

__all__ = ["LocalStack", "StackError", "StackState", "WorkerCommand", "worker_command"]


def worker_command(
    name: str, environment: Mapping[str, str] | None = None, *, ready_url: str | None = None
) -> WorkerCommand:
    """The command line's worker of this name, as the supervisor runs it."""
    return WorkerCommand(
        name=name,
        command=(sys.executable, "-m", "workers.cli.main", "worker", name),
        environment=dict(environment or {}),
        ready_url=ready_url,
    )


class LocalStack:
    """One local stack, whether it runs or not; any process may hold one of these.

    What it starts goes on without it: a supervisor of its own keeps the stack running until
    `down`. Calls block; each ends in time, with StackError when something does not come up.
    """

    def __init__(self, settings: LocalSettings | None = None) -> None:
        self.settings = settings or LocalSettings()
        self._supervision = Supervision(self.settings)

    @property
    def bootstrap_servers(self) -> str:
        """Where Kafka clients begin."""
        return f"{HOST}:{self.settings.ports.kafka}"

    @property
    def connect_url(self) -> str:
        """The REST interface of Kafka Connect, without a slash at the end."""
        return f"http://{HOST}:{self.settings.ports.connect}"

    def postgres_dsn(self, database: str, role: str = "postgres") -> str:
        """How to connect to `database` as `role`, its password included.

        `postgres` is the superuser; any other role must have been created with its `password_of`.
        """
        address = f"{HOST}:{self.settings.ports.postgres}"
        return f"postgresql://{role}:{self.password_of(role)}@{address}/{database}"

    def password_of(self, role: str) -> str:
        """The password that this stack made for a role, on first use; safe within a URL."""
        self._supervision.make_folder()
        return password_of(self.settings.files.passwords, role)

    def state(self) -> StackState:
        """What runs now."""
        return self._supervision.state()

    def last_log_lines(self, process: str, count: int = 15) -> list[str]:
        """The end of the log of a process; empty where there is none."""
        return self._supervision.last_log_lines(process, count)

    def up_infrastructure(
        self, progress: Progress = silent, *, owner: ProcessIdentity | None = None
    ) -> StackState:
        """Kafka, Connect and PostgreSQL are up and answer; what runs already is left alone.

        With `owner` the stack stops by itself once that process is gone. Raises StackError,
        JarDownloadError.
        """
        supervision = self._supervision
        with supervision.one_caller_at_a_time():
            if self.state().running:
                supervision.refuse_other_settings()
            else:
                supervision.start(Wanted(infrastructure=(POSTGRES,), owner=owner))
            # PostgreSQL makes its files while the archives of the others come over the network
            jar_download.fill(JarCache.of(self.settings.cache_dir), progress)
            running = supervision.wanted().infrastructure
            supervision.want(infrastructure=tuple(dict.fromkeys((*running, *INFRASTRUCTURE))))
            return supervision.wait_until_ready(INFRASTRUCTURE, progress)

    def up_kafka_ui(self, progress: Progress = silent) -> str:
        """The address at which a browser shows Kafka; the infrastructure must be up.

        The first call installs the UI (150 MB). Raises StackError, CannotStartError.
        """
        kafka_ui = KafkaUi(self.settings)
        with self._supervision.one_caller_at_a_time():
            wanted = self._supervision.wanted()
            kafka_ui.install(progress)
            if KAFKA_UI not in wanted.infrastructure:
                self._supervision.want(infrastructure=(*wanted.infrastructure, KAFKA_UI))
            self._supervision.wait_until_ready([KAFKA_UI], progress)
        return kafka_ui.url

    def start_workers(
        self, workers: Iterable[str | WorkerCommand], progress: Progress = silent
    ) -> StackState:
        """These workers run besides those that run already; one whose command changed restarts.

        A name alone stands for `worker_command(name)`. Raises StackError.
        """
        commands = [worker_command(each) if isinstance(each, str) else each for each in workers]
        names = [command.name for command in commands]
        with self._supervision.one_caller_at_a_time():
            others = [each for each in self._supervision.wanted().workers if each.name not in names]
            self._supervision.want(workers=(*others, *commands))
            return self._supervision.wait_until_ready(names, progress)

    def stop_workers(self, names: Iterable[str]) -> StackState:
        """These workers are gone, the rest runs on. Raises StackError."""
        unwanted = frozenset(names)
        with self._supervision.one_caller_at_a_time():
            workers = self._supervision.wanted().workers
            self._supervision.want(
                workers=tuple(each for each in workers if each.name not in unwanted)
            )
            return self._supervision.wait_until_absent(unwanted)

    def down(self) -> None:
        """Nothing of the stack runs any more, also where its supervisor had been killed.

        Data, logs and passwords stay. Raises StackError, StillRunningError.
        """
        if not self.settings.data_dir.is_dir():
            return
        with self._supervision.one_caller_at_a_time():
            self._supervision.end()

    def erase(self) -> None:
        """The stack is down and its data, logs and passwords are gone.

        Raises StackError, StillRunningError.
        """
        self.down()
        shutil.rmtree(PostgresCluster.of(self.settings).folder, ignore_errors=True)
        if self.settings.data_dir.is_dir():
            shutil.rmtree(self.settings.data_dir)
