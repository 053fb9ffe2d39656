"""The difference between the declared topics and the broker's."""

from __future__ import annotations

from datetime import timedelta

from connectors.kafka.topics import Action, BrokerTopic, difference
from schemas.topics import Topic

TOPIC = Topic("a", "key", "purpose", partitions=4, retention=timedelta(days=1))


def on_broker(topic: Topic, partitions: int | None = None, **settings: str) -> BrokerTopic:
    configuration = topic.configuration() | {"segment.bytes": "1"} | settings
    return BrokerTopic(topic.name, partitions or topic.partitions, 1, configuration)


def test_a_topic_as_declared_is_left_alone() -> None:
    assert difference([TOPIC], {"a": on_broker(TOPIC), "foreign": on_broker(TOPIC)}) == ()


def test_a_missing_topic_is_created() -> None:
    [change] = difference([TOPIC], {})
    assert change.action is Action.CREATE
    assert "4 partitions" in change.detail
    assert "retention.ms=86400000" in change.detail


def test_partitions_are_added_and_never_taken_away() -> None:
    [more] = difference([TOPIC], {"a": on_broker(TOPIC, partitions=2)})
    [fewer] = difference([TOPIC], {"a": on_broker(TOPIC, partitions=8)})
    assert (more.action, more.detail) == (Action.ADD_PARTITIONS, "2 -> 4")
    assert (fewer.action, fewer.detail) == (Action.KEEP_PARTITIONS, "8 -> 4")


def test_only_declared_settings_that_differ_are_set() -> None:
    [change] = difference([TOPIC], {"a": on_broker(TOPIC, **{"retention.ms": "5"})})
    assert change.action is Action.CONFIGURE
    assert change.detail == "retention.ms: 5 -> 86400000"
