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
    condition: Callable[[], Awaitable[Found] | Found],
    what: str | Callable[[], str],
    seconds: float = 90.0,
    *,
    every: float = 0.05,
) -> Found:
    """The first true answer of a function or coroutine function, asked `every` so many seconds.

    An outage counts as a false answer. AssertionError naming `what` when time is up.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            answer = condition()
            found = await answer if isinstance(answer, Awaitable) else answer
            if found:
                return found
            problem = ""
        except (Retryable, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as outage:
            problem = f" ({outage})"
        if time.monotonic() >= deadline:
            told = what if isinstance(what, str) else what()
            raise AssertionError(f"waited {seconds:.0f} s in vain: {told}{problem}")
        await asyncio.sleep(every)
