"""When a delivery that failed is tried again (Standard Webhooks specification, "Retry schedule")."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

RETRY_AFTER = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
"""The waits after the first, second ... attempt: a little over three days in all."""

_JITTER = 0.1
_LONGEST_WAIT = timedelta(hours=24)


def next_attempt(
    delivery_id: str, attempts: int, now: datetime, asked: timedelta | None = None
) -> datetime | None:
    """When to try again after so many attempts; None when it is time to give up.

    `asked` is what the target itself wants (Retry-After), heeded up to a day. The wait is up to a tenth
    longer, other for each delivery, so that a target that comes back is not overrun.
    """
    if attempts > len(RETRY_AFTER):
        return None
    wait = RETRY_AFTER[attempts - 1]
    if asked is not None:
        wait = max(wait, min(asked, _LONGEST_WAIT))
    digest = hashlib.sha256(f"{delivery_id}/{attempts}".encode()).digest()
    return now + wait * (1 + _JITTER * digest[0] / 255)
