"""The files that are committed, as the gates read them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

CHECKOUT = Path(__file__).parents[3]


@dataclass(frozen=True, slots=True)
class TrackedFile:
    """One committed file; `lines` is None where it is no text."""

    path: str
    size: int
    lines: tuple[str, ...] | None

    def is_within(self, *folders: str) -> bool:
        return self.path.startswith(tuple(f"{folder}/" for folder in folders))


@cache
def tracked_files() -> tuple[TrackedFile, ...]:
    """All files that git tracks in this checkout and that are still there."""
    listed = subprocess.run(
        ["git", "-c", f"safe.directory={CHECKOUT}", "ls-files", "-z"],
        cwd=CHECKOUT,
        capture_output=True,
        check=True,
    ).stdout.decode()
    names = [name for name in listed.split("\0") if name and (CHECKOUT / name).is_file()]
    return tuple(_read(name) for name in names)


def _read(name: str) -> TrackedFile:
    content = (CHECKOUT / name).read_bytes()
    try:
        lines = None if b"\0" in content else tuple(content.decode("utf-8").splitlines())
    except UnicodeDecodeError:
        lines = None
    return TrackedFile(name, len(content), lines)


def places_of(pattern: re.Pattern[str], *, within: tuple[str, ...] = ()) -> Iterator[str]:
    """`path:line: text` of every match in the committed text files (of some folders)."""
    for file in tracked_files():
        if within and not file.is_within(*within):
            continue
        for number, line in enumerate(file.lines or (), start=1):
            if pattern.search(line):
                yield f"{file.path}:{number}: {line.strip()[:120]}"
