"""What a command took as a process of its own: wall time, CPU time, memory at its largest."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Usage:
    """Seconds on the wall clock, seconds of CPU (all threads), and the largest resident memory."""

    wall_seconds: float
    cpu_seconds: float
    peak_mib: float


def usage_of(module: str, arguments: Sequence[str]) -> Usage:
    """Run `python -m module arguments` to its end; raises CalledProcessError where it fails."""
    command = [sys.executable, "-m", module, *arguments]
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, resources = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Usage(wall, resources.ru_utime + resources.ru_stime, resources.ru_maxrss / 1024.0)
