"""How much processor time each worker takes, and how much of the line's the audit log costs."""

from __future__ import annotations

from dataclasses import dataclass

import psutil
import psycopg

from deploy.local.stack import LocalStack
from tests.benchmarks.figures import Figure

AUDIT = "audit"
AUDIT_LIMIT = 15.0


@dataclass(frozen=True, slots=True)
class ProcessorTime:
    """Seconds that the processes have taken so far: each worker, PostgreSQL as a whole, and of that
    the connections that the audit worker holds.
    """

    workers: dict[str, float]
    postgres: float
    audit_in_postgres: float

    @classmethod
    def of(cls, stack: LocalStack) -> ProcessorTime:
        running = {
            state.name: (state.kind, _with_children(state.process.pid))
            for state in stack.state().processes
            if state.process is not None
        }
        return cls(
            {name: seconds for name, (kind, seconds) in running.items() if kind == "worker"},
            running["postgres"][1],
            sum(_with_children(pid) for pid in _connections_of_audit(stack)),
        )


def processor_figures(before: ProcessorTime, after: ProcessorTime) -> list[Figure]:
    """What was taken between two moments. The audit's share counts what it makes PostgreSQL do."""
    taken = {name: end - before.workers[name] for name, end in after.workers.items()}
    postgres = after.postgres - before.postgres
    line = sum(taken.values()) + postgres
    audit = taken[AUDIT] + after.audit_in_postgres - before.audit_in_postgres
    share = 100 * audit / line
    by_cost = sorted(taken.items(), key=lambda one: -one[1])
    return [
        Figure("processor time of workers and PostgreSQL", line, "s"),
        *(Figure(f"  of the worker {name}", seconds, "s") for name, seconds in by_cost),
        Figure("  of PostgreSQL", postgres, "s"),
        Figure(
            "  the audit log's share, PostgreSQL included", share, "%", AUDIT_LIMIT, "limit",
            AUDIT_LIMIT / max(share, 1e-9), 1.0,
        ),
    ]  # fmt: skip


def _with_children(pid: int) -> float:
    """Of a process, its children that run and those that ended; 0 where it is gone by now."""
    try:
        process = psutil.Process(pid)
        times = [one.cpu_times() for one in (process, *process.children(recursive=True))]
    except psutil.NoSuchProcess:
        return 0.0
    return sum(one.user + one.system + one.children_user + one.children_system for one in times)


def _connections_of_audit(stack: LocalStack) -> list[int]:
    with psycopg.connect(stack.postgres_dsn("postgres")) as connection:
        rows = connection.execute(
            "select pid from pg_stat_activity where application_name = %s", (f"revops.{AUDIT}",)
        ).fetchall()
    return [pid for (pid,) in rows]
