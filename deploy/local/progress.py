"""What a person sees while the stack comes up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class StepProgress:
    """How far one step is: `done` of `total` parts; `detail` is the part just finished."""

    step: str
    done: int
    total: int
    detail: str = ""


class Progress(Protocol):
    """Told of every step; called from one thread at a time."""

    def __call__(self, progress: StepProgress, /) -> None: ...


def silent(progress: StepProgress, /) -> None:
    """Shows nothing."""
