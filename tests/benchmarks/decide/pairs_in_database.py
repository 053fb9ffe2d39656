"""What judging costs with everything read and written, and what a backtest over a history takes."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

import asyncpg
import orjson
import structlog

from connectors.kafka.sending import Outgoing, Sender
from connectors.postgres.decision_history import History
from connectors.postgres.migrations import upgrade
from connectors.postgres.outbox import Outbox
from connectors.postgres.pool import Pool, create_pool, transaction
from schemas.pair_inputs import PairKey
from streams.decide.decisions import facts_json
from streams.decide.documents import Document
from streams.decide.facts import FactSet
from streams.decide.rule_files import effective_rules
from tests.benchmarks.decide.rules import compiled_pack
from tests.benchmarks.decide.sample_facts import AS_OF, fact_sets
from tests.benchmarks.figures import Figure, percentile
from workers.context import WorkerContext
from workers.decide import DecideProcessor, pair_schema
from workers.decide_touches import Cause, Touch
from workers.judging import Judging, Place
from workers.rule_cache import pack_document
from workers.runtime.clock import Clock
from workers.runtime.metrics import WorkerMetrics
from workers.runtime.relay import Relay
from workers.settings import DatabaseSettings, KafkaSettings, Settings
from workers.simulating import simulate_history

_NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)
_PAIRS = 2_000


@asynccontextmanager
async def fresh_database(dsn: str, name: str) -> AsyncIterator[tuple[str, Pool]]:
    """A migrated database beside the given one, dropped at the end."""
    server = await asyncpg.connect(dsn)
    database = f"{name}_{uuid.uuid4().hex[:8]}"
    await server.execute(f'create database "{database}"')
    own = dsn.rsplit("/", 1)[0] + f"/{database}"
    try:
        await asyncio.to_thread(upgrade, own)
        pool = await create_pool(own)
        try:
            yield own, pool
        finally:
            await pool.close()
    finally:
        await server.execute(f'drop database "{database}" with (force)')
        await server.close()


async def database_figures(dsn: str, decisions: int) -> list[Figure]:
    """Latency of one pair, throughput of many, and the time of a backtest."""
    async with fresh_database(dsn, "bench_decide") as (own, pool):
        await _fill(pool)
        worker = DecideProcessor(_context(own, pool))
        first = await _judge_all(worker)
        single = await _single_pairs(worker, pool)
        again = await _judge_all(worker)
        history = await _history(pool, decisions)
        seconds, rate = await _backtest(pool, history)
    return [
        Figure("one pair judged and decided, p50", percentile(single, 0.5), "ms"),
        Figure("one pair judged and decided, p99", percentile(single, 0.99), "ms"),
        Figure("pairs decided in batches", first, "1/s"),
        Figure("pairs found unchanged in batches", again, "1/s"),
        Figure(
            f"backtest of {history:,} decisions",
            seconds,
            "s",
            30.0,
            "limit",
            30.0 / seconds * history / 100_000,
        ),
        Figure(
            "explained evaluations of the backtest",
            rate,
            "1/min",
            1_000_000.0,
            "asked",
            rate / 1_000_000,
        ),
    ]


def _context(dsn: str, pool: Pool) -> WorkerContext:
    settings = Settings(
        database=DatabaseSettings.model_validate({"dsn": dsn}),
        kafka=KafkaSettings.model_validate({"bootstrap_servers": "127.0.0.1:1"}),
    )
    outbox, metrics, clock = Outbox("decide"), WorkerMetrics("decide"), Clock(_NOW)
    sender = _Acknowledging(_no_broker)
    return WorkerContext(
        worker="decide",
        settings=settings,
        pool=pool,
        sender=sender,
        outbox=outbox,
        relay=Relay(pool, sender, outbox, metrics, clock),
        clock=clock,
        metrics=metrics,
        log=structlog.get_logger(),
    )


class _Acknowledging(Sender):
    """Takes every record at once: what is measured ends at the broker's door."""

    async def send(self, records: Sequence[Outgoing]) -> None:
        return


async def _no_broker() -> Any:
    raise AssertionError("there is no broker here")


