"""Imports billing exports: read and summed by DuckDB, stored month by month (RAW-40, RAW-46).

A month is one transaction. An import that was cut off goes on after the months that it has stored; the
same files a second time change nothing.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from connectors.billing_exports.reading import (
    ExportReader,
    Reading,
    ReadingRules,
    files_in,
    fingerprint,
)
from connectors.postgres.outbox import Outbox
from connectors.postgres.pool import Pool, connection, transaction
from connectors.postgres.spend_imports import (
    SpendImport,
    begin_import,
    count_set_aside,
    find_import,
    finish_import,
    read_month_totals,
    store_month,
)
from connectors.postgres.spend_summaries import WORKER
from workers.cost_explorer import SpendPack
from workers.runtime.clock import Clock

_POLL_SECONDS = 0.2
REJECTS_KEPT = 10_000

Report = Callable[[str, float, float], None]
"""Told of progress: what is being done, how much of it is done, of how much."""


@dataclass(frozen=True)
class ImportPlan:
    """What is to be imported, whose it is and how it is read.

    `export` names the export that the files are of: a later import of it replaces what this one says.
    """

    tenant: str
    spend: SpendPack
    export: str
    files: Sequence[Path]
    rules: ReadingRules
    complete: bool = False
    again: bool = False


@dataclass(frozen=True)
class MonthResult:
    """A month's accounts, and its totals by currency before and after."""

    month: date
    accounts: int
    withdrawn: int
    before: dict[str, object]
    after: dict[str, object]


@dataclass(frozen=True)
class ImportResult:
    """What an import did. `reading` is None where these files had been imported already."""

    import_id: int
    reading: Reading | None
    months: list[MonthResult]
    resumed: tuple[date, ...] = ()
    set_aside: int = 0
    rejects: tuple[list[str], list[tuple[object, ...]]] | None = None


async def import_files(plan: ImportPlan, pool: Pool, clock: Clock, report: Report) -> ImportResult:
    """Imports the files of an export. Raises ExportError, before anything is stored, and Retryable."""
    plan = replace(plan, files=files_in(plan.files))
    read_as = plan.rules.text() + ("/complete" if plan.complete else "")
    mark = await asyncio.to_thread(fingerprint, plan.files, read_as)
    async with connection(pool) as opened:
        known = None
        if not plan.again:
            known = await find_import(opened, plan.tenant, plan.export, mark)
    if known is not None and known.finished:
        return ImportResult(known.import_id, None, [])
    with tempfile.TemporaryDirectory(prefix="revops-import-") as folder:
        reader = ExportReader(plan.files, plan.rules, Path(folder))
        try:
            return await _import(plan, pool, clock, report, reader, mark, known)
        finally:
            reader.close()


async def _import(
    plan: ImportPlan,
    pool: Pool,
    clock: Clock,
    report: Report,
    reader: ExportReader,
    mark: str,
    known: SpendImport | None,
) -> ImportResult:
    reading = await _read(reader, report)
    months = reader.months()
    async with transaction(pool) as opened:
        before = await read_month_totals(opened, plan.tenant, months)
        job = known or await begin_import(
            opened,
            plan.tenant,
            plan.spend.pack.name,
            plan.export,
            reading.standard,
            mark,
            plan.files,
            clock.wall(),
        )
    waiting = [month for month in months if month not in job.months]
    stored: dict[date, tuple[int, int]] = {}
    outbox = Outbox(WORKER)
    async for month, lines in _month_files(reader, waiting):
        report("storing months", len(stored), len(waiting))
        async with transaction(pool) as opened:
            done = await store_month(
                opened, job, month, lines, plan.spend.marker, clock.wall(), complete=plan.complete
            )
            await outbox.put(opened, done.messages)
        lines.unlink()
        stored[month] = done.accounts, done.withdrawn
    report("storing months", len(waiting), len(waiting))
    async with transaction(pool) as opened:
        if months:
            await finish_import(
                opened, job, months[-1], reading.rows, reading.rejected_rows, clock.wall()
            )
        after = await read_month_totals(opened, plan.tenant, months)
        set_aside = await count_set_aside(opened, job)
    results = [
        MonthResult(month, *stored[month], before.get(month, {}), after.get(month, {}))
        for month in waiting
    ]
    rejects = reader.rejected_rows(REJECTS_KEPT) if reading.rejected else None
    return ImportResult(job.import_id, reading, results, job.months, set_aside, rejects)


async def _read(reader: ExportReader, report: Report) -> Reading:
    """Reads in a thread, and tells how far DuckDB is."""
    reading = asyncio.ensure_future(asyncio.to_thread(reader.read))
    while not reading.done():
        report("reading", max(reader.database.query_progress(), 0.0), 100)
        await asyncio.wait({reading}, timeout=_POLL_SECONDS)
    report("reading", 100, 100)
    return reading.result()


async def _month_files(
    reader: ExportReader, months: Sequence[date]
) -> AsyncIterator[tuple[date, Path]]:
    """The months with their lines; the next one's are written while one is stored."""
    ahead = None
    for at, month in enumerate(months):
        lines = await (ahead or asyncio.to_thread(reader.month_file, month))
        following = months[at + 1 : at + 2]
        ahead = None
        if following:
            ahead = asyncio.ensure_future(asyncio.to_thread(reader.month_file, following[0]))
        try:
            yield month, lines
        except BaseException:
            if ahead is not None:
                await asyncio.wait({ahead})  # the reader may not be closed under it
            raise
