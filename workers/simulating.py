"""Runs a draft of the rules over stored decisions, in several processes, without any effect (CFG-10)."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ProcessPoolExecutor

import orjson

from connectors.postgres.decision_history import History, PastRow
from connectors.postgres.pool import Pool, transaction
from streams.decide.rule_files import rules_from_body
from streams.decide.rule_sets import CompiledRules, compile_rules
from streams.decide.simulation import PastDecision, Simulation, simulate

_PAGE = 2_000
"""Decisions at a time: a few MB, a quarter of a second's work."""


async def simulate_history(
    pool: Pool,
    history: History,
    active_body: str,
    draft_body: str,
    *,
    processes: int | None = None,
    page_size: int = _PAGE,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Simulation:
    """What the draft would change. One page of history is judged in this process, more in others.

    `on_progress` hears how many decisions are judged, and of how many.
    """
    total = Simulation()
    async with transaction(pool) as reading:
        await reading.execute("set transaction isolation level repeatable read read only")
        expected = await history.count(reading)
        pages = history.pages(reading, page_size)
        on_progress(0, expected)
        if expected <= page_size:
            rules = _compiled(history.pack, active_body), _compiled(history.pack, draft_body)
            async for page in pages:
                total.add(await asyncio.to_thread(_judged, *rules, page))
        else:
            count = processes or os.cpu_count() or 1
            with _processes(count, history.pack, active_body, draft_body) as executor:
                async for part in _side_by_side(executor, count, pages):
                    total.add(part)
                    on_progress(total.judged, expected)
    total.flips.sort(key=lambda flip: (flip.left, flip.right, flip.decision_id))
    return total


def _processes(count: int, pack: str, active_body: str, draft_body: str) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(
        count,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin,
        initargs=(pack, active_body, draft_body),
    )


async def _side_by_side(
    executor: ProcessPoolExecutor, count: int, pages: AsyncIterator[list[PastRow]]
) -> AsyncIterator[Simulation]:
    """The pages judged by `count` processes. One page more is under way, so that none of them waits
    for the database; memory holds no further ones, however long the history is.
    """
    loop = asyncio.get_running_loop()
    running: set[asyncio.Future[Simulation]] = set()
    async for page in pages:
        running.add(loop.run_in_executor(executor, _judge_page, page))
        if len(running) > count:
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for one in done:
                yield one.result()
    for one in asyncio.as_completed(running):
        yield await one


_rules: list[CompiledRules] = []
"""The active and the draft rules of a simulating process."""


def _begin(pack: str, active_body: str, draft_body: str) -> None:
    _rules[:] = [_compiled(pack, active_body), _compiled(pack, draft_body)]


def _judge_page(rows: Sequence[PastRow]) -> Simulation:
    return _judged(_rules[0], _rules[1], rows)


def _judged(active: CompiledRules, draft: CompiledRules, rows: Sequence[PastRow]) -> Simulation:
    past = (
        PastDecision(found, left, right, as_of, orjson.loads(facts), outcome)
        for found, left, right, as_of, outcome, facts in rows
    )
    return simulate(past, active, draft)


def _compiled(pack: str, body: str) -> CompiledRules:
    return compile_rules(rules_from_body(pack, body))


def summary(simulation: Simulation) -> list[dict[str, str | int]]:
    """A row an outcome: how many before, how many after, the difference."""
    outcomes = sorted({*simulation.before, *simulation.after})
    before, after = Counter(simulation.before), Counter(simulation.after)
    return [
        {
            "outcome": one,
            "before": before[one],
            "after": after[one],
            "change": f"{after[one] - before[one]:+d}",
        }
        for one in outcomes
    ]
