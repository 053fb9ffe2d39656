"""Clears away what a killed supervisor left running."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from deploy.local.identity import ProcessIdentity, marked_processes, wait_until_gone
from deploy.local.settings import POSTGRES, StackFiles
from deploy.local.state import ProcessState, StackState, read_whole

GRACE_SECONDS = 10.0
KILL_SECONDS = 10.0


class StillRunningError(RuntimeError):
    """Processes of the stack could not be ended."""


def end_orphans(data_dir: Path) -> int:
    """How many processes of the stack without a supervisor there were; none is left.

    Those of the last state file, if they still are the same processes, and all that carry the
    stack's mark. Only for who holds the stack's lock. Raises StillRunningError.
    """
    orphans = _orphans(data_dir)
    for orphan, first in orphans.items():
        orphan.send(first)
    left = wait_until_gone(orphans, GRACE_SECONDS)
    for each in left:
        each.send(signal.SIGKILL)
    left = wait_until_gone([*left, *_orphans(data_dir)], KILL_SECONDS)
    if left:
        numbers = ", ".join(str(each.pid) for each in left)
        raise StillRunningError(
            f"processes {numbers} of the stack in {data_dir} do not end: "
            "end them (`kill -9`) as the user who started the stack"
        )
    return len(orphans)


def _orphans(data_dir: Path) -> dict[ProcessIdentity, signal.Signals]:
    """Each with the signal that ends it in good order."""
    found = {
        process: signal.SIGTERM
        for process in marked_processes(data_dir)
        if process.pid != os.getpid()
    }
    state = read_whole(StackFiles(data_dir).state, StackState)
    for each in state.processes if state else ():
        if each.process and each.process.is_alive():
            found[each.process] = _ending(each)
    return found


def _ending(process: ProcessState) -> signal.Signals:
    return signal.SIGINT if process.name == POSTGRES else signal.SIGTERM
