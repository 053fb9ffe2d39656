"""Every setting of every process: `REVOPS_<GROUP>__<NAME>`, the unit in the name (CFG-12).

No secret has a default. `Settings.load()` lists everything that is missing or wrong at once.
"""

from __future__ import annotations

from datetime import UTC, datetime
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, BaseModel, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class DatabaseSettings(BaseModel):
    """The platform's PostgreSQL (15 or newer, with pgvector)."""

    dsn: SecretStr = Field(
        min_length=1, description="postgresql://user:password@host:port/database"
    )
    pool_size: int = Field(8, ge=1, le=100, description="Connections a worker process may hold")


class KafkaSettings(BaseModel):
    """The broker; TLS and SASL as the broker asks (SEC-1)."""

    bootstrap_servers: str = Field(
        min_length=1, description="host:port, several separated by commas"
    )
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL"
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = Field(
        None, description="PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512"
    )
    sasl_username: str | None = Field(None, description="With a SASL mechanism")
    sasl_password: SecretStr | None = Field(None, description="With a SASL mechanism")
    tls_ca_file: Path | None = Field(
        None, description="PEM file of the authority that signed the broker's certificate"
    )
    replication_factor: int = Field(1, ge=1, description="For topics that `topics apply` creates")


class ConnectSettings(BaseModel):
    """Kafka Connect's REST interface."""

    url: str = Field("", description="http://host:port; empty where no source uses Debezium")


class ClockSettings(BaseModel):
    """A fixed moment for demo, test and replay."""

    as_of: AwareDatetime | None = Field(None, description="ISO 8601; empty means the real time")

    @field_validator("as_of", mode="before")
    @classmethod
    def _in_utc(cls, value: object) -> object:
        if value in ("", None):
            return None
        if isinstance(value, str):
            moment = datetime.fromisoformat(value)
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return value


class ConfigSettings(BaseModel):
    """Where tenants, their sources and their rule overrides are described."""

    directory: Path = Field(
        default_factory=lambda: Path(__file__).parents[1] / "deploy" / "config",
        description="Folder with tenants/<tenant>.yaml, and packs/<pack>/ of your own",
    )


class EncoderSettings(BaseModel):
    """Which encoder turns texts into vectors (design.md section 5)."""

    name: Literal["minilm", "bge_m3"] = Field(
        "minilm", description="minilm (light, CPU) or bge_m3 (needs the extra `bge`)"
    )
    model: str = Field("BAAI/bge-m3", description="Folder or hub id of the BGE-M3 weights")
    threads: int = Field(1, ge=1, description="CPU threads of the encoder")
    batch_records: int = Field(32, ge=1, le=1024, description="Texts encoded in one pass at most")
    linger_milliseconds: int = Field(3, ge=0, description="How long a batch waits to fill up")
    cache_directory: Path = Field(
        default_factory=lambda: Path.home() / ".cache" / "revops" / "encoders",
        description="Where prepared encoder files are kept",
    )


class IndexSettings(BaseModel):
    """Which vector index holds the vectors."""

    name: Literal["pgvector", "qdrant"] = Field("pgvector", description="pgvector or qdrant")
    url: str = Field("", description="Qdrant's URL; needed with name=qdrant")
    api_key: SecretStr | None = Field(None, description="Qdrant's key, where it asks for one")


class AuditSettings(BaseModel):
    """Signed checkpoints of the audit log; without a key the log is chained, but not signed."""

    signing_key_file: Path | None = Field(
        None, description="PEM file with an Ed25519 key; `revops audit key FILE` makes one"
    )
    checkpoint_records: int = Field(
        1000, ge=1, description="Records after which the log's state is signed again"
    )

    @field_validator("signing_key_file", mode="before")
    @classmethod
    def _no_file(cls, value: object) -> object:
        return value or None


class ActionSettings(BaseModel):
    """How others are told of decisions: the tenant files name whom (ACT-1 to ACT-4)."""

    timeout_seconds: float = Field(10.0, gt=0, le=60, description="How long an attempt may take")
    own_networks: str = Field(
        "",
        description="Networks, separated by commas, to which webhooks may go though they are not public "
        "(10.1.0.0/16); there plain http is allowed too",
    )
    dry_run_directory: Path | None = Field(
        None, description="Deliveries become files of this folder, and nothing is sent"
    )
    drafts_directory: Path | None = Field(
        None, description="Where drafts of requests are written, for people to send"
    )

    @field_validator("dry_run_directory", "drafts_directory", mode="before")
    @classmethod
    def _no_folder(cls, value: object) -> object:
        return value or None

    @field_validator("own_networks")
    @classmethod
    def _are_networks(cls, value: str) -> str:
        for one in value.split(","):
            if one.strip():
                ip_network(one.strip())
        return value

    def networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The networks that are one's own."""
        return tuple(ip_network(one.strip()) for one in self.own_networks.split(",") if one.strip())


