"""Fills the cache of Java archives: only what its lock names, checked by sha256."""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
import tempfile
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import BinaryIO

import httpx
import stamina

from deploy.local.jars import JarCache, MavenArtifact
from deploy.local.progress import Progress, StepProgress

DOWNLOADS_AT_ONCE = 12
DOWNLOAD_ATTEMPTS = 5
DOWNLOAD_TIMEOUT_SECONDS = 60.0


class JarDownloadError(RuntimeError):
    """An archive could not be had, or is not the one that the lock names."""


def fill(cache: JarCache, progress: Progress, *, repository: str | None = None) -> None:
    """Every archive is there and is the one that the lock names; the missing are downloaded.

    From Maven Central, as jgo knows it, or another `repository` of that layout. Raises
    JarDownloadError when one cannot be had.
    """
    cache.libraries.mkdir(parents=True, exist_ok=True)
    missing = [
        (artifact, path, sha256)
        for artifact, path, sha256 in cache.files()
        if not _is_intact(path, sha256)
    ]
    if missing:
        _download(missing, repository or _maven_central(), progress)
    _unpack_plugin(cache)


def _maven_central() -> str:
    from jgo.constants import MAVEN_CENTRAL_URL

    return MAVEN_CENTRAL_URL


def _download(
    missing: list[tuple[MavenArtifact, Path, str]], repository: str, progress: Progress
) -> None:
    total = len(missing)
    progress(StepProgress("jars", 0, total))
    with (
        httpx.Client(timeout=DOWNLOAD_TIMEOUT_SECONDS, follow_redirects=True) as client,
        ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as threads,
    ):
        waiting = {
            threads.submit(
                _fetch, client, f"{repository}/{artifact.repository_path}", path, sha256
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


def _unpack_plugin(cache: JarCache) -> None:
    if cache.plugins.is_dir():
        return
    scratch = Path(tempfile.mkdtemp(dir=cache.plugins.parent))
    try:
        with tarfile.open(cache.plugin_tarball) as tarball:
            for member in filter(tarfile.TarInfo.isfile, tarball):
                _extract(tarball, member, scratch)
        scratch.rename(cache.plugins)
    except OSError:
        if not cache.plugins.is_dir():
            raise  # else another checkout was faster, with the same files
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _extract(tarball: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    """One plain file; `extractall(filter=...)` is not there in every Python 3.11."""
    target = (folder / member.name).resolve()
    content = tarball.extractfile(member)
    if content is None or not target.is_relative_to(folder.resolve()):
        raise JarDownloadError(f"{tarball.name!r} holds {member.name!r}, which is not unpacked")
    target.parent.mkdir(parents=True, exist_ok=True)
    with content, target.open("wb") as file:
        shutil.copyfileobj(content, file)


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
            reason = str(problem).partition("\n")[0]
            raise JarDownloadError(
                f"{path.name} could not be downloaded: {reason}. "
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
