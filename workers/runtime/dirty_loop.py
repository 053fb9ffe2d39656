"""Computes records marked in `ops.dirty`, beside the records that a driver feeds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog

from connectors.postgres.dirty import DirtyItem, claim_dirty, forget_dirty
from connectors.postgres.pool import Pool, transaction
from schemas.results import Retryable
from workers.context import WorkerContext
from workers.runtime.delivery import Delivery
from workers.runtime.processor import Processor, RecomputesDirty, most_marks

_CHUNK = 200
_IDLE_SECONDS = 0.2
_LEASE_SECONDS = 30.0


async def recompute_forever(processor: Processor, context: WorkerContext) -> None:
    """Works through the marks of this worker, a chunk a time, until cancelled."""
    if not isinstance(processor, RecomputesDirty):
        return
    delivery = Delivery(processor, context.relay, context.clock, context.metrics)
    log = structlog.get_logger(worker=processor.worker)
    while True:
        try:
            worked = await recompute_chunk(processor, context, delivery)
        except Retryable as problem:
            log.warning("marked records wait for a dependency", problem=str(problem))
            worked = False
        if not worked:
            await asyncio.sleep(_IDLE_SECONDS)


async def recompute_chunk(
    processor: RecomputesDirty,
    context: WorkerContext,
    delivery: Delivery,
    *,
    lease_seconds: float = _LEASE_SECONDS,
) -> bool:
    """Computes a chunk of this worker's marks; whether there was one. Raises Retryable."""
    return await compute_marked(
        context.pool,
        context.worker,
        lambda items: delivery.handle_dirty(items, processor.process_dirty),
        most=most_marks(processor, _CHUNK),
        lease_seconds=lease_seconds,
    )


async def compute_marked(
    pool: Pool,
    worker: str,
    compute: Callable[[Sequence[DirtyItem]], Awaitable[None]],
    *,
    most: int = _CHUNK,
    lease_seconds: float = _LEASE_SECONDS,
) -> bool:
    """Claims, computes and only then forgets a chunk; whether there was one. Raises Retryable.

    A crash in between leaves the marks; a mark that is set meanwhile stays.
    """
    async with transaction(pool) as connection:
        claims = await claim_dirty(connection, worker, most, lease_seconds=lease_seconds)
    if not claims:
        return False
    await compute([one.item for one in claims])
    async with transaction(pool) as connection:
        await forget_dirty(connection, worker, claims)
    return True
