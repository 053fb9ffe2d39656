"""A process is known by its number and its birth, so a reused number is nobody's."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.identity import (
    STACK_MARK,
    ProcessIdentity,
    marked_processes,
    wait_until_gone,
)

WAITER = [sys.executable, "-c", "import signal; signal.pause()"]


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(WAITER) as process:
        yield process
        process.kill()


def test_own_identity_is_alive() -> None:
    assert ProcessIdentity.own().pid == os.getpid()
    assert ProcessIdentity.own().is_alive()


def test_identity_of_no_process_is_none(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.wait()
    assert ProcessIdentity.of(child.pid) is None


def test_zombie_counts_as_gone(child: subprocess.Popen[bytes]) -> None:
    identity = ProcessIdentity.of(child.pid)
    assert identity
    child.kill()
    assert wait_until_gone([identity], 10) == []  # not waited for yet: a zombie
    assert child.returncode is None


def test_reused_number_is_not_signalled(child: subprocess.Popen[bytes]) -> None:
    earlier = ProcessIdentity(pid=child.pid, birth="of a process before")
    assert not earlier.is_alive()
    assert not earlier.send(signal.SIGKILL)
    assert child.poll() is None


def test_living_process_is_signalled(child: subprocess.Popen[bytes]) -> None:
    identity = ProcessIdentity.of(child.pid)
    assert identity
    assert identity.send(signal.SIGTERM)
    assert child.wait(10) == -signal.SIGTERM


def test_wait_names_those_that_stay(child: subprocess.Popen[bytes]) -> None:
    identity = ProcessIdentity.of(child.pid)
    assert identity
    assert wait_until_gone([identity], 0.05) == [identity]


def test_marked_processes_are_found_by_their_stack(tmp_path: Path) -> None:
    with subprocess.Popen(WAITER, env={**os.environ, STACK_MARK: str(tmp_path)}) as process:
        found = list(marked_processes(tmp_path))
        other = list(marked_processes(tmp_path / "other"))
        process.kill()
    assert [each.pid for each in found] == [process.pid]
    assert other == []
