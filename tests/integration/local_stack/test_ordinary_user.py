"""The stack needs no root: an ordinary user with a home and a checkout brings it up."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.local.settings import CHECKOUT, user_cache
from tests.integration.local_stack.interpreter import ordinary_account, ordinary_python
from tests.stack import reserved_port_base

pytestmark = pytest.mark.stack

UP_AND_DOWN = """
import os, sys
from pathlib import Path
from deploy.local.settings import INFRASTRUCTURE, LocalSettings
from deploy.local.stack import LocalStack

settings = LocalSettings(port_base=int(sys.argv[1]), java_learns=False)
assert settings.data_dir == Path.cwd() / ".revops", settings.data_dir
local = LocalStack(settings)
try:
    state = local.up_infrastructure()
    assert all(state.is_ready(name) for name in INFRASTRUCTURE), state
    owners = {Path(f"/proc/{each.process.pid}").stat().st_uid for each in state.processes}
    assert owners == {os.geteuid()}, owners
finally:
    local.down()
print("up and down as user", os.geteuid())
"""
SOURCES = ("deploy", "schemas", "pyproject.toml")


@dataclass(frozen=True, slots=True)
class OrdinaryUser:
    """Someone who is not root, at home in a folder with a checkout in it."""

    uid: int
    gid: int
    home: Path

    @property
    def checkout(self) -> Path:
        return self.home / "revops"

    def run(self, *command: str, packages: Path) -> subprocess.CompletedProcess[str]:
        """Runs it as this user would, in the checkout."""
        other_user = (
            {"user": self.uid, "group": self.gid, "extra_groups": [self.gid]}
            if os.geteuid() != self.uid
            else {}
        )
        return subprocess.run(
            command,
            cwd=self.checkout,
            env={
                "HOME": str(self.home),
                "PATH": "/usr/bin:/bin",
                "PYTHONPATH": f"{self.checkout}:{packages}",
            },
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
            **other_user,
        )


@pytest.fixture
def ordinary_user() -> Iterator[OrdinaryUser]:
    """Whoever runs the tests; when that is root, the system's nobody."""
    account = ordinary_account()
    home = Path(tempfile.mkdtemp(prefix="revops-home-"))
    user = OrdinaryUser(account.uid, account.gid, home)
    try:
        for each in SOURCES:
            _copy(CHECKOUT / each, user.checkout / each)
        if (user_cache() / "jars").exists():  # else they are downloaded
            _copy(user_cache() / "jars", home / ".cache" / "revops" / "jars")
        for path in [home, *home.rglob("*")]:
            account.owns(path)
        yield user
    finally:
        shutil.rmtree(home)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy2(source, target)


def test_ordinary_user_brings_the_stack_up_and_down(ordinary_user: OrdinaryUser) -> None:
    python = ordinary_python()
    assert python
    with reserved_port_base() as port_base:
        done = ordinary_user.run(
            python.program, "-c", UP_AND_DOWN, str(port_base), packages=python.packages
        )
    assert (done.returncode, done.stdout) == (
        0,
        f"up and down as user {ordinary_user.uid}\n",
    ), done.stderr
