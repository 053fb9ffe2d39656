"""Which scored pairs are candidates."""

from __future__ import annotations

from typing import Any

import pytest

from streams.match.policy import MatchingPolicy
from streams.match.records import MatchRecord
from streams.match.scored_pair import ScoredPair
from streams.match.scoring import score_candidates
from streams.match.statistics import EMPTY
from streams.packs import load_pack
from tests.unit.match.records_at_hand import deal, shipped_model
from workers.matching_rules import MatchingRules

PACK = load_pack("pod")
RULES = MatchingRules(
    PACK.name, ("left", "right"), MatchingPolicy.parse(PACK.file("matching.yaml")), shipped_model()
)


def _candidates(one: MatchRecord, other: MatchRecord) -> list[ScoredPair]:
    pairs = score_candidates(
        one, [other], EMPTY, shipped_model(), left_side="left", worth=RULES.worth
    )
    return [pair for pair in pairs if RULES.keeps(pair)]


def _renamed_and_moved(**both: Any) -> tuple[MatchRecord, MatchRecord]:
    """One deal, whose company has another name and web domain on each side."""
    fields = {"title": "Data lake migration", **both}
    old = deal("left", "1", "Orlanda Textiles", domain="orlanda.example", **fields)
    new = deal("right", "2", "Kettle Robotics", domain="kettle.example", **fields)
    return old, new


def test_deals_that_are_alike_are_no_candidate_where_companies_differ() -> None:
    assert not _candidates(*_renamed_and_moved())


@pytest.mark.parametrize(
    "link",
    [
        {"account_ids": ["123456789012"]},
        {"contact_emails": ["jo@kettle.example"]},
        {"former_ids": ["7"], "partner_crm_id": "7"},
    ],
    ids=["account", "mailbox", "id"],
)
def test_a_link_keeps_the_deal_of_a_renamed_company(link: dict[str, Any]) -> None:
    assert _candidates(*_renamed_and_moved(**link))


def test_a_link_alone_makes_no_candidate() -> None:
    """The company's other deal: an account in common, and nothing else."""
    one = deal("left", "1", "Orlanda Textiles", "Data lake", account_ids=["123456789012"])
    other = deal(
        "right", "2", "Kettle Robotics", "Contact centre", account_ids=["123456789012"],
        created_at="2025-01-10T00:00:00Z", expected_close="2025-03-01",
    )  # fmt: skip
    assert not _candidates(one, other)
