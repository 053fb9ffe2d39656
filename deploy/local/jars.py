"""The Java archives of Kafka, Connect and Debezium: exactly those of the lock.

`kafka-jars.lock.json` names them by Maven coordinate, each with its sha256. They are kept in a
cache that all checkouts of this user share; `jar_download` fills it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from pydantic import BaseModel, ConfigDict, model_validator


@dataclass(frozen=True, slots=True)
class MavenArtifact:
    """One file of a Maven repository."""

    group: str
    artifact: str
    version: str
    classifier: str | None = None
    extension: str = "jar"

    @classmethod
    def parse(cls, coordinate: str) -> MavenArtifact:
        """`group:artifact:version` or `group:artifact:extension:classifier:version`.

        Raises ValueError for any other number of parts or an empty part.
        """
        parts = coordinate.split(":")
        if not all(parts):
            raise ValueError(f"{coordinate!r} has an empty part")
        match parts:
            case [group, artifact, version]:
                return cls(group, artifact, version)
            case [group, artifact, extension, classifier, version]:
                return cls(group, artifact, version, classifier, extension)
            case _:
                raise ValueError(
                    f"{coordinate!r} is no Maven coordinate: "
                    "write group:artifact:version or group:artifact:extension:classifier:version"
                )

    @property
    def file_name(self) -> str:
        classifier = f"-{self.classifier}" if self.classifier else ""
        return f"{self.artifact}-{self.version}{classifier}.{self.extension}"

    @property
    def repository_path(self) -> str:
        return "/".join([*self.group.split("."), self.artifact, self.version, self.file_name])


class JarLock(BaseModel):
    """Which archives the stack runs: Maven coordinates, each with the sha256 of its file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kafka: tuple[str, ...]
    plugin: str
    sha256: dict[str, str]
    plugin_sha256: str

    @model_validator(mode="after")
    def every_file_has_its_sha256(self) -> JarLock:
        named = [MavenArtifact.parse(each).file_name for each in self.kafka]
        if len(set(named)) != len(named):
            raise ValueError("two coordinates of the lock name one file")
        if set(named) != set(self.sha256):
            raise ValueError(
                "the lock's coordinates and its sha256 differ in "
                f"{sorted(set(named) ^ set(self.sha256))}"
            )
        return self

    @classmethod
    def load(cls) -> JarLock:
        """The lock that ships with this package."""
        text = resources.files("deploy.local").joinpath("kafka-jars.lock.json").read_text("utf-8")
        return cls.model_validate_json(text)

    @property
    def digest(self) -> str:
        """Twelve hex digits that change with any archive of the lock."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class JarCache:
    """The folder in which the archives of one lock lie.

    `libraries` is the class path of broker and Connect, `plugins` Connect's `plugin.path`.
    """

    root: Path
    lock: JarLock

    @classmethod
    def of(cls, cache_dir: Path) -> JarCache:
        """The archives of this package's lock in a user's cache folder."""
        return cls(cache_dir / "jars", JarLock.load())

    @property
    def libraries(self) -> Path:
        return self.root / self.lock.digest / "libraries"

    @property
    def plugins(self) -> Path:
        return self.root / self.lock.digest / "plugins"

    @property
    def caches(self) -> Path:
        """Where Java keeps what it learnt of these archives, to start faster (`java.JavaProgram`)."""
        return self.root / self.lock.digest / "aot"

    @property
    def plugin_tarball(self) -> Path:
        return self.root / self.lock.digest / MavenArtifact.parse(self.lock.plugin).file_name

    def files(self) -> Iterator[tuple[MavenArtifact, Path, str]]:
        """Each archive of the lock, where it lies and its sha256; the largest comes first."""
        yield MavenArtifact.parse(self.lock.plugin), self.plugin_tarball, self.lock.plugin_sha256
        for coordinate in self.lock.kafka:
            artifact = MavenArtifact.parse(coordinate)
            path = self.libraries / artifact.file_name
            yield artifact, path, self.lock.sha256[artifact.file_name]
