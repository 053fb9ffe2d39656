"""The optional Kafka UI: an environment of its own, and the service that shows it."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from deploy.local.ports import refuse_ports_in_use
from deploy.local.probes import url_answers
from deploy.local.progress import Progress, StepProgress
from deploy.local.service import CannotStartError, Service
from deploy.local.settings import CHECKOUT, HOST, KAFKA_UI, LocalSettings

INSTALL_TIMEOUT_SECONDS = 600
LOCK = CHECKOUT / "requirements" / "ui.txt"


@dataclass(frozen=True, slots=True)
class KafkaUi:
    """The Kafka UI of one stack."""

    settings: LocalSettings

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.settings.ports.kafka_ui}/"

    @property
    def environment(self) -> Path:
        """Where the UI is installed: shared by all checkouts that have the same lock."""
        return self.settings.cache_dir / f"ui-{hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]}"

    @property
    def _complete(self) -> Path:
        return self.environment / "complete"

    def install(self, progress: Progress) -> None:
        """The UI is installed; it takes 150 MB, once. Raises CannotStartError."""
        self.environment.parent.mkdir(parents=True, exist_ok=True)
        with self.environment.with_suffix(".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # another checkout's installation is waited for
            if self._complete.exists():
                return
            progress(StepProgress(KAFKA_UI, 0, 1, "installing"))
            shutil.rmtree(self.environment, ignore_errors=True)
            _run(sys.executable, "-m", "venv", "--without-pip", str(self.environment))
            python = str(self.environment / "bin" / "python")
            _run(_uv(), "pip", "sync", "--python", python, "--require-hashes", str(LOCK))
            self._complete.touch()

    def service(self) -> Service:
        server = Path(__file__).with_name("kafka_ui_server.py")
        ports = self.settings.ports
        return Service(
            name=KAFKA_UI,
            kind="infrastructure",
            command=(
                *(str(self.environment / "bin" / "python"), str(server)),
                *(f"{HOST}:{ports.kafka}", HOST, str(ports.kafka_ui)),
            ),
            log=self.settings.files.log(KAFKA_UI),
            ports=ports.of(KAFKA_UI),
            prepare=lambda: refuse_ports_in_use(KAFKA_UI, ports.of(KAFKA_UI)),
            ready=url_answers(self.url),
        )


def _uv() -> str:
    return str(Path(sys.executable).with_name("uv"))


def _run(*command: str) -> None:
    try:
        subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=INSTALL_TIMEOUT_SECONDS,
            check=True,
        )
    except subprocess.CalledProcessError as failed:
        raise CannotStartError(
            f"the Kafka UI could not be installed: {failed.stderr.strip()[-2000:]}"
        ) from failed
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise CannotStartError(f"the Kafka UI could not be installed: {problem}") from problem
