"""Waiting for what a consumer needs before it may start.

A faust agent ignores a missing topic for good, and ends at once when the broker is away
(measurements.md section 3): so both are waited for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import stamina
import structlog
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from schemas.results import Retryable


async def wait_for_topics(client_options: Mapping[str, Any], topics: Sequence[str]) -> None:
    """Returns when the broker has every one of `topics`; waits as long as it takes."""
    log = structlog.get_logger()
    async for attempt in stamina.retry_context(
        on=Retryable, attempts=None, timeout=None, wait_initial=0.2, wait_max=1.0
    ):
        with attempt:
            missing = sorted(set(topics) - await existing_topics(client_options))
            if missing:
                log.warning("waiting for topics; run `revops topics apply`", missing=missing)
                raise Retryable(f"missing topics: {', '.join(missing)}")


async def existing_topics(client_options: Mapping[str, Any]) -> set[str]:
    """Names of the broker's topics. Raises Retryable while the broker is away."""
    admin = AIOKafkaAdminClient(**client_options)
    try:
        await admin.start()
        return set(await admin.list_topics())
    except (KafkaError, OSError) as problem:
        raise Retryable(f"Kafka: {type(problem).__name__}: {problem}") from problem
    finally:
        await admin.close()
