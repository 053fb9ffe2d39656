"""The clock that every process is given; `REVOPS_CLOCK__AS_OF` fixes it (guarantee 9)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class Clock:
    """Business time may stand still; wall time measures latency and waits."""

    as_of: datetime | None = None

    def now(self) -> datetime:
        """The moment that rules and timers judge by, UTC."""
        return self.as_of or self.wall()

    def wall(self) -> datetime:
        """The machine's time, UTC."""
        return datetime.now(UTC)
