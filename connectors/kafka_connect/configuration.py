"""A connector's configuration: the packaged template, filled in for one source of one tenant."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import cast
from urllib.parse import unquote, urlsplit

from schemas.cdc import UNAVAILABLE
from schemas.tenants import Source
from schemas.topics import CAPTURE_HEARTBEAT, CAPTURE_NOTIFICATION, RECORD_BYTES

TEMPLATE = "debezium-postgres.json"
PASSWORD_SETTING = "database.password"  # noqa: S105 - the name of a setting
EPOCH_SETTING = "transforms.valueEpoch.static.value"

Configuration = dict[str, str]

_REQUEST_BYTES = RECORD_BYTES + RECORD_BYTES // 4


@dataclass(frozen=True, slots=True)
class DatabaseAddress:
    """The parts of a `postgresql://` address that a connector wants one by one."""

    host: str
    port: int
    database: str
    user: str
    password: str

    @classmethod
    def of(cls, dsn: str) -> DatabaseAddress:
        """Raises ValueError for an address without host, user or database."""
        parts = urlsplit(dsn)
        database = parts.path.lstrip("/")
        if parts.scheme not in ("postgresql", "postgres") or not (
            parts.hostname and parts.username and database
        ):
            raise ValueError(
                "write the source's address as postgresql://role:password@host:port/database"
            )
        return cls(
            host=parts.hostname,
            port=parts.port or 5432,
            database=unquote(database),
            user=unquote(parts.username),
            password=unquote(parts.password or ""),
        )


@dataclass(frozen=True, slots=True)
class ConnectorNames:
    """What a source's connector, slot and topics are called; unique per tenant and source."""

    tenant: str
    source: str

    @property
    def connector(self) -> str:
        return f"revops.{self.tenant}.{self.source}"

    @property
    def prefix(self) -> str:
        """Debezium's `topic.prefix`: names the source in heartbeats, notifications and offsets."""
        return f"{self.tenant}.{self.source}"

    @property
    def slot(self) -> str:
        return f"revops_{self.tenant}_{self.source}"

    @classmethod
    def of_prefix(cls, prefix: str) -> ConnectorNames | None:
        """The names behind a `topic.prefix`; None where it is not one of ours."""
        tenant, dot, source = prefix.partition(".")
        return cls(tenant, source) if dot and source else None


def connector_configuration(
    names: ConnectorNames,
    source: Source,
    address: DatabaseAddress,
    keys: Mapping[str, tuple[str, ...]],
    epoch: int,
) -> Configuration:
    """The whole configuration of a source's connector.

    `keys` gives each table's key columns in alphabetical order, so that both capture modes write the
    same key. Settings under `connector` of the tenant file are added; ValueError where one of them
    would change what the platform relies on.
    """
    fields = {
        "tenant": names.tenant,
        "source": names.source,
        "prefix": names.prefix,
        "slot": names.slot,
        "prefix_pattern": re.escape(names.prefix),
        "schema_pattern": re.escape(source.db_schema),
        "host": address.host,
        "port": str(address.port),
        "user": address.user,
        "password": source.connect_password or address.password,
        "database": address.database,
        "publication": source.publication,
        "tables": ",".join(_qualified(source, table) for table in source.tables),
        "left_out_columns": ",".join(
            f"{_qualified(source, table)}\\.{re.escape(column)}"
            for table in source.tables
            for column in sorted(source.without.get(table, ()))
        ),
        "key_columns": ";".join(
            f"{_qualified(source, table)}:{','.join(key)}"
            for table, key in keys.items()
            if len(key) > 1
        ),
        "epoch": str(epoch),
        "unavailable": UNAVAILABLE,
        "notification_topic": CAPTURE_NOTIFICATION,
        "heartbeat_topic": CAPTURE_HEARTBEAT,
        "request_bytes": str(_REQUEST_BYTES),
    }
    template = _template()
    clash = sorted(set(template) & set(source.connector))
    if clash:
        raise ValueError(
            f"the tenant file sets {', '.join(clash)}, which the platform sets itself; "
            "remove it from the source's `connector` settings"
        )
    filled = {name: _filled(value, fields) for name, value in template.items()}
    return {name: value for name, value in (filled | source.connector).items() if value}


def difference(
    wanted: Mapping[str, str], registered: Mapping[str, str]
) -> dict[str, tuple[str | None, str | None]]:
    """Settings that differ: name -> (registered, wanted). Passwords are shown as `***`."""
    names = sorted((wanted.keys() | registered.keys()) - {"name"})
    return {
        name: (_masked(name, registered.get(name)), _masked(name, wanted.get(name)))
        for name in names
        if registered.get(name) != wanted.get(name)
    }


def _masked(name: str, value: str | None) -> str | None:
    return "***" if value and name == PASSWORD_SETTING and not value.startswith("${") else value


def _qualified(source: Source, table: str) -> str:
    return f"{re.escape(source.db_schema)}\\.{re.escape(table)}"


@cache
def _template() -> Configuration:
    text = files("connectors.kafka_connect").joinpath(TEMPLATE).read_text(encoding="utf-8")
    return cast(Configuration, json.loads(text))


def _filled(value: str, fields: Mapping[str, str]) -> str:
    return re.sub(r"\{([a-z_]+)\}", lambda match: fields[match[1]], value)
