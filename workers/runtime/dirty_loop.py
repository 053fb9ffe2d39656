"""Computes records marked in `ops.dirty`, beside the records that a driver feeds."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog

from connectors.postgres.dirty import DirtyItem, claim_dirty
from connectors.postgres.pool import transaction
from schemas.results import Retryable
from workers.context import WorkerContext
from workers.runtime.delivery import Delivery
from workers.runtime.processor import Processor, RecomputesDirty

_CHUNK = 200
_IDLE_SECONDS = 0.2


async def recompute_forever(processor: Processor, context: WorkerContext) -> None:
    """Works through the marks of this worker, a chunk a time, until cancelled."""
    if not isinstance(processor, RecomputesDirty):
        return
    delivery = Delivery(processor, context.relay, context.clock, context.metrics)
    log = structlog.get_logger(worker=processor.worker)
    while True:
        try:
            worked = await _chunk(processor, context, delivery)
        except Retryable as problem:
            log.warning("marked records wait for a dependency", problem=str(problem))
            worked = False
        if not worked:
            await asyncio.sleep(_IDLE_SECONDS)


async def _chunk(processor: RecomputesDirty, context: WorkerContext, delivery: Delivery) -> bool:
    """Claims, computes and only then forgets a chunk; a crash in between leaves the marks."""
    async with transaction(context.pool) as connection:
        items: Sequence[DirtyItem] = await claim_dirty(connection, context.worker, _CHUNK)
        if items:
            await delivery.handle_dirty(items, processor.process_dirty)
    return bool(items)
