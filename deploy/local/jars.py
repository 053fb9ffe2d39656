"""The Java archives of Kafka, Connect and Debezium: exactly those of the lock, checked by sha256.

`kafka-jars.lock.json` names them by Maven coordinate. They are kept in a cache that all checkouts
of this user share, and downloaded by jgo's own idea of where Maven Central is.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import BinaryIO

import httpx
import stamina
from pydantic import BaseModel, ConfigDict, model_validator

from deploy.local.progress import Progress, StepProgress

DOWNLOADS_AT_ONCE = 12
DOWNLOAD_ATTEMPTS = 5
DOWNLOAD_TIMEOUT_SECONDS = 60.0


class JarDownloadError(RuntimeError):
    """An archive could not be had, or is not the one that the lock names."""


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

    def fill(self, progress: Progress) -> None:
        """Every archive is there and is the one that the lock names; the missing are downloaded.

        Raises JarDownloadError when one cannot be had.
        """
        self.libraries.mkdir(parents=True, exist_ok=True)
        missing = [
            (artifact, path, sha256)
            for artifact, path, sha256 in self._wanted()
            if not _is_intact(path, sha256)
        ]
        self._download(missing, progress)
        self._unpack_plugin()

    def _wanted(self) -> Iterator[tuple[MavenArtifact, Path, str]]:
        plugin = MavenArtifact.parse(self.lock.plugin)
        yield plugin, self._plugin_file, self.lock.plugin_sha256  # the largest one goes first
        for coordinate in self.lock.kafka:
            artifact = MavenArtifact.parse(coordinate)
            path = self.libraries / artifact.file_name
            yield artifact, path, self.lock.sha256[artifact.file_name]

    @property
    def _plugin_file(self) -> Path:
        return self.root / self.lock.digest / MavenArtifact.parse(self.lock.plugin).file_name

    def _download(self, missing: list[tuple[MavenArtifact, Path, str]], progress: Progress) -> None:
        if not missing:
            return
        from jgo.constants import MAVEN_CENTRAL_URL

        total = len(missing)
        progress(StepProgress("jars", 0, total))
        with (
            httpx.Client(timeout=DOWNLOAD_TIMEOUT_SECONDS, follow_redirects=True) as client,
            ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as threads,
        ):
            waiting = {
                threads.submit(
                    _fetch, client, f"{MAVEN_CENTRAL_URL}/{artifact.repository_path}", path, sha256
                ): artifact
                for artifact, path, sha256 in missing
            }
            try:
                for done, download in enumerate(as_completed(waiting), start=1):
                    download.result()
                    progress(StepProgress("jars", done, total, waiting[download].file_name))
            except BaseException:
                threads.shutdown(wait=False, cancel_futures=True)
                raise

    def _unpack_plugin(self) -> None:
        if self.plugins.is_dir():
            return
        with tempfile.TemporaryDirectory(dir=self.plugins.parent) as scratch:
            with tarfile.open(self._plugin_file) as tarball:
                tarball.extractall(scratch, filter="data")
            try:
                Path(scratch).rename(self.plugins)
            except OSError:
                if not self.plugins.is_dir():
                    raise  # else another checkout was faster with the same files
            else:
                Path(scratch).mkdir()


def _is_intact(path: Path, sha256: str) -> bool:
    try:
        return _sha256_of(path) == sha256
    except FileNotFoundError:
        return False


def _sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fetch(client: httpx.Client, url: str, path: Path, sha256: str) -> None:
    """`path` holds the file of `url`; it appears whole and checked, or not at all."""
    handle, partial = tempfile.mkstemp(prefix=f"{path.name}.", suffix=".partial", dir=path.parent)
    try:
        try:
            with os.fdopen(handle, "wb") as file:
                _stream_into(client, url, file)
        except httpx.HTTPError as problem:
            raise JarDownloadError(
                f"{path.name} could not be downloaded: {problem}. "
                "Check this machine's way to Maven Central (proxy, certificates) and run it again."
            ) from problem
        found = _sha256_of(Path(partial))
        if found != sha256:
            raise JarDownloadError(
                f"{path.name} has sha256 {found}, the lock says {sha256}: it is not used. "
                "A proxy may have answered in Maven Central's place; run it again without it."
            )
        shutil.move(partial, path)
    finally:
        Path(partial).unlink(missing_ok=True)


def _worth_another_try(problem: Exception) -> bool:
    if isinstance(problem, httpx.HTTPStatusError):
        return problem.response.status_code in {429, 500, 502, 503, 504}
    return isinstance(problem, httpx.TransportError)


@stamina.retry(on=_worth_another_try, attempts=DOWNLOAD_ATTEMPTS, timeout=None)
def _stream_into(client: httpx.Client, url: str, file: BinaryIO) -> None:
    file.seek(0)
    file.truncate()
    with client.stream("GET", url) as response:
        response.raise_for_status()
        file.writelines(response.iter_bytes())
