"""Waiting for a condition instead of sleeping."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

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
