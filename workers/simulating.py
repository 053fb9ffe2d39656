"""Runs a draft of the rules over stored decisions, in several processes, without any effect (CFG-10)."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime

import orjson

from connectors.postgres.decisions import past_decisions
from connectors.postgres.pool import Pool, connection
from streams.decide.rule_files import rules_from_body
from streams.decide.rule_sets import CompiledRules, compile_rules
from streams.decide.simulation import PastDecision, Simulation, simulate

_PAGE = 2_000
_FIRST_ID = "00000000-0000-0000-0000-000000000000"

Row = tuple[str, str, str, date, str, str]
"""Decision id, left, right, day, outcome, facts as JSON."""


@dataclass(frozen=True, slots=True)
class History:
    """Which decisions are judged again: the newest of each pair, or all of a period."""

    tenant: str
    pack: str
    since: datetime | None = None
    until: datetime | None = None
    newest: bool = True


async def simulate_history(
    pool: Pool,
    history: History,
    active_body: str,
    draft_body: str,
    *,
    processes: int | None = None,
    on_progress: Callable[[int], None] = lambda _done: None,
) -> Simulation:
    """What the draft would change. One page of history is judged in this process, more in others."""
    total = Simulation()
    first = await _page(pool, history, _FIRST_ID)
    if len(first) < _PAGE:
        return await asyncio.to_thread(
            _judged,
            _compiled(history.pack, active_body),
            _compiled(history.pack, draft_body),
            first,
        )
    count = processes or max(1, os.cpu_count() or 1)
    with ProcessPoolExecutor(
        count,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin,
        initargs=(history.pack, active_body, draft_body),
    ) as executor:
        running: set[asyncio.Future[Simulation]] = set()
        page = first
        loop = asyncio.get_running_loop()
        while page:
            running.add(loop.run_in_executor(executor, _judge_page, page))
            if len(running) > count:
                done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                _add(total, done, on_progress)
            page = await _page(pool, history, page[-1][0])
        if running:
            done, _ = await asyncio.wait(running)
            _add(total, done, on_progress)
    total.flips.sort(key=lambda flip: (flip.left, flip.right, flip.decision_id))
    return total


async def _page(pool: Pool, history: History, after: str) -> list[Row]:
    async with connection(pool) as reading:
        return await past_decisions(
            reading,
            history.tenant,
            history.pack,
            since=history.since,
            until=history.until,
            newest=history.newest,
            after=after,
            limit=_PAGE,
        )


def _add(
    total: Simulation, done: set[asyncio.Future[Simulation]], on_progress: Callable[[int], None]
) -> None:
    for future in done:
        total.add(future.result())
    on_progress(total.judged)


_rules: list[CompiledRules] = []
"""The active and the draft rules of a simulating process."""


def _begin(pack: str, active_body: str, draft_body: str) -> None:
    _rules[:] = [_compiled(pack, active_body), _compiled(pack, draft_body)]


def _judge_page(rows: Sequence[Row]) -> Simulation:
    return _judged(_rules[0], _rules[1], rows)


def _judged(active: CompiledRules, draft: CompiledRules, rows: Sequence[Row]) -> Simulation:
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
