"""Kafka: one broker that is its own controller (KRaft)."""

from __future__ import annotations

import base64
import shutil
import subprocess
import uuid
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

from deploy.local.jars import JarCache
from deploy.local.java import JavaProgram
from deploy.local.ports import refuse_ports_in_use
from deploy.local.probes import kafka_answers
from deploy.local.service import CannotStartError, Service
from deploy.local.settings import HOST, KAFKA, LocalSettings

FORMAT_TIMEOUT_SECONDS = 120


@dataclass(frozen=True, slots=True)
class KafkaBroker:
    """The broker of one stack."""

    settings: LocalSettings
    jars: JarCache

    @property
    def folder(self) -> Path:
        return self.settings.files.kafka

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def program(self) -> JavaProgram:
        return JavaProgram(
            name="kafka",
            main="kafka.Kafka",
            libraries=self.jars.libraries,
            heap_megabytes=self.settings.kafka_heap_megabytes,
            folder=self.folder,
            caches=self.jars.caches,
            learns=self.settings.java_learns,
        )

    def service(self) -> Service:
        return Service(
            name=KAFKA,
            kind="infrastructure",
            command=self.program.command,
            environment=self.program.environment,
            log=self.settings.files.log(KAFKA),
            ports=self.settings.ports.of(KAFKA),
            prepare=self.prepare,
            ready=kafka_answers(self.settings.ports.kafka),
            stop_seconds=self.program.stop_seconds,
            after_clean_stop=self.program.share_what_it_learnt,
        )

    def prepare(self) -> None:
        """The broker's storage is formatted and its configuration written.

        Raises CannotStartError.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self.data.exists():
            self._format()
        configuration = self._write_configuration("server.properties", self.data)
        self.program.write_arguments(str(configuration))
        refuse_ports_in_use(KAFKA, self.settings.ports.of(KAFKA))

    def _write_configuration(self, name: str, data: Path) -> Path:
        ports = self.settings.ports
        path = self.folder / name
        path.write_text(
            filled_template(
                "kafka-server.properties",
                host=HOST,
                kafka_port=str(ports.kafka),
                controller_port=str(ports.kafka_controller),
                data_dir=str(data),
            ),
            "utf-8",
        )
        return path

    def _format(self) -> None:
        partial = self.folder / "data.partial"
        shutil.rmtree(partial, ignore_errors=True)
        configuration = self._write_configuration("format.properties", partial)
        tool = replace(
            self.program,
            name="format",
            main="kafka.tools.StorageTool",
            folder=self.folder / "format",
            learns=False,
        )
        tool.write_arguments("format", "-t", _new_cluster_id(), "-c", str(configuration))
        done = subprocess.run(
            tool.command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=FORMAT_TIMEOUT_SECONDS,
            check=False,
        )
        if done.returncode:
            raise CannotStartError(
                f"Kafka could not format {partial}: {done.stderr.strip() or done.stdout.strip()}"
            )
        partial.rename(self.data)


def filled_template(name: str, **values: str) -> str:
    """A configuration file of this package with `{name}` replaced by the values given."""
    text = resources.files("deploy.local").joinpath(name).read_text("utf-8")
    for placeholder, value in values.items():
        text = text.replace("{" + placeholder + "}", value)
    return text


def _new_cluster_id() -> str:
    """22 characters of base64; Kafka's own command line takes none that begins with a dash."""
    text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode("ascii").rstrip("=")
    return f"r{text[1:]}"
