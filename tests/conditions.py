"""Waiting for a condition instead of sleeping."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import asyncpg

from schemas.results import Retryable

Found = TypeVar("Found")
_NEVER = threading.Event()


def eventually(condition: Callable[[], Found], what: str, seconds: float = 60.0) -> Found:
    """The first true answer of `condition`; AssertionError naming `what` when time is up."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s in vain: {what}"
        _NEVER.wait(0.02)


async def comes_true(
    condition: Callable[[], Awaitable[Found]], what: str, seconds: float, *, every: float = 0.1
) -> Found:
    """The first true answer of a coroutine function, asked `every` so many seconds.

    An outage counts as a false answer. AssertionError naming `what` when time is up.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            if found := await condition():
                return found
            problem = ""
        except (Retryable, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as outage:
            problem = f" ({outage})"
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s in vain: {what}{problem}"
        await asyncio.sleep(every)
