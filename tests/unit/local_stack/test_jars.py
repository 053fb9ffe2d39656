"""Maven coordinates, the lock of archives, and the cache that holds only what the lock names."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import http.server
import io
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import ValidationError

from deploy.local import jar_download
from deploy.local.jar_download import JarDownloadError
from deploy.local.jars import JarCache, JarLock, MavenArtifact
from deploy.local.progress import StepProgress, silent


def test_coordinate_names_its_file_and_where_it_lies() -> None:
    artifact = MavenArtifact.parse("org.slf4j:slf4j-api:1.7.36")
    assert artifact.repository_path == "org/slf4j/slf4j-api/1.7.36/slf4j-api-1.7.36.jar"


def test_coordinate_with_classifier_names_its_file() -> None:
    artifact = MavenArtifact.parse("io.debezium:connector:tar.gz:plugin:3.7.0.Final")
    assert artifact.file_name == "connector-3.7.0.Final-plugin.tar.gz"


@pytest.mark.parametrize("wrong", ["", "group:artifact", "a:b:c:d", "a::c", "a:b:c:d:e:f"])
def test_wrong_coordinate_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"coordinate|empty part"):
        MavenArtifact.parse(wrong)


def test_shipped_lock_names_broker_connect_and_debezium() -> None:
    lock = JarLock.load()
    artifacts = {MavenArtifact.parse(each).artifact for each in lock.kafka}
    assert {"kafka_2.13", "kafka-tools", "connect-runtime", "connect-json"} <= artifacts
    assert "debezium-connector-postgres" in lock.plugin
    assert all(len(bytes.fromhex(each)) == 32 for each in lock.sha256.values())


@pytest.mark.parametrize(
    "sha256", [{}, {"a-1.jar": "0" * 64, "b-1.jar": "0" * 64}], ids=["missing", "one too many"]
)
def test_lock_whose_hashes_are_not_those_of_its_files_is_refused(sha256: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="differ"):
        JarLock(kafka=("g:a:1",), plugin="g:p:tar.gz:plugin:1", sha256=sha256, plugin_sha256="")


def test_digest_changes_with_any_archive() -> None:
    lock = JarLock.load()
    other = lock.model_copy(update={"plugin_sha256": "0" * 64})
    assert lock.digest != other.digest


@dataclass(frozen=True, slots=True)
class Repository:
    """A Maven repository on this machine, and a cache to fill from it."""

    url: str
    files: Path
    cache: JarCache

    def fill(self) -> list[StepProgress]:
        steps: list[StepProgress] = []
        jar_download.fill(self.cache, steps.append, repository=self.url)
        return steps

    def path_of(self, coordinate: str) -> Path:
        return self.files / MavenArtifact.parse(coordinate).repository_path


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    files = tmp_path / "repository"
    contents = {"g:one:1": b"first jar", "g:two:2": b"second jar"}
    plugin = "g:plugin:tar.gz:plugin:3"
    hashes: dict[str, str] = {}
    for coordinate, content in {**contents, plugin: _tarball()}.items():
        artifact = MavenArtifact.parse(coordinate)
        path = files / artifact.repository_path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        hashes[artifact.file_name] = hashlib.sha256(content).hexdigest()
    plugin_sha256 = hashes.pop(MavenArtifact.parse(plugin).file_name)
    lock = JarLock(kafka=tuple(contents), plugin=plugin, sha256=hashes, plugin_sha256=plugin_sha256)
    with _serving(files) as url:
        yield Repository(url, files, JarCache(tmp_path / "cache", lock))


@contextlib.contextmanager
def _serving(folder: Path) -> Iterator[str]:
    """The address at which a folder is served over HTTP while the block runs."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *arguments: object) -> None:
            """Says nothing."""

    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def _tarball() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tarball:
        content = b"the connector"
        entry = tarfile.TarInfo("connector/connector.jar")
        entry.size = len(content)
        tarball.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def test_empty_cache_is_filled_and_tells_how_far_it_is(repository: Repository) -> None:
    steps = repository.fill()
    cache = repository.cache
    assert sorted(each.name for each in cache.libraries.iterdir()) == ["one-1.jar", "two-2.jar"]
    assert (cache.plugins / "connector" / "connector.jar").read_bytes() == b"the connector"
    assert [(each.done, each.total) for each in steps] == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_full_cache_asks_nobody(repository: Repository) -> None:
    repository.fill()
    jar_download.fill(repository.cache, silent, repository="http://127.0.0.1:9")


def test_damaged_archive_is_downloaded_again(repository: Repository) -> None:
    repository.fill()
    damaged = repository.cache.libraries / "one-1.jar"
    damaged.write_bytes(b"first")
    assert [each.detail for each in repository.fill()] == ["", "one-1.jar"]
    assert damaged.read_bytes() == b"first jar"


def test_archive_that_is_not_the_locked_one_is_never_kept(repository: Repository) -> None:
    repository.path_of("g:one:1").write_bytes(b"something else")
    with pytest.raises(JarDownloadError, match=r"one-1\.jar has sha256 .* the lock says"):
        repository.fill()
    assert not (repository.cache.libraries / "one-1.jar").exists()
    assert list(repository.cache.libraries.glob("*.partial")) == []


def test_missing_archive_is_named_with_what_to_check(repository: Repository) -> None:
    repository.path_of("g:two:2").unlink()
    with pytest.raises(JarDownloadError, match=r"two-2\.jar could not be downloaded: .*404.*proxy"):
        repository.fill()
