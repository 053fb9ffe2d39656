"""What the stack that all integration tests share really is."""

from __future__ import annotations

import aiohttp
import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from tests.stack import RunningStack

pytestmark = pytest.mark.stack

SIXTEEN_MEGABYTES = 16 * 1024 * 1024


async def test_postgres_decodes_logically_and_knows_vectors(stack: RunningStack) -> None:
    connection = await asyncpg.connect(stack.new_database("vectors"))
    try:
        await connection.execute("CREATE EXTENSION vector")
        distance = await connection.fetchval("SELECT '[1,0]'::vector <=> '[0,1]'::vector")
        wal_level = await connection.fetchval("SHOW wal_level")
        flushes = await connection.fetchval("SHOW fsync")
    finally:
        await connection.close()
    assert (distance, wal_level, flushes) == (1.0, "logical", "on")


async def test_kafka_passes_a_record_of_sixteen_megabytes(stack: RunningStack) -> None:
    topic = await stack.new_topic("large")
    size = SIXTEEN_MEGABYTES + 1024
    async with AIOKafkaProducer(
        bootstrap_servers=stack.bootstrap_servers, max_request_size=size + 1024
    ) as producer:
        await producer.send_and_wait(topic, bytes(SIXTEEN_MEGABYTES))
    async with AIOKafkaConsumer(
        topic, bootstrap_servers=stack.bootstrap_servers, auto_offset_reset="earliest"
    ) as consumer:
        record = await consumer.getone()
    assert len(record.value) == SIXTEEN_MEGABYTES


async def test_connect_offers_debezium_for_postgres(stack: RunningStack) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{stack.connect_url}/connector-plugins") as answer,
    ):
        classes = {each["class"] for each in await answer.json()}
    assert "io.debezium.connector.postgresql.PostgresConnector" in classes


async def test_kafka_makes_no_topic_by_itself(stack: RunningStack) -> None:
    async with stack.admin() as admin:
        (answer,) = await admin.describe_configs(
            [
                ConfigResource(
                    ConfigResourceType.BROKER, "1", configs={"auto.create.topics.enable": ""}
                )
            ]
        )
    settings = {name: value for name, value, *_ in answer.resources[0][-1]}
    assert settings == {"auto.create.topics.enable": "false"}
