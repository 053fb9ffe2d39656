"""The account under which PostgreSQL runs when the stack is started by root, as it refuses root."""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import stat
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_SHARED_HOME = Path("/var/lib/revops")


@dataclass(frozen=True, slots=True)
class Account:
    """A user and group of the system."""

    uid: int
    gid: int

    def owns(self, path: Path) -> None:
        os.chown(path, self.uid, self.gid)

    def can_reach(self, path: Path) -> bool:
        """Whether every folder above and including `path`'s nearest existing one lets it pass."""
        existing = next(each for each in [path, *path.parents] if each.exists())
        folders = [existing, *existing.parents] if existing.is_dir() else list(existing.parents)
        return all(self._may_pass(folder.stat()) for folder in folders)

    def _may_pass(self, facts: os.stat_result) -> bool:
        if facts.st_uid == self.uid:
            return bool(facts.st_mode & stat.S_IXUSR)
        if facts.st_gid == self.gid:
            return bool(facts.st_mode & stat.S_IXGRP)
        return bool(facts.st_mode & stat.S_IXOTH)


def account_for_postgres() -> Account | None:
    """None for an ordinary user, who runs PostgreSQL himself; for root the system's `nobody`."""
    if os.geteuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody")
    return Account(nobody.pw_uid, nobody.pw_gid)


def reachable_folder(wanted: Path, account: Account | None) -> Path:
    """`wanted`, or a folder elsewhere that stands for it where the account cannot get to it.

    Root's home is closed to everyone else, so a checkout in it needs the second.
    """
    if account is None or account.can_reach(wanted.parent):
        return wanted
    name = hashlib.sha256(str(wanted).encode()).hexdigest()[:16]
    return _SHARED_HOME / name


def open_shared_home() -> None:
    """The folder of what stands elsewhere is there, and every account may pass through it."""
    _SHARED_HOME.mkdir(parents=True, exist_ok=True)
    _SHARED_HOME.chmod(0o755)  # whatever this process' umask


def reachable_copy(folders: Sequence[Path], account: Account | None) -> Path:
    """A folder holding `folders` as they lie together, that the account can get to.

    All of them must lie in one folder; that one is the answer where nothing bars the way.
    """
    together = folders[0].parent
    if account is None or account.can_reach(folders[0]):
        return together
    made_from = " ".join(f"{each.name}={each.stat().st_mtime_ns}" for each in folders)
    copy = _SHARED_HOME / hashlib.sha256(f"{together} {made_from}".encode()).hexdigest()[:16]
    if not copy.exists():
        open_shared_home()
        scratch = Path(tempfile.mkdtemp(dir=_SHARED_HOME))
        for each in folders:
            shutil.copytree(each, scratch / each.name, symlinks=True)
        scratch.chmod(0o755)
        scratch.rename(copy)
    return copy
