"""What every committed file keeps to."""

from __future__ import annotations

import re

import pytest

from tests.unit.gates.tracked import places_of, tracked_files

LONGEST_FILE_LINES = 400
LARGEST_FILE_BYTES = 1024 * 1024
PRODUCT = ("schemas", "streams", "connectors", "workers", "deploy")
# in parts, so that this file does not name them itself
MACHINE_PATHS = ("/" + "work/(main|steering)", "/" + "root/", "/" + "farm/", "/" + "Users/")
REGISTRY_HOSTS = (
    "pypi" + ".org",
    "pythonhosted" + ".org",
    "npmjs" + ".(org|com)",
    "repo1?" + r"\.maven",
    "crates" + r"\.io",
    "deb" + r"\.debian",
)
FORBIDDEN = {
    "path of a machine": (re.compile("|".join(MACHINE_PATHS)), ()),
    "host of a registry": (re.compile("|".join(REGISTRY_HOSTS)), ()),
    "unfinished code": (re.compile(r"\b(NotImplementedError|TO" + r"DO|FIX" + r"ME)\b"), ()),
    "swallowed exception": (re.compile(r"except( Exception)?:\s*(pass)?$"), PRODUCT),
    "test that sleeps": (re.compile(r"(time|asyncio)\.sleep\("), ("tests",)),  # see TESTS_ALONE
    "test that is skipped": (re.compile(r"pytest\.(mark\.)?(skip|xfail)"), ("tests",)),
}
TESTS_ALONE = {"test that sleeps"}
"""Rules for `test_*.py`: what paces a load or slows a mutant down has to sleep."""


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_committed_file_holds(what: str) -> None:
    pattern, folders = FORBIDDEN[what]
    own = f"{__name__.replace('.', '/')}.py"
    found = [place for place in places_of(pattern, within=folders) if own not in place]
    if what in TESTS_ALONE:
        found = [place for place in found if "/test_" in place.partition(":")[0]]
    assert found == []


def test_no_python_file_is_longer_than_a_reader_follows() -> None:
    long = {
        file.path: len(file.lines)
        for file in tracked_files()
        if file.lines and file.path.endswith(".py") and len(file.lines) > LONGEST_FILE_LINES
    }
    assert long == {}


def test_no_file_is_large() -> None:
    assert {
        file.path: file.size for file in tracked_files() if file.size > LARGEST_FILE_BYTES
    } == {}
