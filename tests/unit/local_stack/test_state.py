"""The files between supervisor and callers, the passwords, the unprivileged account, the logs."""

from __future__ import annotations

import os
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deploy.local.identity import ProcessIdentity
from deploy.local.keeper import LARGEST_LOG_BYTES, described_exit, turn_over_large_log
from deploy.local.passwords import password_of
from deploy.local.settings import LocalSettings
from deploy.local.stack import LocalStack, worker_command
from deploy.local.state import ProcessState, StackState, Wanted, read_whole, write_whole
from deploy.local.unprivileged import Account, reachable_folder

GONE = ProcessIdentity(pid=1, birth="of another boot")


def test_written_state_is_read_back(tmp_path: Path) -> None:
    wanted = Wanted(infrastructure=("kafka",), workers=(worker_command("normalise", {"A": "b"}),))
    write_whole(tmp_path / "wanted.json", wanted)
    assert read_whole(tmp_path / "wanted.json", Wanted) == wanted
    assert stat.S_IMODE((tmp_path / "wanted.json").stat().st_mode) == 0o600


@pytest.mark.parametrize("content", ["", "{", '{"workers": 3}', '{"surprise": 1}'])
def test_damaged_state_file_counts_as_none(tmp_path: Path, content: str) -> None:
    path = tmp_path / "wanted.json"
    path.write_text(content, "utf-8")
    assert read_whole(path, Wanted) is None
    assert read_whole(tmp_path / "absent.json", Wanted) is None


def test_state_of_a_dead_supervisor_says_that_nothing_runs(tmp_path: Path) -> None:
    settings = LocalSettings(data_dir=tmp_path)
    kafka = ProcessState(
        name="kafka",
        kind="infrastructure",
        status="ready",
        since=datetime(2026, 1, 1, tzinfo=UTC),
        log=tmp_path / "kafka.log",
        process=GONE,
    )
    write_whole(
        settings.files.state,
        StackState(data_dir=tmp_path, port_base=29000, supervisor=GONE, processes=(kafka,)),
    )
    state = LocalStack(settings).state()
    assert not state.running
    assert not state.is_ready("kafka")
    assert [each.status for each in state.processes] == ["stopped"]


def test_stack_that_never_ran_has_no_processes(tmp_path: Path) -> None:
    stack = LocalStack(LocalSettings(data_dir=tmp_path / "new"))
    assert stack.state().processes == ()
    stack.down()
    assert not (tmp_path / "new").exists()


def test_dsn_holds_the_password_of_its_role(tmp_path: Path) -> None:
    stack = LocalStack(LocalSettings(data_dir=tmp_path, port_base=21000))
    password = stack.password_of("revops_app")
    assert stack.postgres_dsn("revops", "revops_app") == (
        f"postgresql://revops_app:{password}@127.0.0.1:21003/revops"
    )


def test_each_role_keeps_a_password_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "passwords.json"
    first, second = password_of(path, "postgres"), password_of(path, "revops_app")
    assert first != second
    assert (password_of(path, "postgres"), len(first)) == (first, 32)


@pytest.mark.parametrize(
    ("code", "text"),
    [(0, "exit 0"), (3, "exit 3"), (-9, "killed by SIGKILL"), (-250, "killed by signal 250")],
)
def test_exit_is_told_in_words(code: int, text: str) -> None:
    assert described_exit(code) == text


def test_large_log_is_turned_over_once(tmp_path: Path) -> None:
    log = tmp_path / "kafka.log"
    log.write_text("small", "utf-8")
    turn_over_large_log(log)
    assert log.exists()
    os.truncate(log, LARGEST_LOG_BYTES + 1)
    turn_over_large_log(log)
    assert not log.exists()
    assert (tmp_path / "kafka.log.1").stat().st_size == LARGEST_LOG_BYTES + 1


def test_folder_that_the_account_cannot_reach_is_replaced(tmp_path: Path) -> None:
    stranger = Account(uid=os.geteuid() + 4711, gid=os.getegid() + 4711)
    closed = tmp_path / "home"
    closed.mkdir(mode=0o700)
    assert not stranger.can_reach(closed / "checkout")
    assert reachable_folder(closed / "checkout" / "postgres", stranger).parts[:3] == (
        "/",
        "var",
        "lib",
    )


def test_ordinary_user_keeps_the_folder(tmp_path: Path) -> None:
    assert reachable_folder(tmp_path / "postgres", None) == tmp_path / "postgres"
