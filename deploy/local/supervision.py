"""The supervisor as seen from another process: start it, tell it what is wanted, wait, end it."""

from __future__ import annotations

import contextlib
import fcntl
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from deploy.local.identity import ProcessIdentity, wait_until_gone
from deploy.local.orphans import end_orphans
from deploy.local.progress import Progress, StepProgress
from deploy.local.settings import CHECKOUT, LocalSettings
from deploy.local.state import ProcessState, StackState, Wanted, read_whole, write_whole
from deploy.local.supervisor import AnotherSupervisorError, hold_lock

SUPERVISOR = "supervisor"
LOOK_EVERY_SECONDS = 0.03
SUPERVISOR_START_SECONDS = 60.0
STOP_TIMEOUT_SECONDS = 300.0
KILL_TIMEOUT_SECONDS = 10.0
FAILED_STARTS_ALLOWED = 3
LOG_LINES_SHOWN = 15
LONGEST_LOG_LINE = 300


class StackError(RuntimeError):
    """The stack cannot do what was asked; the message says why and what to do next."""


class Supervision:
    """Control of the one supervisor that a data folder may have."""

    def __init__(self, settings: LocalSettings) -> None:
        self.settings = settings
        self.files = settings.files
        self._started: subprocess.Popen[bytes] | None = None  # kept to collect its exit status

    def state(self) -> StackState:
        """What runs now, by the word of the supervisor if one lives."""
        found = read_whole(self.files.state, StackState)
        if found is None:
            settings = self.settings
            return StackState(data_dir=settings.data_dir, port_base=settings.port_base)
        if found.supervisor and found.supervisor.is_alive():
            return found
        left = tuple(_as_left(process) for process in found.processes)
        return found.model_copy(update={"supervisor": None, "processes": left})

    def make_folder(self) -> None:
        """The data folder is there; others may pass through it, as PostgreSQL must, not look."""
        self.files.root.mkdir(mode=0o711, parents=True, exist_ok=True)
        self.files.logs.mkdir(mode=0o700, exist_ok=True)

    @contextlib.contextmanager
    def one_caller_at_a_time(self) -> Iterator[None]:
        """Two commands never change a stack at once: the second waits. Raises StackError."""
        self.make_folder()
        with self.files.caller_lock.open("a") as file:
            deadline = time.monotonic() + STOP_TIMEOUT_SECONDS
            while not _locked(file.fileno()):
                if time.monotonic() > deadline:
                    raise StackError(
                        f"another command has been busy with {self.settings.data_dir} for "
                        f"{STOP_TIMEOUT_SECONDS:.0f} s: let it end or stop it"
                    )
                time.sleep(LOOK_EVERY_SECONDS)
            yield

    def start(self, wanted: Wanted) -> None:
        """A supervisor runs in the background and works on what is wanted. Raises StackError."""
        self.settings.to_file(self.files.settings)
        write_whole(self.files.wanted, wanted)
        with self.files.log(SUPERVISOR).open("ab") as log:
            self._started = subprocess.Popen(
                [sys.executable, "-m", "deploy.local.supervisor", str(self.settings.data_dir)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=CHECKOUT,
                start_new_session=True,
            )
        self._wait(lambda state: state.running, "the supervisor to start", SUPERVISOR_START_SECONDS)

    def wanted(self) -> Wanted:
        """What the supervisor was last asked to run. Raises StackError where none runs."""
        if not self.state().running:
            raise StackError(f"no stack runs in {self.settings.data_dir}: start it (`revops up`)")
        return read_whole(self.files.wanted, Wanted) or Wanted()

    def want(self, **changes: object) -> None:
        """Tells the supervisor what else should run from now on: fields of `Wanted`."""
        wanted = self.wanted()
        changes = {"revision": wanted.revision + 1, **changes}
        write_whole(self.files.wanted, wanted.model_copy(update=changes))

    def refuse_other_settings(self) -> None:
        """Raises StackError when the stack that runs was started with other settings."""
        running = read_whole(self.files.settings, LocalSettings) or self.settings
        ours = self.settings.model_dump()
        changed = [name for name, value in running.model_dump().items() if value != ours[name]]
        if changed:
            raise StackError(
                f"the stack in {self.settings.data_dir} runs with another {', '.join(changed)}: "
                "stop it first (`revops down`) or choose another REVOPS_LOCAL__DATA_DIR"
            )

    def wait_until_ready(self, names: Iterable[str], progress: Progress) -> StackState:
        """All of these answer. Raises StackError once one fails or time is up."""
        names = tuple(names)
        before = {each.name: each.restarts for each in self.state().processes}
        told: dict[str, str] = {}

        def all_ready(state: StackState) -> bool:
            for process in state.processes:
                if process.name not in names:
                    continue
                if told.get(process.name) != process.status:
                    told[process.name] = process.status
                    done = int(process.status == "ready")
                    progress(StepProgress(process.name, done, 1, process.status))
                if process.restarts - before.get(process.name, 0) >= FAILED_STARTS_ALLOWED:
                    raise StackError(self._why_not(process))
            return all(state.is_ready(name) for name in names)

        return self._wait(all_ready, ", ".join(names), self.settings.start_timeout_seconds)

    def wait_until_absent(self, names: Iterable[str]) -> StackState:
        """None of these runs any more. Raises StackError when time is up."""
        names = tuple(names)
        return self._wait(
            lambda state: all(state.process(name) is None for name in names),
            f"{', '.join(names)} to stop",
            STOP_TIMEOUT_SECONDS,
        )

    def end(self) -> None:
        """Neither the supervisor nor anything that it or an earlier one started runs.

        Raises StackError, StillRunningError.
        """
        supervisor = self.state().supervisor
        if supervisor:
            self._end_supervisor(supervisor)
        try:
            lock = hold_lock(self.files.lock)
        except AnotherSupervisorError as alive:
            raise StackError(
                f"the supervisor of {self.settings.data_dir} does not end: "
                f"end it as the user who started it; its log is {self.files.log(SUPERVISOR)}"
            ) from alive
        with lock:
            end_orphans(self.settings.data_dir)
            self.files.wanted.unlink(missing_ok=True)
            write_whole(self.files.state, self.state())

    def last_log_lines(self, process: str, count: int = LOG_LINES_SHOWN) -> list[str]:
        """The end of the log of a process; empty where there is none."""
        return last_lines(self.files.log(process), count)

    def _end_supervisor(self, supervisor: ProcessIdentity) -> None:
        supervisor.send(signal.SIGTERM)
        if wait_until_gone([supervisor], STOP_TIMEOUT_SECONDS):
            supervisor.send(signal.SIGKILL)
            wait_until_gone([supervisor], KILL_TIMEOUT_SECONDS)
        if self._started:
            self._started.poll()

    def _wait(self, done: Callable[[StackState], bool], what: str, seconds: float) -> StackState:
        deadline = time.monotonic() + seconds
        wanted = read_whole(self.files.wanted, Wanted) or Wanted()
        seen_running = False
        while True:
            state = self.state()
            if state.revision == wanted.revision and done(state):
                return state
            seen_running = seen_running or state.running
            self._refuse_dead_supervisor(state, seen_running=seen_running)
            if time.monotonic() > deadline:
                slow = [each for each in state.processes if each.status != "ready"]
                told = "\n".join(self._why_not(each) for each in slow)
                raise StackError(f"waited {seconds:.0f} s for {what}\n{told}".rstrip())
            time.sleep(LOOK_EVERY_SECONDS)

    def _refuse_dead_supervisor(self, state: StackState, *, seen_running: bool) -> None:
        exited = self._started is not None and self._started.poll() not in {None, 0}
        if (seen_running and not state.running) or (exited and not state.running):
            raise StackError(
                f"the supervisor ended; its log {self.files.log(SUPERVISOR)} closes with\n"
                + "\n".join(self.last_log_lines(SUPERVISOR))
            )

    def _why_not(self, process: ProcessState) -> str:
        reason = process.problem or f"is {process.status} since {process.since:%H:%M:%S} UTC"
        lines = "\n".join(f"    {line}" for line in last_lines(process.log, LOG_LINES_SHOWN))
        return f"{process.name}: {reason}\n  its log {process.log} closes with\n{lines}"


def last_lines(path: Path, count: int) -> list[str]:
    """The last `count` lines of a text file; none where it is missing."""
    try:
        with path.open(encoding="utf-8", errors="replace") as lines:
            return [line.rstrip("\n")[:LONGEST_LOG_LINE] for line in deque(lines, count)]
    except FileNotFoundError:
        return []


def _as_left(process: ProcessState) -> ProcessState:
    """What is true of a process whose supervisor is gone."""
    if process.process and process.process.is_alive():
        return process
    return process.model_copy(update={"process": None, "status": "stopped"})


def _locked(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
