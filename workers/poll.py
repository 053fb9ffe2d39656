"""The poll worker: looks after the capture of every source, in either mode (STR-11, guarantees 2, 6, 7)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from connectors.postgres.claims import Claims, claims
from workers.capture_control import SourceToCapture, sources_of
from workers.capture_loop import CaptureLoop
from workers.context import WorkerContext
from workers.runtime.bulk import BulkDriver
from workers.snapshot_notices import SnapshotNotices
from workers.tenants import load_tenants


class CaptureService:
    """One loop a source; of several processes each source has one that looks after it."""

    def __init__(self, context: WorkerContext, targets: Sequence[SourceToCapture]) -> None:
        self._context = context
        self._targets = targets

    async def run(self, stop: asyncio.Event) -> None:
        """Works until `stop` is set. A lost claim ends the process: others take over."""
        dsn = self._context.settings.database.dsn.get_secret_value()
        async with claims(dsn) as held, asyncio.TaskGroup() as group:
            notices = SnapshotNotices(self._context, self._targets)
            group.create_task(BulkDriver(notices, self._context).run(stop))
            for target in self._targets:
                group.create_task(self._loop(target, held).run(stop))

    def _loop(self, target: SourceToCapture, held: Claims) -> CaptureLoop:
        return CaptureLoop(self._context, target, held)


def build(context: WorkerContext) -> CaptureService:
    """The poll worker of this installation's tenants."""
    return CaptureService(context, sources_of(load_tenants(context.settings.config.directory)))
