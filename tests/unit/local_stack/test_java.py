"""How Java is started, and how what it learnt comes to later starts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from deploy.local.java import JavaProgram


@pytest.fixture
def program(tmp_path: Path) -> JavaProgram:
    return JavaProgram(
        name="kafka",
        main="kafka.Kafka",
        libraries=tmp_path / "a folder" / "libraries",
        heap_megabytes=384,
        folder=tmp_path / "kafka",
        caches=tmp_path / "shared",
        learns=True,
    )


def _arguments(program: JavaProgram) -> list[str]:
    return (program.folder / "java.args").read_text("utf-8").splitlines()


def test_arguments_keep_paths_with_blanks_whole(program: JavaProgram) -> None:
    program.write_arguments("server.properties")
    assert f'"{program.libraries}/*"' in _arguments(program)
    assert _arguments(program)[-2:] == ['"kafka.Kafka"', '"server.properties"']


def test_first_run_learns_and_later_ones_use_it(program: JavaProgram) -> None:
    program.write_arguments()
    learnt = program.folder / "learnt.aot"
    assert f'"-XX:AOTCacheOutput={learnt}"' in _arguments(program)
    learnt.write_bytes(b"what Java learnt")
    program.share_what_it_learnt()
    program.write_arguments()
    assert f'"-XX:AOTCache={program.cache}"' in _arguments(program)
    assert program.cache.read_bytes() == b"what Java learnt"
    assert not learnt.exists()


def test_run_that_was_killed_leaves_nothing_to_share(program: JavaProgram) -> None:
    program.write_arguments()
    program.share_what_it_learnt()
    assert not program.cache.exists()


def test_other_heap_learns_for_itself(program: JavaProgram) -> None:
    assert replace(program, heap_megabytes=512).cache != program.cache


def test_program_that_may_not_learn_still_uses_what_others_learnt(program: JavaProgram) -> None:
    modest = replace(program, learns=False)
    modest.write_arguments()
    assert not any("AOT" in each for each in _arguments(modest))
    program.caches.mkdir()
    program.cache.touch()
    modest.write_arguments()
    assert f'"-XX:AOTCache={program.cache}"' in _arguments(modest)
