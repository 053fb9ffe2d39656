"""Names of the curated list are one company to the matcher too (MATCH-12)."""

from __future__ import annotations

from tests.integration.match.test_match_worker import ACME, TWIN, Matching, matching

__all__ = ["matching"]


async def test_names_without_a_letter_in_common_find_each_other_by_the_list(
    matching: Matching,
) -> None:
    unknown = {"website": None, "normalized_domain": None}
    written = {
        "company_name": "Amazon Web Services, Inc.",
        "normalized_company": "amazon web services",
    }
    short = {"company_name": "AWS", "normalized_company": "aws", "title": ACME["title"]}
    batch = [
        await matching.put("odoo", "1", ACME | unknown | written),
        await matching.put("ace", "O1", TWIN | unknown | short),
    ]
    await matching.processor.process(batch)
    event = (await matching.events())["1", "O1"]
    assert event["evidence"]["company_probability"] > 0.9
