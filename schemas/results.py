"""How the handling of one record ends: done, or rejected with a reason (design.md section 3)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Done:
    """The record's effects are durable; its offset may be committed."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """The record is bad data. It becomes one dead letter; its neighbours go on.

    `reason` is a short stable code (`invalid_json`, `missing_key`, `wrong_type` ...), `field` the
    offending field or None, `detail` tells a person what is wrong and what to do about it.
    """

    reason: str
    field: str | None = None
    detail: str = ""


Outcome = Done | Rejected

DONE = Done()


class Retryable(Exception):  # noqa: N818 - it names a state of the world, not a programming error
    """A dependency is away or a lock was lost: nothing is wrong with the record, try again."""
