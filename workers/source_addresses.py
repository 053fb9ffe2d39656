"""Where the sources of tenants are: their addresses, from the environment (SAFE-2)."""

from __future__ import annotations

import os

from schemas.tenants import Source
from workers.tenants import TenantFileError


def source_dsn(tenant: str, name: str, source: Source) -> str:
    """The address of a source. Raises TenantFileError where its variable is not set."""
    return _from_environment(tenant, name, source.dsn_variable)


def connect_dsn(tenant: str, name: str, source: Source) -> str:
    """The address under which Kafka Connect reaches the source."""
    return _from_environment(tenant, name, source.connect_dsn_variable or source.dsn_variable)


def _from_environment(tenant: str, name: str, variable: str) -> str:
    value = os.environ.get(variable, "")
    if not value:
        raise TenantFileError(
            f"set {variable}: the address of the source {name} of tenant {tenant}, as "
            "postgresql://role:password@host:port/database"
        )
    return value
