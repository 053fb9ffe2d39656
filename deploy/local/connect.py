"""Kafka Connect with Debezium's PostgreSQL connector: one worker."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from deploy.local.jars import JarCache
from deploy.local.java import JavaProgram
from deploy.local.kafka import filled_template
from deploy.local.ports import refuse_ports_in_use
from deploy.local.probes import connect_answers
from deploy.local.service import Service
from deploy.local.settings import CONNECT, HOST, LocalSettings


@dataclass(frozen=True, slots=True)
class ConnectWorker:
    """The Connect worker of one stack; its state is in Kafka alone."""

    settings: LocalSettings
    jars: JarCache

    @property
    def folder(self) -> Path:
        return self.settings.files.connect

    @property
    def program(self) -> JavaProgram:
        return JavaProgram(
            name="connect",
            main="org.apache.kafka.connect.cli.ConnectDistributed",
            libraries=self.jars.libraries,
            heap_megabytes=self.settings.connect_heap_megabytes,
            folder=self.folder,
            caches=self.jars.caches,
            learns=self.settings.java_learns,
        )

    def service(self) -> Service:
        return Service(
            name=CONNECT,
            kind="infrastructure",
            command=self.program.command,
            environment=self.program.environment,
            log=self.settings.files.log(CONNECT),
            ports=self.settings.ports.of(CONNECT),
            prepare=self.prepare,
            ready=connect_answers(self.settings.ports.connect),
            stop_seconds=self.program.stop_seconds,
            after_clean_stop=self.program.share_what_it_learnt,
        )

    def prepare(self) -> None:
        """Connect's configuration is written. Raises CannotStartError."""
        self.folder.mkdir(parents=True, exist_ok=True)
        configuration = self.folder / "connect.properties"
        configuration.write_text(
            filled_template(
                "connect-distributed.properties",
                host=HOST,
                kafka_port=str(self.settings.ports.kafka),
                connect_port=str(self.settings.ports.connect),
                plugins_dir=str(self.jars.plugins),
            ),
            "utf-8",
        )
        self.program.write_arguments(str(configuration))
        refuse_ports_in_use(CONNECT, self.settings.ports.of(CONNECT))
