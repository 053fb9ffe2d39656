"""What is installed is pinned by hash, is what the project asks for, and names no address."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.unit.gates.tracked import CHECKOUT, tracked_files

REQUIREMENTS = CHECKOUT / "requirements"
PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text("utf-8"))["project"]
PINNED = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)(?:\[[^]]*\])?==(?P<version>[^ ;\\]+)")
ASKED = {
    "core": ("tracing",),
    "local": ("local", "charts"),
    "dev": ("local", "dev", "bench", "tracing", "charts"),
    "bge": ("bge", "local", "dev"),
}


def _pins(lock: Path) -> dict[str, list[Version]]:
    """The versions of each package; several where they depend on the Python."""
    pins: dict[str, list[Version]] = {}
    for line in lock.read_text("utf-8").splitlines():
        if found := PINNED.match(line):
            pins.setdefault(canonicalize_name(found["name"]), []).append(Version(found["version"]))
    return pins


def _locks() -> list[Path]:
    return sorted(REQUIREMENTS.glob("*.txt"))


def _asked_for(extras: tuple[str, ...]) -> list[Requirement]:
    texts = list(PROJECT["dependencies"])
    for extra in extras:
        texts += PROJECT["optional-dependencies"][extra]
    return [Requirement(text) for text in texts]


@pytest.mark.parametrize("lock", _locks(), ids=lambda lock: lock.name)
def test_lock_pins_every_package_by_hash(lock: Path) -> None:
    entries = re.split(r"^(?=[A-Za-z0-9])", lock.read_text("utf-8"), flags=re.MULTILINE)[1:]
    assert entries
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []


@pytest.mark.parametrize(("lock", "extras"), ASKED.items(), ids=ASKED)
def test_lock_holds_what_the_project_asks_for(lock: str, extras: tuple[str, ...]) -> None:
    pins = _pins(REQUIREMENTS / f"{lock}.txt")
    missing = [
        str(asked)
        for asked in _asked_for(extras)
        if not any(
            asked.specifier.contains(version, prereleases=True)
            for version in pins.get(canonicalize_name(asked.name), [])
        )
    ]
    assert missing == [], "run `make locks`"


def test_kafka_ui_is_locked_as_its_extra_says() -> None:
    lines = (REQUIREMENTS / "ui.in").read_text("utf-8").splitlines()
    assert [line for line in lines if not line.startswith("#")] == (
        PROJECT["optional-dependencies"]["ui"]
    )


@pytest.mark.parametrize("lock", ["core", "local", "dev", "ui"])
def test_light_install_has_no_torch(lock: str) -> None:
    heavy = {"torch", "transformers", "sentence-transformers"}
    assert not heavy & _pins(REQUIREMENTS / f"{lock}.txt").keys()


def test_locks_agree_on_each_version() -> None:
    every = _pins(REQUIREMENTS / "dev.txt")
    for lock in ("build", "core", "local"):
        pins = _pins(REQUIREMENTS / f"{lock}.txt")
        assert pins == {name: every[name] for name in pins}, lock


def test_no_lock_names_a_download_address() -> None:
    locks = [
        file
        for file in tracked_files()
        if file.is_within("requirements")
        or file.path.endswith((".lock", "jars.lock.json", "package-lock.json"))
    ]
    assert locks
    named = [
        f"{file.path}: {line}"
        for file in locks
        for line in file.lines or ()
        if re.search(r"https?://|--(extra-)?index-url|--find-links|\"resolved\":", line)
    ]
    assert named == []
