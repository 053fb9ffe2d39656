"""Kafka, Connect and PostgreSQL together: brought up, killed, taken down."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from deploy.local.identity import ProcessIdentity, marked_processes
from deploy.local.ports import is_free
from deploy.local.settings import CONNECT, INFRASTRUCTURE, KAFKA, POSTGRES
from deploy.local.stack import LocalStack
from tests.conditions import eventually
from tests.stack import RunningStack, own_stack

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def disposable() -> Iterator[RunningStack]:
    """A whole stack whose processes may be killed."""
    with own_stack() as local:
        local.up_infrastructure(owner=ProcessIdentity.own())
        yield RunningStack(local)


def _running(local: LocalStack) -> dict[str, ProcessIdentity]:
    return {each.name: each.process for each in local.state().processes if each.process}


def test_two_stacks_run_side_by_side_and_leave_nothing() -> None:
    with ExitStack() as both:
        stacks = [both.enter_context(own_stack()) for _ in range(2)]
        with ThreadPoolExecutor(2) as threads:
            states = list(
                threads.map(
                    lambda local: local.up_infrastructure(owner=ProcessIdentity.own()), stacks
                )
            )
        assert all(state.is_ready(name) for state in states for name in INFRASTRUCTURE)
        assert not set(_running(stacks[0]).values()) & set(_running(stacks[1]).values())
        with ThreadPoolExecutor(2) as threads:
            list(threads.map(LocalStack.down, stacks))
        for local in stacks:
            ports = local.settings.ports
            assert list(marked_processes(local.settings.data_dir)) == []
            assert all(is_free(port) for name in INFRASTRUCTURE for port in ports.of(name).values())


def test_up_finds_the_running_stack_and_leaves_it_alone(disposable: RunningStack) -> None:
    before = _running(disposable.local)
    steps: list[str] = []
    disposable.local.up_infrastructure(lambda progress: steps.append(progress.step))
    assert _running(disposable.local) == before
    assert "jars" not in steps


@pytest.mark.parametrize("name", [KAFKA, CONNECT, POSTGRES])
async def test_killed_process_comes_back_with_what_it_had(
    disposable: RunningStack, name: str
) -> None:
    topic = await disposable.new_topic("kept")
    database = disposable.new_database("kept")
    killed = _running(disposable.local)[name]
    killed.send(signal.SIGKILL)

    def all_ready_again() -> bool:
        state = disposable.local.state()
        found = state.process(name)
        return bool(found and found.process != killed) and all(
            state.is_ready(each) for each in INFRASTRUCTURE
        )

    eventually(all_ready_again, f"{name} is ready again")
    async with disposable.admin() as admin:
        assert topic in await admin.list_topics()
    assert database.rsplit("/", 1)[1] in disposable.databases()
