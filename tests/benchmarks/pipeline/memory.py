"""How much memory the stack takes: proportional set sizes, so that shared pages count once."""

from __future__ import annotations

import psutil

from deploy.local.stack import LocalStack
from tests.benchmarks.figures import Figure

LIMIT_GIGABYTES = 4.0


def memory_figures(stack: LocalStack) -> list[Figure]:
    """Of infrastructure and workers, in gigabytes of 2**30 bytes."""
    shares = {
        state.name: _with_children(state.process.pid) / 2**30
        for state in stack.state().processes
        if state.process is not None
    }
    infrastructure = sum(shares.get(name, 0.0) for name in ("postgres", "kafka", "connect"))
    whole = sum(shares.values())
    return [
        Figure("memory of Kafka, Connect and PostgreSQL", infrastructure, "GiB"),
        Figure("memory of the workers", whole - infrastructure, "GiB"),
        Figure(
            "memory of all together", whole, "GiB", LIMIT_GIGABYTES, "limit",
            LIMIT_GIGABYTES / max(whole, 1e-9),
        ),
    ]  # fmt: skip


def _with_children(pid: int) -> int:
    process = psutil.Process(pid)
    found = 0
    for one in (process, *process.children(recursive=True)):
        try:
            found += one.memory_full_info().pss
        except psutil.NoSuchProcess:
            continue  # a backend that ended meanwhile
    return found
