"""The whole platform on the local stack: database and role, sources' rights, topics, workers."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import psycopg
from psycopg import sql

from connectors.kafka_connect.source_rights import grant_rights
from deploy.local.progress import Progress, StepProgress, silent
from deploy.local.stack import LocalStack, StackState, WorkerCommand, worker_command
from schemas.tenants import Tenant
from workers.installation import apply_installation
from workers.local import (
    PLATFORM_DATABASE,
    PLATFORM_ROLE,
    platform_environment,
    save_environment,
    saved_environment,
)
from workers.process import DRIVERS
from workers.settings import Settings
from workers.tenants import load_tenants

CAPTURE_ROLE = "revops_capture"


class LocalPlatform:
    """Brings the platform up on a local stack, step by step; each step may be repeated."""

    def __init__(self, stack: LocalStack) -> None:
        self.stack = stack

    def start(self, progress: Progress = silent) -> StackState:
        """Kafka, Connect and PostgreSQL run, and the platform's empty database is there.

        What an earlier start kept of its sources holds on where the environment says nothing else.
        """
        state = self.stack.up_infrastructure(progress)
        self._create_database()
        os.environ.update(platform_environment(self.stack))
        for name, value in saved_environment(self.stack).items():
            os.environ.setdefault(name, value)
        return state

    def apply(self, progress: Progress = silent) -> list[str]:
        """Tables, topics, rules and connectors are as declared; says which sources are not set."""
        return asyncio.run(apply_installation(Settings.load(), progress))

    def apply_and_start_workers(self, progress: Progress = silent) -> list[str]:
        """Both at once: workers take as long to load as what they then wait for takes to be made."""
        with ThreadPoolExecutor(1) as pool:
            starting = pool.submit(self.start_workers, progress)
            left = self.apply(progress)
            starting.result()
        return left

    def start_workers(self, progress: Progress = silent) -> StackState:
        """Every worker runs and is ready."""
        ports = self.stack.settings.ports
        commands: list[WorkerCommand] = []
        for at, name in enumerate(DRIVERS):
            port = ports.worker(at)
            environment = {
                **_given_settings(),
                **platform_environment(self.stack),
                "REVOPS_WORKER__METRICS_PORT": str(port),
                "OMP_NUM_THREADS": "1",
                "OPENBLAS_NUM_THREADS": "1",
            }
            ready = f"http://127.0.0.1:{port}/ready"
            commands.append(worker_command(name, environment, ready_url=ready))
        progress(StepProgress("workers", 0, 1, "starting"))
        state = self.stack.start_workers(commands)
        progress(StepProgress("workers", 1, 1, ", ".join(DRIVERS)))
        return state

    def use_local_sources(self, databases: Mapping[tuple[str, str], str]) -> None:
        """Names databases of this stack as sources: (tenant, source) -> database.

        Gives a capture role its rights in each, sets the variables that the tenant files name, and
        keeps them for later commands.
        """
        tenants = load_tenants(Settings.load().config.directory)
        asyncio.run(self._grant(tenants, databases))
        variables = {
            tenants[tenant].sources[source].dsn_variable: self.stack.postgres_dsn(
                database, CAPTURE_ROLE
            )
            for (tenant, source), database in databases.items()
        }
        save_environment(self.stack, variables)
        os.environ.update(variables)

    async def _grant(
        self, tenants: Mapping[str, Tenant], databases: Mapping[tuple[str, str], str]
    ) -> None:
        for (tenant, source), database in databases.items():
            await grant_rights(
                self.stack.postgres_dsn(database),
                tenants[tenant].sources[source],
                CAPTURE_ROLE,
                self.stack.password_of(CAPTURE_ROLE),
            )

    def _create_database(self) -> None:
        """The platform's role and database, with the vector extension that only a superuser adds."""
        with psycopg.connect(self.stack.postgres_dsn("postgres"), autocommit=True) as admin:
            _create_role(admin, PLATFORM_ROLE, self.stack.password_of(PLATFORM_ROLE))
            found = admin.execute(
                "select 1 from pg_database where datname = %s", (PLATFORM_DATABASE,)
            ).fetchone()
            if not found:
                admin.execute(
                    sql.SQL("create database {} owner {}").format(
                        sql.Identifier(PLATFORM_DATABASE), sql.Identifier(PLATFORM_ROLE)
                    )
                )
        with psycopg.connect(self.stack.postgres_dsn(PLATFORM_DATABASE), autocommit=True) as admin:
            admin.execute("create extension if not exists vector")


def _create_role(admin: psycopg.Connection, role: str, password: str) -> None:
    name = sql.Identifier(role)
    found = admin.execute("select 1 from pg_roles where rolname = %s", (role,)).fetchone()
    statement = "alter role {} login password {}" if found else "create role {} login password {}"
    admin.execute(sql.SQL(statement).format(name, sql.Literal(password)))


def _given_settings() -> dict[str, str]:
    """What the caller's environment says about the platform; workers hear the same."""
    return {name: value for name, value in os.environ.items() if name.startswith("REVOPS_")}