class MailSettings(BaseModel):
    """The SMTP server that takes e-mails; without a host none are sent."""

    host: str = Field("", description="Name of the SMTP server")
    port: int = Field(587, ge=1, le=65535, description="Its port")
    encryption: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="starttls, tls or none"
    )
    username: str | None = Field(None, description="Where the server asks for one")
    password: SecretStr | None = Field(None, description="Where the server asks for one")
    sender: str = Field("", description="The address that mails come from")


class WorkerSettings(BaseModel):
    """How a worker process runs."""

    metrics_port: int = Field(0, ge=0, le=65535, description="0 serves no health and metrics page")
    batch_records: int = Field(1000, ge=1, description="Records of a bulk worker's batch at most")
    session_timeout_seconds: int = Field(
        10, ge=6, description="After that long without a sign of life others take over"
    )
    instance: str = Field(
        "",
        description="A name that outlives restarts, unique among the processes of a worker: one that "
        "is started again under it goes on at once, without a rebalance",
    )
    poll_interval_seconds: float = Field(1.0, gt=0, description="Between two polls of a source")
    reconcile_interval_seconds: float = Field(
        300.0, gt=0, description="Between two comparisons of all ids of a source, for deletions"
    )
    timer_interval_seconds: float = Field(0.5, gt=0, description="Between two looks for due timers")
    stop_timeout_seconds: float = Field(
        10.0, gt=0, description="What the batch in hand may take once the worker is told to stop"
    )


class LogSettings(BaseModel):
    """Logs are JSON lines; a terminal may ask for readable ones."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="debug, info, warning or error"
    )
    format: Literal["json", "console"] = Field("json", description="json or console")


class TracingSettings(BaseModel):
    """Where spans go; without an endpoint none are made, and trace ids travel all the same."""

    otlp_endpoint: str = Field(
        "", description="http://host:port of an OpenTelemetry collector (needs the extra `tracing`)"
    )


class Settings(BaseSettings):
    """All settings of a process, from the environment."""

    model_config = SettingsConfigDict(
        env_prefix="REVOPS_", env_nested_delimiter="__", extra="ignore", frozen=True
    )

    database: DatabaseSettings
    kafka: KafkaSettings
    connect: ConnectSettings = ConnectSettings(url="")
    clock: ClockSettings = ClockSettings(as_of=None)
    config: ConfigSettings = Field(default_factory=ConfigSettings)
    encoder: EncoderSettings = Field(default_factory=EncoderSettings)  # type: ignore[arg-type]
    index: IndexSettings = Field(default_factory=IndexSettings)  # type: ignore[arg-type]
    audit: AuditSettings = Field(default_factory=AuditSettings)  # type: ignore[arg-type]
    actions: ActionSettings = Field(default_factory=ActionSettings)  # type: ignore[arg-type]
    mail: MailSettings = Field(default_factory=MailSettings)  # type: ignore[arg-type]
    worker: WorkerSettings = Field(default_factory=WorkerSettings)  # type: ignore[arg-type]
    log: LogSettings = Field(default_factory=LogSettings)  # type: ignore[arg-type]
    tracing: TracingSettings = Field(default_factory=TracingSettings)  # type: ignore[arg-type]

    @classmethod
    def load(cls) -> Settings:
        """The settings of this process. Raises SettingsMissing, which names every problem."""
        try:
            return cls()  # type: ignore[call-arg]
        except ValidationError as problem:
            raise SettingsMissing(problem) from problem


class SettingsMissing(RuntimeError):  # noqa: N818 - it tells the operator what to set
    """Names every variable that is missing or wrong."""

    def __init__(self, problem: ValidationError) -> None:
        lines = [
            f"  {name}: {error['msg']}"
            for error in problem.errors()
            for name in _variables(error["loc"], missing=error["type"] == "missing")
        ]
        super().__init__("Set these environment variables (see .env.example):\n" + "\n".join(lines))


def variable(location: tuple[int | str, ...]) -> str:
    """The environment variable of a setting's location."""
    return "REVOPS_" + "__".join(str(part).upper() for part in location)


def _variables(location: tuple[int | str, ...], *, missing: bool) -> list[str]:
    """The variables behind a problem; of a group that is missing whole, its required ones."""
    group = Settings.model_fields[str(location[0])].annotation
    if missing and len(location) == 1 and isinstance(group, type) and issubclass(group, BaseModel):
        required = [name for name, field in group.model_fields.items() if field.is_required()]
        return [variable((location[0], name)) for name in required]
    return [variable(location)]
