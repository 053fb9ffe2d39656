"""What the supervisor is asked to run and what it says that runs: two small files.

`wanted.json` is written by whoever asks (`stack.LocalStack`), `state.json` by the supervisor.
Both are replaced whole, so a reader never sees half of one.
"""

from __future__ import annotations

import os
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from deploy.local.identity import ProcessIdentity

Model = TypeVar("Model", bound=BaseModel)
Status = Literal["preparing", "starting", "ready", "waiting", "stopping", "stopped"]


class WorkerCommand(BaseModel):
    """A worker process that the supervisor keeps running.

    `environment` is added to the supervisor's own. With `ready_url` the worker counts as ready
    once that address answers 2xx, else as soon as it runs.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    command: tuple[str, ...]
    environment: dict[str, str] = {}
    ready_url: str | None = None


class Wanted(BaseModel):
    """What should run; a process whose entry changes is restarted with the new one.

    With `owner` the whole stack stops when that process is gone, however it ended. `revision`
    rises with every change.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    revision: int = 1
    infrastructure: tuple[str, ...] = ()
    workers: tuple[WorkerCommand, ...] = ()
    owner: ProcessIdentity | None = None


class ProcessState(BaseModel):
    """One process as the supervisor sees it.

    status: `preparing` (its data is being made), `starting` (runs, not yet ready), `ready`,
    `waiting` (it ended or could not start, `problem` says why, and is tried again), `stopping`,
    `stopped`. `restarts` counts the ends that nobody asked for and the starts that failed.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    kind: Literal["infrastructure", "worker"]
    status: Status
    since: datetime
    log: Path
    process: ProcessIdentity | None = None
    ports: dict[str, int] = {}
    restarts: int = 0
    last_exit: str | None = None
    problem: str | None = None


class StackState(BaseModel):
    """All processes of a stack; `supervisor` is None where none runs.

    `revision` is that of the wish that the supervisor has taken up last.
    """

    model_config = ConfigDict(frozen=True)

    data_dir: Path
    port_base: int
    revision: int = 0
    supervisor: ProcessIdentity | None = None
    processes: tuple[ProcessState, ...] = ()

    @property
    def running(self) -> bool:
        return self.supervisor is not None

    def process(self, name: str) -> ProcessState | None:
        return next((each for each in self.processes if each.name == name), None)

    def is_ready(self, name: str) -> bool:
        found = self.process(name)
        return found is not None and found.status == "ready"


def write_whole(path: Path, model: BaseModel, *, mode: int = 0o600) -> None:
    """`path` holds the model as JSON; readers see the old file or the new one, never a part."""
    handle, partial = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(model.model_dump_json(indent=2))
        os.chmod(partial, mode)
        os.replace(partial, path)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise


def read_whole(path: Path, model: type[Model]) -> Model | None:
    """What `path` holds, or None where it is missing or is not such a model."""
    try:
        return model.model_validate_json(path.read_text("utf-8"))
    except (FileNotFoundError, ValidationError):
        return None
