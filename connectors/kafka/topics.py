"""Bringing the broker's topics to what the catalogue declares (design.md section 4).

First the difference, then its application: create, add partitions, set configuration. Nothing is ever
deleted, and a setting that the catalogue does not speak of is left as it is.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import stamina
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from schemas.results import Retryable
from schemas.topics import Topic

_SET_ON_TOPIC = 1  # DescribeConfigs: the value was set on the topic itself, it is no default
_TOLD_WITHIN_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class BrokerTopic:
    """A topic as the broker has it; `configuration` holds its effective settings."""

    name: str
    partitions: int
    replication_factor: int
    configuration: Mapping[str, str]
    own_settings: Mapping[str, str] = field(default_factory=dict)


class Action(StrEnum):
    CREATE = "create"
    ADD_PARTITIONS = "add partitions"
    CONFIGURE = "configure"
    KEEP_PARTITIONS = "keep partitions"
    """The broker has more partitions than declared: Kafka cannot take any away."""


@dataclass(frozen=True, slots=True)
class TopicChange:
    """One difference between the catalogue and the broker; `settings` name -> (is, shall be)."""

    action: Action
    topic: Topic
    partitions: tuple[int, int] = (0, 0)
    settings: Mapping[str, tuple[str | None, str]] = field(default_factory=dict)

    @property
    def detail(self) -> str:
        """The difference in words."""
        if self.action is Action.CREATE:
            return f"{self.topic.partitions} partitions, {_told(self.topic.configuration())}"
        if self.action is Action.CONFIGURE:
            return ", ".join(
                f"{name}: {now or 'default'} -> {wanted}"
                for name, (now, wanted) in sorted(self.settings.items())
            )
        return f"{self.partitions[0]} -> {self.partitions[1]}"


def difference(
    declared: Iterable[Topic], broker: Mapping[str, BrokerTopic]
) -> tuple[TopicChange, ...]:
    """What must change on the broker, topic by topic in the order of the catalogue."""
    changes: list[TopicChange] = []
    for topic in declared:
        real = broker.get(topic.name)
        if real is None:
            changes.append(TopicChange(Action.CREATE, topic))
            continue
        if real.partitions != topic.partitions:
            more = topic.partitions > real.partitions
            changes.append(
                TopicChange(
                    Action.ADD_PARTITIONS if more else Action.KEEP_PARTITIONS,
                    topic,
                    partitions=(real.partitions, topic.partitions),
                )
            )
        settings = {
            name: (real.configuration.get(name), wanted)
            for name, wanted in topic.configuration().items()
            if real.configuration.get(name) != wanted
        }
        if settings:
            changes.append(TopicChange(Action.CONFIGURE, topic, settings=settings))
    return tuple(changes)


async def broker_topics(client_options: Mapping[str, Any]) -> dict[str, BrokerTopic]:
    """The broker's topics by name, its internal ones left out. Raises Retryable while it is away."""
    async with _admin(client_options) as admin:
        described = [one for one in await admin.describe_topics() if not one["is_internal"]]
        settings = await _settings(admin, [one["topic"] for one in described])
        return {
            one["topic"]: BrokerTopic(
                name=one["topic"],
                partitions=len(one["partitions"]),
                replication_factor=min(
                    (len(part["replicas"]) for part in one["partitions"]), default=0
                ),
                configuration=settings[one["topic"]][0],
                own_settings=settings[one["topic"]][1],
            )
            for one in described
        }


async def apply_changes(
    client_options: Mapping[str, Any], changes: Sequence[TopicChange], *, replication_factor: int
) -> None:
    """Carries out `changes` and returns when the broker tells of them.

    Raises Retryable while the broker is away, TopicRefused by its reason.
    """
    async with _admin(client_options) as admin:
        await _create(admin, changes, replication_factor)
        for change in changes:
            if change.action is Action.ADD_PARTITIONS:
                await admin.create_partitions(
                    {change.topic.name: NewPartitions(change.partitions[1])}
                )
        await _configure(admin, [one for one in changes if one.action is Action.CONFIGURE])
    await _until_told(client_options, changes)


async def _until_told(client_options: Mapping[str, Any], changes: Sequence[TopicChange]) -> None:
    """Waits for the brokers' own picture: it follows the controller, which accepted the changes."""
    declared = [one.topic for one in changes]
    async for attempt in stamina.retry_context(
        on=Retryable, attempts=None, timeout=_TOLD_WITHIN_SECONDS, wait_initial=0.05, wait_max=1.0
    ):
        with attempt:
            left = difference(declared, await broker_topics(client_options))
            waiting = [one.topic.name for one in left if one.action is not Action.KEEP_PARTITIONS]
            if waiting:
                raise Retryable(f"Kafka does not tell of its changed topics: {', '.join(waiting)}")


class TopicRefused(RuntimeError):  # noqa: N818 - it tells the operator what the broker said
    """The broker did not accept a topic's declaration."""


@asynccontextmanager
async def _admin(client_options: Mapping[str, Any]) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(**client_options)
    try:
        await admin.start()
        yield admin
    except (KafkaError, OSError) as problem:
        raise Retryable(f"Kafka: {type(problem).__name__}: {problem}") from problem
    finally:
        await admin.close()


async def _settings(
    admin: AIOKafkaAdminClient, names: Sequence[str]
) -> dict[str, tuple[dict[str, str], dict[str, str]]]:
    """Effective settings of topics, and those among them that were set on the topic itself."""
    if not names:
        return {}
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    found: dict[str, tuple[dict[str, str], dict[str, str]]] = {}
    for response in await admin.describe_configs(resources):
        for resource in response.to_object()["resources"]:
            _refuse(resource["resource_name"], resource["error_code"], resource["error_message"])
            entries = resource["config_entries"]
            found[resource["resource_name"]] = (
                {one["config_names"]: one["config_value"] for one in entries},
                {
                    one["config_names"]: one["config_value"]
                    for one in entries
                    if one["config_source"] == _SET_ON_TOPIC
                },
            )
    return found


async def _create(
    admin: AIOKafkaAdminClient, changes: Sequence[TopicChange], replication_factor: int
) -> None:
    new = [
        NewTopic(
            one.topic.name,
            one.topic.partitions,
            replication_factor,
            topic_configs=one.topic.configuration(),
        )
        for one in changes
        if one.action is Action.CREATE
    ]
    if not new:
        return
    response: Any = await admin.create_topics(new)
    for topic, code, message in response.topic_errors:
        if code != TopicAlreadyExistsError.errno:
            _refuse(topic, code, message)


async def _configure(admin: AIOKafkaAdminClient, changes: Sequence[TopicChange]) -> None:
    """Sets the declared values beside the topic's own others: the request replaces all of them."""
    if not changes:
        return
    now = await _settings(admin, [one.topic.name for one in changes])
    resources = [
        ConfigResource(
            ConfigResourceType.TOPIC,
            one.topic.name,
            configs=now[one.topic.name][1] | one.topic.configuration(),
        )
        for one in changes
    ]
    for response in await admin.alter_configs(resources):
        for resource in response.to_object()["resources"]:
            _refuse(resource["resource_name"], resource["error_code"], resource["error_message"])


def _refuse(topic: str, code: int, message: str | None) -> None:
    if code:
        raise TopicRefused(f"{topic}: {for_code(code).__name__}: {message or 'no more is said'}")


def _told(settings: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in sorted(settings.items()))
