"""Ports and folders of a stack."""

from __future__ import annotations

import itertools
import socket
from pathlib import Path

import pytest
from pydantic import ValidationError

from deploy.local.ports import is_free, refuse_ports_in_use
from deploy.local.service import CannotStartError
from deploy.local.settings import (
    HOST,
    INFRASTRUCTURE,
    KAFKA_UI,
    PORTS_PER_STACK,
    LocalSettings,
    PortPlan,
)


def test_no_two_processes_share_a_port() -> None:
    plan = PortPlan(20000)
    ports = list(
        itertools.chain(
            *(plan.of(name).values() for name in (*INFRASTRUCTURE, KAFKA_UI)),
            (plan.worker(index) for index in range(30)),
        )
    )
    assert len(set(ports)) == len(ports)
    assert all(20000 <= port < 20000 + PORTS_PER_STACK for port in ports)


@pytest.mark.parametrize("index", [-1, 30])
def test_worker_beyond_the_plan_has_no_port(index: int) -> None:
    with pytest.raises(ValueError, match="30 workers"):
        PortPlan(20000).worker(index)


@pytest.mark.parametrize("port_base", [80, 65530])
def test_port_base_outside_the_usable_range_is_refused(port_base: int) -> None:
    with pytest.raises(ValidationError, match="port_base"):
        LocalSettings(port_base=port_base)


def test_relative_data_folder_is_meant_from_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert LocalSettings(data_dir=Path("stack")).data_dir == tmp_path / "stack"


def test_cache_follows_the_desktop_standard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert LocalSettings().cache_dir == tmp_path / "revops"


def test_settings_survive_their_file(tmp_path: Path) -> None:
    settings = LocalSettings(data_dir=tmp_path, port_base=21000, kafka_heap_megabytes=256)
    settings.to_file(tmp_path / "settings.json")
    assert LocalSettings.from_file(tmp_path / "settings.json") == settings


def test_taken_port_is_refused_with_its_purpose_and_the_mend() -> None:
    with socket.create_server((HOST, 0)) as server:
        port = server.getsockname()[1]
        assert not is_free(port)
        with pytest.raises(
            CannotStartError, match=rf"port {port} \(kafka, controller\).*PORT_BASE"
        ):
            refuse_ports_in_use("kafka", {"controller": port})
