"""What the supervisor must know of a process to run it."""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from deploy.local.unprivileged import Account

Probe = Callable[[], Awaitable[None]]


class NotReadyError(Exception):
    """The process runs but does not answer yet as it should; tried again until it does."""


class CannotStartError(Exception):
    """The process cannot be started as things are; the message says how to mend it."""


async def ready_at_once() -> None:
    """For a process that has no better sign of life than that it runs."""


@dataclass(frozen=True, slots=True)
class Service:
    """A process of the stack.

    `prepare` makes its data (it runs in a thread before every start and must return soon when
    there is nothing to make; raises CannotStartError). `ready` raises NotReadyError until the
    process does its work. `after_clean_stop` runs once it ended on `stop_signal`.
    """

    name: str
    kind: Literal["infrastructure", "worker"]
    command: tuple[str, ...]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    ports: Mapping[str, int] = field(default_factory=dict)
    folder: Path = Path("/")
    account: Account | None = None
    prepare: Callable[[], None] | None = None
    ready: Probe = ready_at_once
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 20.0
    after_clean_stop: Callable[[], None] | None = None

    def runs_as(self, other: Service) -> bool:
        """Whether a process of `other` need not be restarted to be one of this."""
        return (self.command, dict(self.environment)) == (other.command, dict(other.environment))
