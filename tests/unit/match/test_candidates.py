"""Candidates: records meet through shared keys, from either side and in any order."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.match.batch import SidePair
from streams.match.candidates import MemoryIndex, Prefilter, find_candidates
from streams.match.keys import KINDS, match_keys
from streams.match.prepared import PreparedRecord
from streams.match.records import MatchRecord
from streams.match.statistics import EMPTY, CorpusStatistics
from tests.unit.match.records_at_hand import company, deal


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ({"name": "INTL BUSINESS MACH"}, {"name": "International Business Machines Corp"}),
        ({"name": "Fuller H B Co"}, {"name": "H. B. Fuller Company"}),
        ({"name": "WindRiver"}, {"name": "Wind River Systems, Inc."}),
        ({"name": "HPE"}, {"name": "Hewlett Packard Enterprise"}),
        ({"name": "Ericcson AB"}, {"name": "Ericsson"}),
        ({"name": "Яндекс"}, {"name": "Yandex N.V."}),
        ({"name": "삼성전자"}, {"name": "Samsung Electronics"}),
        ({"name": "Seguros Akme S.A."}, {"name": "Akme Insurance"}),
        ({"name": "株式会社日立製作所"}, {"name": "Hitachi Ltd"}),
        ({"name": "村田製作所", "country": "JP"}, {"name": "Murata Manufacturing"}),
        ({"name": "우리은행", "city": "서울"}, {"name": "Woori Bank", "city": "Seoul"}),
        ({"name": "Mueller GmbH"}, {"name": "Müller GmbH & Co. KG"}),
        ({"name": "Something Else", "domain": "acme.example"}, {"name": "Acme Ltd"}),
        ({"name": "Acme", "phone": "+49 89 1234567"}, {"name": "Zeta", "phone": "089 1234567"}),
        ({"name": "The RealReal, Inc."}, {"name": "Therealreal"}),
        ({"name": None, "domain": "acme.example"}, {"name": "Acme Holdings"}),
    ],
)
def test_two_writings_of_one_company_share_a_key(
    left: dict[str, str], right: dict[str, str]
) -> None:
    one = MatchRecord.from_fields("left", "1", left)
    other = MatchRecord.from_fields("right", "2", right)
    assert set(match_keys(one)) & set(match_keys(other))


def test_match_keys_come_surest_first_and_without_duplicates() -> None:
    record = deal("left", "1", "Acme Water Ltd", "Data lake", contact_emails="jo@acme.example")
    keys = match_keys(record)
    assert len(set(keys)) == len(keys)
    assert [KINDS.index(key.kind) for key in keys] == sorted(KINDS.index(k.kind) for k in keys)


def test_a_renamed_companys_deal_is_found_by_its_account_and_contact() -> None:
    left = deal("left", "1", "Acme", "Data lake", account_ids="000000000123")
    right = deal("right", "2", "Zorro", "Lake", account_ids="123")
    assert find_candidates(left, "right", MemoryIndex([right]), EMPTY) == [right]
    left = deal("left", "1", "Acme", "Data lake", contact_names="Viktor Ferreira")
    right = deal("right", "2", "Zorro", "Lake", contact_names="V. Ferreira")
    assert find_candidates(left, "right", MemoryIndex([right]), EMPTY) == [right]


def test_find_candidates_leaves_out_rejected_and_adds_neighbours() -> None:
    left = company("left", "1", "Acme")
    same, near = company("right", "2", "Acme"), company("right", "3", "Zorro")
    source = MemoryIndex([same])
    assert find_candidates(left, "right", source, EMPTY, neighbours=[near]) == [same, near]
    assert find_candidates(left, "right", source, EMPTY, rejected=["2"]) == []


def test_find_candidates_of_a_common_name_needs_more_than_the_name() -> None:
    crowd = [company("right", str(n), "Acme", city=f"Town{n % 60}") for n in range(3000)]
    statistics = CorpusStatistics.build(crowd)
    nowhere = company("left", "x", "Acme")
    somewhere = company("left", "y", "Acme", city="Town7")
    source = MemoryIndex(crowd)
    assert find_candidates(nowhere, "right", source, statistics) == []
    assert len(find_candidates(somewhere, "right", source, statistics)) == 50


_FIELDS = st.fixed_dictionaries(
    {
        "name": st.sampled_from(
            ["Acme", "Acme Water", "ACME WTR", "Borealis", "Zorro Foods", None]
        ),
        "domain": st.sampled_from([None, "acme.example", "borealis.example"]),
        "city": st.sampled_from([None, "Oslo"]),
    }
)


@given(st.lists(_FIELDS, max_size=8), st.lists(_FIELDS, max_size=8))
def test_candidates_are_the_same_from_either_side_and_in_bulk(
    lefts: list[dict[str, str]], rights: list[dict[str, str]]
) -> None:
    left = [MatchRecord.from_fields("left", f"l{n}", row) for n, row in enumerate(lefts)]
    right = [MatchRecord.from_fields("right", f"r{n}", row) for n, row in enumerate(rights)]
    statistics = CorpusStatistics.build([*left, *right])
    index = MemoryIndex([*left, *right])
    from_left = {
        (record.id, found.id)
        for record in left
        for found in find_candidates(record, "right", index, statistics)
    }
    from_right = {
        (found.id, record.id)
        for record in right
        for found in find_candidates(record, "left", index, statistics)
    }
    sides = SidePair(
        [PreparedRecord.from_record(record) for record in left],
        [PreparedRecord.from_record(record) for record in right],
    )
    in_bulk = {
        (left[i].id, right[j].id)
        for i, j in zip(sides.left_index.tolist(), sides.right_index.tolist(), strict=True)
    }
    assert from_left == from_right == in_bulk


def test_memory_index_forgets_and_replaces() -> None:
    index = MemoryIndex([company("right", "1", "Acme")])
    index.put(company("right", "1", "Borealis"))
    assert find_candidates(company("left", "x", "Acme"), "right", index, EMPTY) == []
    index.remove("right", "1")
    index.remove("right", "1")
    assert index.records == {}


def test_prefilter_admits_open_records_created_near_each_other() -> None:
    prefilter = Prefilter()
    base = deal("left", "1", "Acme", "Lake")
    assert prefilter.admits(base, deal("right", "2", "Acme", "Lake"))
    old = deal("right", "3", "Acme", "Lake", created_at="2025-08-01T00:00:00Z")
    assert not prefilter.admits(base, old)
    assert not prefilter.admits(base, deal("right", "4", "Acme", "Lake", is_open=False))


def test_prefilter_keeps_won_deals_for_ninety_days() -> None:
    prefilter, base = Prefilter(), deal("left", "1", "Acme", "Lake")
    won = deal("right", "2", "Acme", "Lake", is_open=False, is_won=True)
    assert prefilter.admits(base, won, date(2027, 3, 15))
    assert not prefilter.admits(base, won, date(2027, 3, 16))
