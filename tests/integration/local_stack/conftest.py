"""Supervisors of their own, for tests that kill what they run.

Most faults need no Java: a supervisor with PostgreSQL and a few sleeping workers has them all.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from deploy.local.identity import ProcessIdentity, marked_processes
from deploy.local.progress import silent
from deploy.local.settings import POSTGRES
from deploy.local.stack import LocalStack
from deploy.local.state import StackState, Wanted, WorkerCommand
from deploy.local.supervision import Supervision
from tests.integration.local_stack.interpreter import ordinary_python
from tests.stack import own_stack

# root's Python and packages may lie where nobody else gets to them
collect_ignore = [] if ordinary_python() else ["test_ordinary_user.py"]

SLEEPER = "import signal\nwhile True: signal.pause()"


def sleeping_worker(name: str, *arguments: str) -> WorkerCommand:
    """A worker that does nothing until it is stopped."""
    return WorkerCommand(name=name, command=(sys.executable, "-c", SLEEPER, *arguments))


class SmallStack:
    """A supervisor that runs PostgreSQL and two sleeping workers."""

    def __init__(self, local: LocalStack) -> None:
        self.local = local
        self.supervision = Supervision(local.settings)

    def up(self, *workers: WorkerCommand, owner: ProcessIdentity | None = None) -> StackState:
        workers = workers or (sleeping_worker("first"), sleeping_worker("second"))
        owner = owner or ProcessIdentity.own()
        with self.supervision.one_caller_at_a_time():
            if not self.local.state().running:
                self.supervision.start(
                    Wanted(infrastructure=(POSTGRES,), workers=workers, owner=owner)
                )
            names = (POSTGRES, *(worker.name for worker in workers))
            return self.supervision.wait_until_ready(names, silent)

    def processes(self) -> dict[str, ProcessIdentity]:
        """Those that run now, by name."""
        return {each.name: each.process for each in self.local.state().processes if each.process}

    def everything_running(self) -> list[ProcessIdentity]:
        """All that anyone started for this stack, the supervisor included."""
        supervisor = self.local.state().supervisor
        return [*marked_processes(self.local.settings.data_dir), *([supervisor] * bool(supervisor))]


@pytest.fixture
def small_stack() -> Iterator[SmallStack]:
    with own_stack() as local:
        yield SmallStack(local)