async def _fill(pool: Pool) -> None:
    """Pairs as they come: a record each side, an account, three months of spend, a match."""
    records: list[tuple[Any, ...]] = []
    matches: list[tuple[Any, ...]] = []
    spend: list[tuple[Any, ...]] = []
    for number in range(_PAIRS):
        account = f"{number:012}"
        shared = {
            "account_ids": [account],
            "normalized_company": f"company {number}",
            "normalized_domain": f"c{number}.example",
            "title": f"deal {number}",
            "description": "x" * 800,
        }
        created = _NOW - timedelta(days=number % 80)
        lead = shared | {
            "created_at": created.isoformat(),
            "eur_status": ("complete", "open", None)[number % 3],
            "eur_completed_at": created.date().isoformat(),
        }
        ace = shared | {
            "origination_raw": ("PO", "PO", "PO", "AO")[number % 4],
            "expected_close": (_NOW + timedelta(number % 120)).date().isoformat(),
        }
        for kind, side, one, fields in (
            ("opportunity", "odoo", str(number), lead),
            ("opportunity", "ace", f"O{number}", ace),
            ("account", "-", f"a{number}", {"account_id": account}),
        ):
            lineage = {name: [[0, name]] for name in fields}
            records.append((
                "home", "pod", kind, side, one, 1, True, f"partner:{number}",
                orjson.dumps(fields).decode(), orjson.dumps(lineage).decode(),
                orjson.dumps([[f"{side}.row", one, 1, 77, "2026-11-19T08:00:00Z"]]).decode(),
            ))  # fmt: skip
        spend.extend(
            ("home", account, date(2026, month, 1), "USD", Decimal(number % 7000), 4, True, 1)
            for month in (8, 9, 10)
        )
        matches.append((
            "home", "pod", str(number), f"O{number}", f"m{number}", 1, "auto", Decimal(1), "domain",
            Decimal("0.97"), Decimal("0.9"), True, '{"literal": {"domain": true, "fuzzy": 0.95}}', "{}",
        ))  # fmt: skip
    await pool.executemany(
        """insert into core.records (tenant, pack, kind, side, id, version, is_open, customer, fields,
             lineage, inputs) values ($1,$2,$3,$4,$5,$6,$7,$8,$9::jsonb,$10::jsonb,$11::jsonb)""",
        records,
    )
    await pool.executemany(
        """insert into core.spend_monthly (tenant, account_id, month, currency, amount, rows, final,
             version) values ($1,$2,$3,$4,$5,$6,$7,$8)""",
        spend,
    )
    await pool.executemany(
        """insert into core.matches (tenant, pack, left_id, right_id, match_id, version, status,
             confidence, confidence_method, probability, rank_score, live, evidence, state)
           values ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13::jsonb,$14::jsonb)""",
        matches,
    )
    await pool.execute(
        """insert into core.billing_months (tenant, source, month, state, marker_state, version)
           values ('home', 'odoo.c_billing_internal_cur', '2026-10-01', 'final', 'final', 1)"""
    )
    await pool.execute(
        """insert into ops.completeness (tenant, source, complete)
           values ('home', 'odoo', true), ('home', 'apn', true)"""
    )
    await pool.execute("analyze")


async def _judge_all(worker: DecideProcessor) -> float:
    """All pairs in the worker's own chunks; pairs a second."""
    touches = {_key(number): Touch(Cause("bench")) for number in range(_PAIRS)}
    began = time.perf_counter()
    await worker._judge(_place(), touches)
    return _PAIRS / (time.perf_counter() - began)


async def _single_pairs(worker: DecideProcessor, pool: Pool) -> list[float]:
    """A changed pair judged by itself, written and committed; milliseconds each."""
    taken: list[float] = []
    for number in range(300):
        await pool.execute(
            "update core.spend_monthly set amount = amount + 0.01 where account_id = $1",
            f"{number:012}",
        )
        began = time.perf_counter()
        async with transaction(pool) as writing:
            judging = Judging(
                writing, _place(), worker._rules, worker._context.outbox, worker._context.clock
            )
            await judging.judge({_key(number): Touch(Cause("bench"))})
        taken.append((time.perf_counter() - began) * 1000)
    return taken


def _key(number: int) -> PairKey:
    return PairKey("home", "pod", str(number), f"O{number}")


@cache
def _place() -> Place:
    return Place("home", "pod", pair_schema(compiled_pack().effective.document.catalogue))


async def _history(pool: Pool, wanted: int) -> int:
    """Adds stored decisions until there are enough, with facts as decisions have them."""
    there = await pool.fetchval("select count(*) from ops.decisions")
    rules = compiled_pack()
    rule_set = rules.sets[0]
    templates: list[tuple[str, str]] = []
    for facts in fact_sets(rule_set.builder, 500):
        evaluation = rule_set.evaluate(FactSet(AS_OF, facts))
        data = facts_json(evaluation, frozenset(facts))
        templates.append((evaluation.outcome, orjson.dumps(data).decode()))
    rows = [
        (uuid.UUID(int=number + 1), str(number), *templates[number % len(templates)])
        for number in range(max(0, wanted - there))
    ]
    for start in range(0, len(rows), 5_000):
        await pool.executemany(
            """insert into ops.decisions (decision_id, tenant, pack, left_id, right_id, version, match_id,
                 outcome, state, provisional, confidence, confidence_method, summary, rules, facts,
                 accounts, if_passed, rule_set, rule_set_version, config_hash, model_version,
                 matcher_version, as_of, fingerprint, trigger, correlation_id, decided_at, processing_ms)
               values ($1, 'home', 'pod', 'h' || $2, 'h' || $2, 1, '', $3, '', false, 1, '', '', '[]',
                 $4::json, '[]', '[]', 'pod', '1', '', '', '', '2026-11-20', '', '{}', '', now(), 0)""",
            rows[start : start + 5_000],
        )
    return there + len(rows)


async def _backtest(pool: Pool, decisions: int) -> tuple[float, float]:
    active = effective_rules(pack_document("pod"))
    overlay = Document("draft", {"overrides": {"spend_threshold": 4000}})
    draft = effective_rules(pack_document("pod"), [overlay])
    began = time.perf_counter()
    found = await simulate_history(
        pool, History("home", "pod", newest=False), active.body, draft.body
    )
    taken = time.perf_counter() - began
    assert found.judged == decisions
    return taken, 2 * decisions / taken * 60
