"""Which process is meant, also after its number went to another one.

The kernel reuses process numbers quickly, so every number is kept with the birth of its process
and nothing is signalled whose birth differs.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import psutil
from pydantic import BaseModel, ConfigDict

STACK_MARK = "REVOPS_LOCAL_STACK"
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_POLL_SECONDS = 0.02


class ProcessIdentity(BaseModel):
    """A process number and the birth of the process that had it.

    `birth` is opaque: the boot and the clock tick of the start where the kernel tells them,
    which no change of the wall clock moves.
    """

    model_config = ConfigDict(frozen=True)

    pid: int
    birth: str

    @classmethod
    def of(cls, pid: int) -> ProcessIdentity | None:
        """Of the process that has this number now; None where none has, or it is a zombie."""
        birth = _birth(pid)
        return None if birth is None else cls(pid=pid, birth=birth)

    @classmethod
    def own(cls) -> ProcessIdentity:
        """Of the process that asks."""
        found = cls.of(os.getpid())
        if found is None:
            raise RuntimeError("the system does not tell when this process started")
        return found

    def is_alive(self) -> bool:
        return _birth(self.pid) == self.birth

    def send(self, number: signal.Signals) -> bool:
        """Whether the signal went to that very process."""
        if not self.is_alive():
            return False
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            return False
        return True


def wait_until_gone(processes: Iterable[ProcessIdentity], seconds: float) -> list[ProcessIdentity]:
    """Those that are still there after `seconds`; returns as soon as all are gone."""
    left = [each for each in processes if each.is_alive()]
    deadline = time.monotonic() + seconds
    while left and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
        left = [each for each in left if each.is_alive()]
    return left


def marked_processes(data_dir: Path) -> Iterator[ProcessIdentity]:
    """Every process that was started for the stack of `data_dir`, its own children included.

    They carry the stack's mark in their environment. Processes of other users, whose
    environment may not be read, are passed over.
    """
    for process in psutil.process_iter():
        try:
            mark = process.environ().get(STACK_MARK)
        except (psutil.Error, OSError):
            continue
        if mark == str(data_dir) and (found := ProcessIdentity.of(process.pid)):
            yield found


def _birth(pid: int) -> str | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None if Path("/proc/self/stat").exists() else _birth_elsewhere(pid)
    state, *fields = stat.rpartition(")")[2].split()
    if state in {"Z", "X"}:
        return None
    return f"{_boot()}-{fields[18]}"  # field 22 of proc(5): clock ticks from boot to start


def _boot() -> str:
    try:
        return _BOOT_ID.read_text("ascii").strip()
    except FileNotFoundError:
        return "boot"


def _birth_elsewhere(pid: int) -> str | None:
    """Where there is no /proc: the wall clock's time of the start."""
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else str(process.create_time())
    except psutil.Error:
        return None
