"""Names of the curated list are one company to the matcher too (MATCH-12)."""

from __future__ import annotations

from connectors.postgres.matches import Place
from tests.integration.match.at_hand import ACME, TWIN, Matching
from tests.platform import work_off_marks
from workers.match_statistics import statistics_item

NO_DOMAIN = {"website": None, "normalized_domain": None}


async def test_names_without_a_letter_in_common_find_each_other_by_the_list(
    matching: Matching,
) -> None:
    written = {
        "company_name": "Amazon Web Services, Inc.",
        "normalized_company": "amazon web services",
    }
    short = {"company_name": "AWS", "normalized_company": "aws", "title": ACME["title"]}
    batch = [
        await matching.put("odoo", "1", ACME | NO_DOMAIN | written),
        await matching.put("ace", "O1", TWIN | NO_DOMAIN | short),
    ]
    await matching.processor.process(batch)
    event = (await matching.events())["1", "O1"]
    assert event["evidence"]["company_probability"] > 0.9


async def test_a_confirmation_teaches_names_that_later_deals_are_found_by(
    matching: Matching,
) -> None:
    old = {"company_name": "Lumenor Freight GmbH", "normalized_company": "lumenor freight"}
    new = {"company_name": "Quayline AG", "normalized_company": "quayline"}
    await matching.processor.process(
        [
            await matching.put("odoo", "1", ACME | NO_DOMAIN | old),
            await matching.put("ace", "O1", TWIN | NO_DOMAIN | new),
        ]
    )
    assert (await matching.statuses()).get(("1", "O1")) != "auto"
    await matching.said("confirm", "1", "O1")
    item = statistics_item(Place("home", "pod"), "people confirmed other names")
    await matching.processor.process_dirty([item])
    await work_off_marks(matching.pool, matching.processor, "match")
    later = {
        "title": "Print shop colour pipeline",
        "description": "Colours are computed in the cloud.",
    }
    await matching.processor.process(
        [
            await matching.put("odoo", "2", ACME | NO_DOMAIN | old | later),
            await matching.put("ace", "O2", TWIN | NO_DOMAIN | new | later),
        ]
    )
    event = (await matching.events())["2", "O2"]
    assert event["evidence"]["company_probability"] > 0.9
