"""Bringing Kafka Connect to what a source's configuration says."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import asyncpg

from connectors.kafka_connect.client import STOPPED, ConnectClient, ConnectorState
from connectors.kafka_connect.configuration import (
    EPOCH_SETTING,
    Configuration,
    ConnectorNames,
    difference,
)
from connectors.postgres.source import source_connection
from connectors.postgres.source_rights import drop_slot
from schemas.results import Retryable

_STOP_SECONDS = 60.0
_START_SECONDS = 60.0
_LOOK_SECONDS = 0.2


class Step(StrEnum):
    """What registration has to do."""

    NOTHING = "nothing"
    CREATE = "create"
    UPDATE = "update"
    BEGIN_ANEW = "new snapshot"
    RESUME = "resume"


@dataclass(frozen=True, slots=True)
class Registration:
    """How a source's connector differs from what is wanted; `settings` name -> (is, shall be)."""

    names: ConnectorNames
    step: Step
    settings: Mapping[str, tuple[str | None, str | None]]
    state: ConnectorState | None


async def compare(
    client: ConnectClient, names: ConnectorNames, wanted: Configuration
) -> Registration:
    """What must be done so that the connector is as `wanted`. Raises Retryable, ConnectRefused."""
    registered = await client.configuration(names.connector)
    if registered is None:
        return Registration(names, Step.CREATE, difference(wanted, {}), None)
    settings = difference(wanted, registered)
    state = await client.state(names.connector)
    if registered.get(EPOCH_SETTING) != wanted[EPOCH_SETTING]:
        step = Step.BEGIN_ANEW
    elif settings or _password_differs(wanted, registered):
        step = Step.UPDATE
    else:
        step = Step.RESUME if state is not None and state.halted else Step.NOTHING
    return Registration(names, step, settings, state)


def _password_differs(wanted: Mapping[str, str], registered: Mapping[str, str]) -> bool:
    return dict(wanted) != {name: value for name, value in registered.items() if name != "name"}


async def register(
    client: ConnectClient, registration: Registration, wanted: Configuration, source_dsn: str
) -> None:
    """Does what `registration` says; safe to repeat after an interruption at any point.

    A connector of another epoch, or one that is not there, begins with nothing: no offsets, no
    slot, and so a snapshot that fits its slot exactly. Raises Retryable, ConnectRefused.
    """
    name = registration.names.connector
    if registration.step in (Step.CREATE, Step.BEGIN_ANEW):
        await _begin_anew(client, registration, wanted, source_dsn)
    elif registration.step is Step.UPDATE:
        await client.register(name, wanted)
        await client.resume(name)
    elif registration.step is Step.RESUME:
        await client.resume(name)


async def _begin_anew(
    client: ConnectClient, registration: Registration, wanted: Configuration, source_dsn: str
) -> None:
    name = registration.names.connector
    if registration.step is Step.CREATE:
        # the epoch marks a beginning that was completed: a crash before that begins once more
        await client.create_stopped(name, wanted | {EPOCH_SETTING: "0"})
    else:
        await client.stop(name)
    await _stopped(client, name)
    await client.forget_offsets(name)
    await remove_slot(source_dsn, registration.names.slot)
    await client.register(name, wanted)
    await client.resume(name)


async def unregister(client: ConnectClient, names: ConnectorNames, source_dsn: str) -> bool:
    """Removes a source's connector, its offsets and its slot; False where there was no connector."""
    state = await client.state(names.connector)
    if state is not None:
        await client.stop(names.connector)
        await _stopped(client, names.connector)
        await client.forget_offsets(names.connector)
        await client.delete(names.connector)
    await remove_slot(source_dsn, names.slot)
    return state is not None


async def running(client: ConnectClient, names: ConnectorNames) -> ConnectorState:
    """The connector's state once its task runs or has failed, or after a minute without either.

    Raises Retryable where the connector is gone.
    """
    end = time.monotonic() + _START_SECONDS
    while True:
        state = await client.state(names.connector)
        settled = state is not None and (state.running or state.failed)
        if settled or time.monotonic() > end:
            break
        await asyncio.sleep(_LOOK_SECONDS)
    if state is None:
        raise Retryable(f"Kafka Connect lost the connector {names.connector}; apply it again")
    return state


async def _stopped(client: ConnectClient, name: str) -> None:
    end = time.monotonic() + _STOP_SECONDS
    while True:
        state = await client.state(name)
        if state is not None and state.state == STOPPED and not state.tasks:
            return
        if time.monotonic() > end:
            raise Retryable(f"the connector {name} does not stop; see the log of Kafka Connect")
        await asyncio.sleep(_LOOK_SECONDS)


async def remove_slot(source_dsn: str, slot: str) -> bool:
    """The slot is gone; False where there was none. Raises Retryable while it is still read from."""
    end = time.monotonic() + _STOP_SECONDS
    while True:
        try:
            async with source_connection(source_dsn) as connection:
                return await drop_slot(connection, slot)
        except asyncpg.ObjectInUseError as problem:
            if time.monotonic() > end:
                raise Retryable(
                    f"the slot {slot} is still in use: end the process that reads from it, which "
                    "pg_replication_slots.active_pid names"
                ) from problem
        await asyncio.sleep(_LOOK_SECONDS)
