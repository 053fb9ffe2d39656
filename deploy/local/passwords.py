"""Passwords that each stack makes for itself: there is no default one."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from pathlib import Path

PASSWORD_BYTES = 24


def password_of(path: Path, role: str) -> str:
    """The password of `role`, made on first use and kept in `path`, which only its owner reads."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "r+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        text = file.read()
        passwords: dict[str, str] = json.loads(text) if text else {}
        if role not in passwords:
            passwords[role] = secrets.token_urlsafe(PASSWORD_BYTES)
            file.seek(0)
            file.write(json.dumps(passwords, indent=2, sort_keys=True))
            file.flush()
        return passwords[role]
