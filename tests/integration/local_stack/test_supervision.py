"""A supervisor keeps its processes running, and nothing outlives it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import psycopg
import pytest

from deploy.local.identity import ProcessIdentity, marked_processes, wait_until_gone
from deploy.local.ports import is_free
from deploy.local.settings import CHECKOUT, HOST, POSTGRES
from deploy.local.stack import StackError
from deploy.local.state import StackState, WorkerCommand, write_whole
from tests.conditions import eventually
from tests.integration.local_stack.conftest import SLEEPER, SmallStack, sleeping_worker
from tests.stack import own_stack

pytestmark = pytest.mark.stack


@pytest.mark.parametrize("name", [POSTGRES, "first"])
def test_supervisor_restarts_a_killed_process(small_stack: SmallStack, name: str) -> None:
    small_stack.up()
    killed = small_stack.processes()[name]
    killed.send(signal.SIGKILL)

    def came_back() -> bool:
        found = small_stack.local.state().process(name)
        return bool(found and found.status == "ready" and found.process != killed)

    eventually(came_back, f"{name} runs again")
    state = small_stack.local.state().process(name)
    assert state
    assert (state.restarts, state.last_exit) == (1, "killed by SIGKILL")


def test_postgres_keeps_its_rows_over_a_kill(small_stack: SmallStack) -> None:
    small_stack.up()
    dsn = small_stack.local.postgres_dsn("postgres")
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    small_stack.processes()[POSTGRES].send(signal.SIGKILL)
    restarted = eventually(
        lambda: (
            (found := small_stack.local.state().process(POSTGRES))
            and found.restarts
            and found.status == "ready"
        ),
        "PostgreSQL runs again",
    )
    assert restarted
    with psycopg.connect(dsn) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)


def test_killed_supervisor_takes_its_processes_along(small_stack: SmallStack) -> None:
    supervisor = small_stack.up().supervisor
    assert supervisor
    running = small_stack.everything_running()
    supervisor.send(signal.SIGKILL)
    assert wait_until_gone(running, 30) == []
    assert not small_stack.local.state().running


def test_up_after_a_killed_supervisor_runs_each_process_once(small_stack: SmallStack) -> None:
    before = small_stack.up()
    assert before.supervisor
    before.supervisor.send(signal.SIGKILL)
    wait_until_gone([before.supervisor], 10)
    after = small_stack.up()
    assert after.supervisor != before.supervisor
    parents = {
        psutil.Process(each.pid).ppid()
        for each in marked_processes(small_stack.local.settings.data_dir)
    }
    assert after.supervisor
    assert parents <= {after.supervisor.pid, small_stack.processes()[POSTGRES].pid}


def test_down_clears_away_what_a_killed_supervisor_left(small_stack: SmallStack) -> None:
    supervisor = small_stack.up(_worker_that_outlives_its_supervisor()).supervisor
    assert supervisor
    orphan = small_stack.processes()["stubborn"]
    supervisor.send(signal.SIGKILL)
    wait_until_gone([supervisor], 10)
    assert orphan.is_alive()
    small_stack.local.down()
    assert not orphan.is_alive()
    assert small_stack.everything_running() == []


def _worker_that_outlives_its_supervisor() -> WorkerCommand:
    ignores = f"import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n{SLEEPER}"
    return WorkerCommand(name="stubborn", command=(sys.executable, "-c", ignores))


def test_down_ends_a_worker_with_all_that_it_started(small_stack: SmallStack) -> None:
    starts_another = (
        f"import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', {SLEEPER!r}])"
    )
    small_stack.up(
        WorkerCommand(name="parent", command=(sys.executable, "-c", f"{starts_another}\n{SLEEPER}"))
    )
    parent = small_stack.processes()["parent"]
    (child,) = eventually(
        lambda: psutil.Process(parent.pid).children(), "the worker starts its own process"
    )
    small_stack.local.down()
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
    assert small_stack.everything_running() == []


def test_down_returns_only_when_the_ports_are_free(small_stack: SmallStack) -> None:
    small_stack.up()
    running = small_stack.everything_running()
    small_stack.local.down()
    assert [each for each in running if each.is_alive()] == []
    assert is_free(small_stack.local.settings.ports.postgres)
    assert small_stack.local.state().processes == ()


def test_stack_stops_when_its_owner_is_gone(small_stack: SmallStack) -> None:
    owner = subprocess.Popen([sys.executable, "-c", SLEEPER])
    identity = ProcessIdentity.of(owner.pid)
    assert identity
    small_stack.up(owner=identity)
    running = small_stack.everything_running()
    owner.kill()
    owner.wait()
    assert wait_until_gone(running, 30) == []


def test_supervisor_without_its_data_folder_stops_everything(small_stack: SmallStack) -> None:
    small_stack.up()
    running = small_stack.everything_running()
    shutil.rmtree(small_stack.local.settings.data_dir, ignore_errors=True)
    assert wait_until_gone(running, 30) == []


def test_supervisor_that_comes_too_late_for_its_stack_ends(small_stack: SmallStack) -> None:
    """It waits for the lock of another one; when it gets it, the stack has been taken down."""
    small_stack.up()
    data_dir = small_stack.local.settings.data_dir
    late = subprocess.Popen(
        [sys.executable, "-m", "deploy.local.supervisor", str(data_dir)], cwd=CHECKOUT
    )
    small_stack.local.down()
    assert late.wait(30) in {0, 1}
    assert small_stack.everything_running() == []


def test_stale_process_numbers_harm_no_other_program(small_stack: SmallStack) -> None:
    """A state file and a PostgreSQL lock of before a crash, whose numbers others now have."""
    state = small_stack.up()
    supervisor = state.supervisor
    assert supervisor
    small_stack.local.down()
    bystander = subprocess.Popen([sys.executable, "-c", SLEEPER])
    try:
        reused = ProcessIdentity(pid=bystander.pid, birth="another boot")
        stale = [each.model_copy(update={"process": reused}) for each in state.processes]
        write_whole(
            small_stack.local.settings.files.state,
            StackState.model_validate({**state.model_dump(), "processes": stale}),
        )
        lock = small_stack.local.settings.files.postgres / "data" / "postmaster.pid"
        lock.write_text(f"{bystander.pid}\n{lock.parent}\n", "ascii")
        small_stack.up()
        assert bystander.poll() is None
        small_stack.local.down()
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_changed_worker_restarts_and_the_others_run_on(small_stack: SmallStack) -> None:
    small_stack.up()
    before = small_stack.processes()
    small_stack.local.start_workers([sleeping_worker("first", "changed"), sleeping_worker("third")])
    after = small_stack.processes()
    assert after["first"] != before["first"]
    assert after["second"] == before["second"]
    assert after.keys() == {POSTGRES, "first", "second", "third"}


def test_stopped_worker_is_gone_and_the_others_run_on(small_stack: SmallStack) -> None:
    small_stack.up()
    before = small_stack.processes()
    small_stack.local.stop_workers(["first"])
    assert not before["first"].is_alive()
    assert small_stack.processes().keys() == {POSTGRES, "second"}


def test_worker_that_cannot_run_is_named_with_the_end_of_its_log(small_stack: SmallStack) -> None:
    small_stack.up()
    broken = WorkerCommand(
        name="broken",
        command=(sys.executable, "-c", "raise SystemExit('topics are missing')"),
        ready_url=f"http://{HOST}:{small_stack.local.settings.ports.worker(0)}/ready",
    )
    with pytest.raises(StackError, match=r"(?s)broken.*exit 1.*broken\.log.*topics are missing"):
        small_stack.local.start_workers([broken])


def test_port_that_another_program_holds_is_named(small_stack: SmallStack) -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        port = small_stack.local.settings.ports.postgres
        other.bind((HOST, port))
        other.listen()
        with pytest.raises(StackError, match=rf"port {port} .*REVOPS_LOCAL__PORT_BASE"):
            small_stack.up()


def test_running_stack_is_not_taken_over_with_other_ports(small_stack: SmallStack) -> None:
    small_stack.up()
    settings = small_stack.local.settings
    moved = settings.model_copy(update={"port_base": settings.port_base + 1})
    other = type(small_stack.local)(moved)
    with pytest.raises(StackError, match="port_base"):
        other.up_infrastructure()


def test_passwords_are_made_anew_and_only_their_owner_reads_them(small_stack: SmallStack) -> None:
    path: Path = small_stack.local.settings.files.passwords
    mine = small_stack.local.password_of("revops_app")
    with own_stack() as other:
        theirs = other.password_of("revops_app")
    assert mine == small_stack.local.password_of("revops_app")
    assert mine != theirs
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_two_who_start_at_once_get_one_stack(small_stack: SmallStack) -> None:
    with ThreadPoolExecutor(2) as threads:
        states = list(threads.map(lambda _: _up_in_its_own_way(small_stack), range(2)))
    assert states[0].supervisor == states[1].supervisor
    assert os.getpid() not in {each.pid for each in small_stack.everything_running()}


def _up_in_its_own_way(small_stack: SmallStack) -> StackState:
    return SmallStack(type(small_stack.local)(small_stack.local.settings)).up()
