"""What a person sees while the stack comes up."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import TaskID


@dataclass(frozen=True, slots=True)
class StepProgress:
    """How far one step is: `done` of `total` parts; `detail` is its state or the part just done."""

    step: str
    done: int
    total: int
    detail: str = ""


class Progress(Protocol):
    """Told of every step; called from one thread."""

    def __call__(self, progress: StepProgress, /) -> None: ...


def silent(progress: StepProgress, /) -> None:
    """Shows nothing."""


@contextlib.contextmanager
def shown_on(console: Console) -> Iterator[Progress]:
    """A line with a bar for every step; lines that are done stay."""
    from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (
        SpinnerColumn(finished_text="[green]✓"),
        TextColumn("{task.description:<10}"),
        BarColumn(bar_width=30),
        TimeElapsedColumn(),
        TextColumn("[dim]{task.fields[detail]}"),
    )
    lines: dict[str, TaskID] = {}
    with Bars(*columns, console=console) as bars:

        def show(progress: StepProgress, /) -> None:
            if progress.step not in lines:
                lines[progress.step] = bars.add_task(progress.step, detail="")
            bars.update(
                lines[progress.step],
                completed=progress.done,
                total=progress.total,
                detail=progress.detail,
            )

        yield show
