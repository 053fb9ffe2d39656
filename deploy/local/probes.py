"""Whether a process really does its work: each asks it something over its own protocol."""

from __future__ import annotations

from collections.abc import Callable

from deploy.local.service import NotReadyError, Probe
from deploy.local.settings import HOST

ANSWER_SECONDS = 2.0


def kafka_answers(port: int) -> Probe:
    """The broker tells its cluster, and there is a controller in it."""

    async def ready() -> None:
        from aiokafka.admin import AIOKafkaAdminClient
        from aiokafka.errors import KafkaError

        client = AIOKafkaAdminClient(
            bootstrap_servers=f"{HOST}:{port}", request_timeout_ms=int(ANSWER_SECONDS * 1000)
        )
        try:
            await client.start()
            cluster = await client.describe_cluster()
        except (KafkaError, OSError) as problem:
            raise NotReadyError(f"the broker does not answer: {problem}") from problem
        finally:
            await client.close()
        if not cluster["brokers"] or cluster["controller_id"] < 0:
            raise NotReadyError("the broker has no controller yet")

    return ready


def postgres_answers(port: int, user: str, password: str) -> Probe:
    """PostgreSQL takes a connection and answers a query."""

    async def ready() -> None:
        import asyncpg

        try:
            connection = await asyncpg.connect(
                host=HOST,
                port=port,
                user=user,
                password=password,
                database="postgres",
                timeout=ANSWER_SECONDS,  # pyright: ignore[reportArgumentType] - floats are taken
            )
            try:
                await connection.fetchval("SELECT 1", timeout=ANSWER_SECONDS)
            finally:
                await connection.close(timeout=ANSWER_SECONDS)
        except (asyncpg.PostgresError, OSError) as problem:
            raise NotReadyError(f"PostgreSQL does not answer: {problem}") from problem

    return ready


def _is_list(body: object) -> bool:
    return isinstance(body, list)


def connect_answers(port: int) -> Probe:
    """Connect lists its connectors; until then it answers 404 with a page of HTML."""
    return _json_answers(f"http://{HOST}:{port}/connectors", _is_list)


def url_answers(url: str) -> Probe:
    """The address answers 2xx."""
    return _json_answers(url, None)


def _json_answers(url: str, accepts: Callable[[object], bool] | None) -> Probe:
    async def ready() -> None:
        import aiohttp

        try:
            async with (
                aiohttp.ClientSession(
                    timeout=aiohttp.ClientTimeout(ANSWER_SECONDS), trust_env=False
                ) as session,
                session.get(url) as answer,
            ):
                answer.raise_for_status()
                accepted = accepts is None or accepts(await answer.json())
        except (aiohttp.ClientError, OSError, ValueError) as problem:
            raise NotReadyError(f"{url} does not answer: {problem}") from problem
        if not accepted:
            raise NotReadyError(f"{url} answers something else")

    return ready
