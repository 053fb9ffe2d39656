"""One changed deal against many others: the CPU time from the record to its assigned pairs."""

from __future__ import annotations

import time
from collections.abc import Sequence

import orjson

from streams.match.assignment import assign
from streams.match.candidates import MemoryIndex, Prefilter, find_candidates
from streams.match.model import MatcherModel
from streams.match.records import MatchRecord
from streams.match.scoring import score_candidates
from streams.match.statistics import CorpusStatistics
from tests.benchmarks.figures import Figure, percentile
from tests.benchmarks.match.generated_rows import deal_fields
from workers.file_matching.model_files import load_model

MEDIAN_MS, SLOWEST_MS = 10.0, 40.0
_SEED = 40


def streaming_figures(records: int, changes: int) -> list[Figure]:
    """p50 and p99 of a change, without encoder, vector search and database, all being new to it.

    The candidates come from an index in memory; every one is read and prepared for the first time,
    as after a start of the worker.
    """
    model = load_model(None)
    others = [
        MatchRecord.from_fields("right", f"r{number}", fields)
        for number, fields in enumerate(deal_fields(records, _SEED))
    ]
    statistics = CorpusStatistics.build(others)
    index = MemoryIndex(others)
    changed = [
        MatchRecord.from_fields("left", f"l{number}", fields)
        for number, fields in enumerate(deal_fields(records, _SEED + 1))
        if number < changes
    ]
    times: list[float] = []
    candidates = 0
    for record in changed:
        started = time.thread_time()
        found = find_candidates(record, "right", index, statistics, prefilter=Prefilter())
        _assigned(record, found, statistics, model)
        times.append((time.thread_time() - started) * 1000)
        candidates += len(found)
    name = f"one change against {records:,}"
    return [
        _within(f"{name}, p50", percentile(times, 0.5), MEDIAN_MS),
        _within(f"{name}, p99", percentile(times, 0.99), SLOWEST_MS),
        Figure(f"{name}, candidates a change", candidates / changes, "pairs"),
    ]


def _assigned(
    record: MatchRecord,
    found: Sequence[MatchRecord],
    statistics: CorpusStatistics,
    model: MatcherModel,
) -> int:
    pairs = score_candidates(record, found, statistics, model, left_side="left")
    assigned = assign(pairs, [], [], model, tenant="home", pack="pod")
    return len(orjson.dumps([pair.to_json() for pair in assigned.pairs]))


def _within(name: str, value: float, limit: float) -> Figure:
    return Figure(name, value, "ms CPU", limit, "limit", limit / value, 1.0)
