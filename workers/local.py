"""The local stack of this checkout, and the environment that commands and workers find it by."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict

from deploy.local.settings import LocalSettings
from deploy.local.stack import LocalStack
from deploy.local.state import read_whole

PLATFORM_DATABASE = "revops"
PLATFORM_ROLE = "revops"


class LocalChoice(BaseSettings):
    """`REVOPS_LOCAL__DATA_DIR` and `REVOPS_LOCAL__PORT_BASE`: which local stack is meant."""

    model_config = SettingsConfigDict(env_prefix="REVOPS_LOCAL__", extra="ignore")

    data_dir: Path | None = None
    port_base: int | None = None


def local_stack() -> LocalStack:
    """The local stack that the environment names, by default the one of this checkout.

    A stack keeps its ports: where the environment names none, they are those it was started with.
    """
    chosen = LocalChoice().model_dump(exclude_none=True)
    settings = LocalSettings(**chosen)
    kept = read_whole(settings.files.settings, LocalSettings)
    if kept is not None and "port_base" not in chosen:
        settings = settings.model_copy(update={"port_base": kept.port_base})
    return LocalStack(settings)


def platform_environment(stack: LocalStack) -> dict[str, str]:
    """The settings by which a process finds the platform in a local stack."""
    return {
        "REVOPS_DATABASE__DSN": stack.postgres_dsn(PLATFORM_DATABASE, PLATFORM_ROLE),
        "REVOPS_KAFKA__BOOTSTRAP_SERVERS": stack.bootstrap_servers,
        "REVOPS_CONNECT__URL": stack.connect_url,
    }


def find_local_stack() -> None:
    """Lets this process find the local stack where the environment names no other platform.

    Nothing happens where a database is named, or where no local stack was ever started.
    """
    if "REVOPS_DATABASE__DSN" in os.environ:
        return
    stack = local_stack()
    if not stack.settings.data_dir.is_dir():
        return
    environment = platform_environment(stack) | saved_environment(stack)
    for name, value in environment.items():
        os.environ.setdefault(name, value)


def saved_environment(stack: LocalStack) -> dict[str, str]:
    """What `save_environment` kept."""
    path = _environment_file(stack)
    if not path.is_file():
        return {}
    lines = path.read_text("utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def save_environment(stack: LocalStack, variables: dict[str, str]) -> None:
    """Keeps connections of sources and the like for later commands, readable by this user alone."""
    kept = saved_environment(stack) | variables
    path = _environment_file(stack)
    path.touch(mode=0o600, exist_ok=True)
    path.write_text("".join(f"{name}={value}\n" for name, value in sorted(kept.items())))


def _environment_file(stack: LocalStack) -> Path:
    return stack.settings.data_dir / "sources.env"
