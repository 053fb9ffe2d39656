"""Frozen corpus statistics: independent of order, mergeable, small."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from streams.match.keys import MatchKey
from streams.match.records import MatchRecord
from streams.match.statistics import EMPTY, KEY_LIMIT, CorpusCounts, CorpusStatistics

_NAMES = st.sampled_from(
    ["Acme Energy", "Acme Water", "Borealis Foods", "Cobalt Labs Ltd", "Delta Delta", "Eos"]
)


def _record(number: int, name: str, side: str = "left") -> MatchRecord:
    return MatchRecord.from_fields(side, str(number), {"name": name, "domain": "acme.example"})


@given(st.lists(_NAMES, max_size=20), st.randoms(use_true_random=False))
def test_build_does_not_depend_on_the_order(names: list[str], random: object) -> None:
    records = [_record(number, name) for number, name in enumerate(names)]
    shuffled = list(records)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert CorpusStatistics.build(shuffled) == CorpusStatistics.build(records)


@given(st.lists(_NAMES, max_size=20), st.integers(0, 20))
def test_merged_counts_equal_one_count_over_all(names: list[str], cut: int) -> None:
    records = [_record(number, name) for number, name in enumerate(names)]
    first, second = CorpusCounts(), CorpusCounts()
    for record in records[:cut]:
        first.add(record)
    for record in records[cut:]:
        second.add(record)
    first.merge(second)
    assert first.snapshot() == CorpusStatistics.build(records)


def test_version_follows_the_content() -> None:
    one = CorpusStatistics.build([_record(1, "Acme"), _record(2, "Acme")])
    two = CorpusStatistics.build([_record(1, "Borealis"), _record(2, "Borealis")])
    assert one.version != two.version
    assert CorpusStatistics.from_json(json.loads(json.dumps(one.to_json()))) == one


def test_word_weight_falls_with_frequency_and_for_descriptors() -> None:
    records = [_record(number, f"Acme Unit{number} Borealis{number % 2}") for number in range(60)]
    statistics = CorpusStatistics.build(records)
    rare, common = statistics.word_weight("unit7"), statistics.word_weight("acme")
    assert 0 < common < rare <= 1
    assert EMPTY.word_weight("services") < EMPTY.word_weight("acme") <= 1
    assert EMPTY.word_weight("the") < 0.1


def test_a_key_that_many_records_hold_is_common() -> None:
    few = CorpusStatistics.build([_record(n, "Acme") for n in range(KEY_LIMIT)])
    many = CorpusStatistics.build([_record(n, "Acme") for n in range(KEY_LIMIT + 1)])
    key = MatchKey("compact", "acme")
    assert not few.is_common(key)
    assert many.is_common(key)


def test_names_sharing_counts_companies_and_not_spellings() -> None:
    records = [
        _record(1, "Acme"),
        _record(2, "Acme Holdings"),
        _record(3, "Borealis"),
    ]
    assert CorpusStatistics.build(records).names_sharing("acme.example") == 2
    assert CorpusStatistics.build(records).names_sharing("other.example") == 1


def test_the_snapshot_of_many_records_stays_small() -> None:
    records = (_record(number, f"Word{number} Unit{number % 7000} Ltd") for number in range(20_000))
    assert len(json.dumps(CorpusStatistics.build(records).to_json())) < 2_000_000
