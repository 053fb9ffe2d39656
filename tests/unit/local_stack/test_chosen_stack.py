"""Which local stack a command means."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.local.settings import LocalSettings
from workers.local import local_stack


def test_a_stack_keeps_the_ports_it_was_started_with(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REVOPS_LOCAL__DATA_DIR", str(tmp_path))
    assert local_stack().settings.port_base == LocalSettings().port_base
    started = LocalSettings(data_dir=tmp_path, port_base=31000)
    started.to_file(started.files.settings)
    assert local_stack().settings.port_base == 31000
    monkeypatch.setenv("REVOPS_LOCAL__PORT_BASE", "33000")
    assert local_stack().settings.port_base == 33000
