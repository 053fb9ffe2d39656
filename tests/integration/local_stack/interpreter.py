"""A Python that an ordinary user can run, also where root's own lies in root's home."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from deploy.local.unprivileged import Account, account_for_postgres


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python of our version, and the folder of our packages for it."""

    program: str
    packages: Path


def ordinary_account() -> Account:
    """Whoever runs the tests; for root the system's nobody."""
    return account_for_postgres() or Account(os.geteuid(), os.getegid())


def ordinary_python() -> Interpreter | None:
    """The first Python of our version that this account can run, with our packages; or None."""
    packages = Path(sysconfig.get_path("platlib"))
    account = ordinary_account()
    if not account.can_reach(packages):
        return None
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for program in (sys.executable, shutil.which(version, path="/usr/local/bin:/usr/bin")):
        if program and _runs_for(program, account):
            return Interpreter(program, packages)
    return None


def _runs_for(program: str, account: Account) -> bool:
    try:
        subprocess.run(
            [program, "-c", ""], user=account.uid, group=account.gid, cwd="/", check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return False
    return True
