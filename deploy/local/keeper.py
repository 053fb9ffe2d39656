"""Keeps one process of the stack running until it is asked to stop."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from deploy.local.identity import ProcessIdentity
from deploy.local.service import CannotStartError, NotReadyError, Service
from deploy.local.state import ProcessState, Status

FIRST_BACKOFF_SECONDS = 0.2
LONGEST_BACKOFF_SECONDS = 5.0
STEADY_AFTER_SECONDS = 10.0
FIRST_PROBE_SECONDS = 0.05
LONGEST_PROBE_SECONDS = 0.25
KILL_SECONDS = 10.0
LARGEST_LOG_BYTES = 20 * 1024 * 1024
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


class Keeper:
    """Starts a service, tells when it is ready, and starts it again whenever it ends.

    Two starts are 0.2 s apart, then twice as long each time up to 5 s; a process that ran for
    ten seconds begins at 0.2 s again. `changed` is called on every change of `state`.
    """

    def __init__(self, service: Service, changed: Callable[[], None]) -> None:
        self.service = service
        self.state = ProcessState(
            name=service.name,
            kind=service.kind,
            status="waiting",
            since=datetime.now(UTC),
            log=service.log,
            ports=dict(service.ports),
        )
        self._changed = changed
        self._stopping = asyncio.Event()
        self._running = asyncio.create_task(self._run(), name=f"keeper of {service.name}")

    async def stop(self) -> None:
        """Returns once the process is gone."""
        self._stopping.set()
        await self._running

    async def _run(self) -> None:
        backoff = FIRST_BACKOFF_SECONDS
        while not self._stopping.is_set():
            began = asyncio.get_running_loop().time()
            try:
                await self._run_once()
            except (CannotStartError, OSError, subprocess.SubprocessError) as problem:
                restarts = self.state.restarts + 1
                self._tell("waiting", process=None, restarts=restarts, problem=str(problem))
            ran_seconds = asyncio.get_running_loop().time() - began
            if ran_seconds >= STEADY_AFTER_SECONDS:
                backoff = FIRST_BACKOFF_SECONDS
            await self._pause(backoff)
            backoff = min(backoff * 2, LONGEST_BACKOFF_SECONDS)
        self._tell("stopped", process=None)

    async def _run_once(self) -> None:
        """One life of the process, from its preparation to its end."""
        if self.service.prepare:
            self._tell("preparing", process=None)
            await asyncio.to_thread(self.service.prepare)
        if self._stopping.is_set():
            return
        process = await self._spawn()
        self._tell("starting", process=ProcessIdentity.of(process.pid))
        ended = asyncio.create_task(process.wait())
        asked = asyncio.create_task(self._stopping.wait())
        probe = asyncio.create_task(self._probe_until_ready())
        try:
            await asyncio.wait({ended, asked}, return_when=asyncio.FIRST_COMPLETED)
            probe.cancel()
            if not ended.done():
                await self._end(process, ended)
                return
            self._tell_of_unasked_end(ended.result())
        finally:
            for task in (probe, asked):
                task.cancel()
            await asyncio.gather(probe, asked, return_exceptions=True)

    async def _spawn(self) -> asyncio.subprocess.Process:
        service = self.service
        service.log.parent.mkdir(parents=True, exist_ok=True)
        turn_over_large_log(service.log)
        account = service.account
        with service.log.open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *service.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=service.folder,
                env={**os.environ, **service.environment},
                start_new_session=True,
                user=account.uid if account else None,
                group=account.gid if account else None,
                extra_groups=[] if account else None,
                preexec_fn=_ends_with_its_parent(service.stop_signal),
            )

    async def _probe_until_ready(self) -> None:
        pause = FIRST_PROBE_SECONDS
        while True:
            try:
                await self.service.ready()
            except NotReadyError:
                await asyncio.sleep(pause)
                pause = min(pause * 1.2, LONGEST_PROBE_SECONDS)
            else:
                self._tell("ready", problem=None)
                return

    async def _end(self, process: asyncio.subprocess.Process, ended: asyncio.Task[int]) -> None:
        self._tell("stopping")
        _signal_group(process.pid, self.service.stop_signal, everyone=False)
        try:
            code = await asyncio.wait_for(asyncio.shield(ended), self.service.stop_seconds)
        except TimeoutError:
            _signal_group(process.pid, signal.SIGKILL, everyone=True)
            code = await asyncio.wait_for(ended, KILL_SECONDS)
        else:
            _signal_group(process.pid, signal.SIGKILL, everyone=True)
            if self.service.after_clean_stop:
                await asyncio.to_thread(self.service.after_clean_stop)
        self._tell("stopped", process=None, last_exit=described_exit(code))

    def _tell_of_unasked_end(self, code: int) -> None:
        exit_ = described_exit(code)
        if self.state.process:
            _signal_group(self.state.process.pid, signal.SIGKILL, everyone=True)
        self._tell(
            "waiting",
            process=None,
            restarts=self.state.restarts + 1,
            last_exit=exit_,
            problem=f"ended by itself ({exit_}) and is started again",
        )

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return

    def _tell(self, status: Status, **changes: object) -> None:
        changes = {"status": status, "since": datetime.now(UTC), **changes}
        self.state = self.state.model_copy(update=changes)
        self._changed()


def described_exit(code: int) -> str:
    """`exit 1`, or `killed by SIGKILL` for the negative code of a signal."""
    if code >= 0:
        return f"exit {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"


def turn_over_large_log(log: Path) -> None:
    """A log over 20 MiB becomes `NAME.log.1`, in the place of the one before."""
    try:
        if log.stat().st_size > LARGEST_LOG_BYTES:
            log.replace(log.with_name(f"{log.name}.1"))
    except FileNotFoundError:
        return


def _signal_group(leader: int, number: signal.Signals, *, everyone: bool) -> None:
    """To the process, or to it and all that it started; they are its process group."""
    try:
        if everyone:
            os.killpg(leader, number)
        else:
            os.kill(leader, number)
    except (ProcessLookupError, PermissionError):
        return  # it ended in between


def _ends_with_its_parent(number: signal.Signals) -> Callable[[], None] | None:
    """Asks the kernel to send the signal to the process once the supervisor is gone."""
    if _LIBC is None:
        return None
    libc = _LIBC

    def ask_the_kernel() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, int(number))

    return ask_the_kernel
