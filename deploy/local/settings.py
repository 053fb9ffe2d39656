"""What can be chosen about the local stack, and where everything of it lies."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, field_validator

CHECKOUT = Path(__file__).resolve().parents[2]
HOST = "127.0.0.1"

KAFKA = "kafka"
CONNECT = "connect"
POSTGRES = "postgres"
KAFKA_UI = "kafka-ui"
INFRASTRUCTURE = (POSTGRES, KAFKA, CONNECT)

WORKER_PORTS_FROM = 10
PORTS_PER_STACK = 40


def user_cache() -> Path:
    """This user's folder of things that can be had again, shared by all checkouts."""
    named = os.environ.get("XDG_CACHE_HOME")
    return (Path(named) if named else Path.home() / ".cache") / "revops"


class LocalSettings(BaseModel):
    """One local stack: two with other `data_dir` and `port_base` run side by side.

    A stack listens on `port_base` and the 39 ports above it, on the loopback address alone.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    data_dir: Path = Field(
        default=CHECKOUT / ".revops",
        validate_default=True,
        description="Folder of the stack's data, logs, passwords and state.",
    )
    port_base: int = Field(
        default=29000,
        ge=1024,
        le=65535 - PORTS_PER_STACK,
        description="First of the 40 ports that the stack may use.",
    )
    cache_dir: Path = Field(
        default_factory=user_cache,
        description="Folder of downloaded archives, shared by all checkouts of the user.",
    )
    kafka_heap_megabytes: int = Field(default=384, ge=128, description="Java heap of the broker.")
    connect_heap_megabytes: int = Field(
        default=384, ge=128, description="Java heap of Kafka Connect."
    )
    java_learns: bool = Field(
        default=True,
        description="Whether the first run of the stack writes down, when it ends, what lets "
        "Java start faster from then on; it ends some seconds later for it.",
    )
    postgres_shared_buffers_megabytes: int = Field(
        default=128, ge=16, description="PostgreSQL's own page cache."
    )
    postgres_max_connections: int = Field(
        default=200, ge=20, description="Connections that PostgreSQL accepts."
    )
    start_timeout_seconds: float = Field(
        default=180.0, gt=0, description="How long a start may take before it counts as failed."
    )

    @field_validator("data_dir", "cache_dir")
    @classmethod
    def absolute(cls, path: Path) -> Path:
        return path.expanduser().absolute()

    @property
    def ports(self) -> PortPlan:
        return PortPlan(self.port_base)

    @property
    def files(self) -> StackFiles:
        return StackFiles(self.data_dir)

    def to_file(self, path: Path) -> None:
        path.write_text(self.model_dump_json(indent=2), "utf-8")

    @classmethod
    def from_file(cls, path: Path) -> Self:
        return cls.model_validate_json(path.read_text("utf-8"))


@dataclass(frozen=True, slots=True)
class PortPlan:
    """Which port of the stack is whose."""

    base: int

    @property
    def kafka(self) -> int:
        return self.base

    @property
    def kafka_controller(self) -> int:
        return self.base + 1

    @property
    def connect(self) -> int:
        return self.base + 2

    @property
    def postgres(self) -> int:
        return self.base + 3

    @property
    def kafka_ui(self) -> int:
        return self.base + 4

    def worker(self, index: int) -> int:
        """The port on which the `index`-th worker process (from 0) tells its health.

        Raises ValueError beyond the 30 that a stack has.
        """
        port = self.base + WORKER_PORTS_FROM + index
        if not self.base + WORKER_PORTS_FROM <= port < self.base + PORTS_PER_STACK:
            raise ValueError(
                f"a local stack has ports for {PORTS_PER_STACK - WORKER_PORTS_FROM} workers, "
                f"not for number {index}"
            )
        return port

    def of(self, process: str) -> dict[str, int]:
        """The ports on which a process of the infrastructure listens, by what they are for."""
        return {
            KAFKA: {"kafka": self.kafka, "controller": self.kafka_controller},
            CONNECT: {"rest": self.connect},
            POSTGRES: {"postgres": self.postgres},
            KAFKA_UI: {"web": self.kafka_ui},
        }.get(process, {})


@dataclass(frozen=True, slots=True)
class StackFiles:
    """Where the files of a stack lie in its data folder."""

    root: Path

    @property
    def settings(self) -> Path:
        return self.root / "settings.json"

    @property
    def state(self) -> Path:
        return self.root / "state.json"

    @property
    def wanted(self) -> Path:
        return self.root / "wanted.json"

    @property
    def lock(self) -> Path:
        return self.root / "supervisor.lock"

    @property
    def caller_lock(self) -> Path:
        return self.root / "caller.lock"

    @property
    def passwords(self) -> Path:
        return self.root / "passwords.json"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    def log(self, process: str) -> Path:
        return self.logs / f"{process}.log"

    @property
    def kafka(self) -> Path:
        return self.root / "kafka"

    @property
    def connect(self) -> Path:
        return self.root / "connect"

    @property
    def postgres(self) -> Path:
        return self.root / "postgres"
