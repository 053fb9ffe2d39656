"""Positions, placeholders, deletions, truncates and changed keys, on a real database."""

from __future__ import annotations

import itertools

import orjson
import pytest

from schemas.results import DONE, Rejected
from tests.integration.normalise.bench import NormaliseBench
from tests.integration.normalise.source_feed import SourceFeed
from workers.runtime.processor import Incoming

LEAD = {
    "id": 5,
    "name": "Lake",
    "type": "opportunity",
    "active": True,
    "description": "long " * 2000,
}


async def description(bench: NormaliseBench, id: int) -> str | None:
    return (await bench.fields("opportunity", "odoo", id))["description"]


async def test_several_images_of_one_transaction_are_folded_and_computed_once(
    bench: NormaliseBench,
) -> None:
    feed = SourceFeed()
    await bench.feed(
        feed.insert("crm_lead", {**LEAD, "name": "half built"}),
        feed.update("crm_lead", 5, {"name": "nearly"}, unavailable=("description",)),
        feed.update("crm_lead", 5, {"name": "Lake"}, unavailable=("description",)),
    )
    record = await bench.record("opportunity", "odoo", 5)
    assert record is not None
    assert (record["version"], record["fields"]["title"]) == (1, "Lake")
    assert record["fields"]["description"] == ("long " * 2000).strip()


async def test_an_older_change_is_dropped_and_an_equal_one_computed_again(
    bench: NormaliseBench,
) -> None:
    feed = SourceFeed()
    first, second = feed.insert("crm_lead", LEAD), feed.update("crm_lead", 5, {"name": "Ocean"})
    await bench.feed(first, second)
    await bench.feed(first)
    assert (await bench.fields("opportunity", "odoo", 5))["title"] == "Ocean"
    await bench.pool.execute("delete from core.records")
    await bench.feed(second)
    assert (await bench.fields("opportunity", "odoo", 5))["title"] == "Ocean"


async def test_a_new_capture_epoch_stands_above_every_position_before(
    bench: NormaliseBench,
) -> None:
    feed = SourceFeed()
    await bench.feed(feed.insert("crm_lead", LEAD))
    late = feed.update("crm_lead", 5, {"name": "late of epoch 1"})
    feed.epoch = 2
    await bench.feed(feed.snapshot("crm_lead", {**LEAD, "name": "resynced"}))
    await bench.feed(late)
    assert (await bench.fields("opportunity", "odoo", 5))["title"] == "resynced"


async def test_a_deleted_row_keeps_its_image_and_may_come_again(bench: NormaliseBench) -> None:
    feed = SourceFeed()
    await bench.feed(feed.insert("crm_lead", LEAD))
    replayed = feed.update("crm_lead", 5, {"name": "replayed too late"})
    await bench.feed(feed.delete("crm_lead", 5))
    (event,) = await bench.events("core.opportunity")
    assert (event["deleted"], event["version"], event["fields"]["title"]) == (True, 2, "Lake")
    await bench.feed(replayed)
    record = await bench.record("opportunity", "odoo", 5)
    assert record is not None
    assert (record["deleted"], record["is_open"]) == (True, False)
    await bench.feed(feed.insert("crm_lead", {**LEAD, "name": "again"}))
    record = await bench.record("opportunity", "odoo", 5)
    assert record is not None
    assert (record["deleted"], record["version"], record["is_open"]) == (False, 3, True)


@pytest.mark.parametrize("batches", [(0, 1, 2, 3), (0, 1, 3, 2), (3, 0, 1, 2), (0, 3, 1, 2)])
async def test_a_changed_key_takes_the_long_text_from_the_old_row_in_any_order(
    bench: NormaliseBench, batches: tuple[int, ...]
) -> None:
    """The old key's row and the new one travel on different partitions: either may lag."""
    feed = SourceFeed()
    created = feed.insert("crm_lead", {**LEAD, "description": "first text"})
    updated = feed.update("crm_lead", 5, {"description": "last text"})
    deleted, moved = feed.move("crm_lead", 5, 6, unavailable=("description",))
    records = [created, updated, deleted, moved]
    for number in batches:
        await bench.feed(records[number])
    assert await description(bench, 6) == "last text"
    old = await bench.record("opportunity", "odoo", 5)
    assert old is not None
    assert old["deleted"]
    await bench.feed(feed.update("crm_lead", 6, {"name": "Sea"}, unavailable=("description",)))
    assert await description(bench, 6) == "last text"
    raw = await bench.raw("odoo.crm_lead", 6)
    assert raw is not None
    assert raw["pending"] is None


async def test_a_key_changed_twice_passes_the_long_text_on(bench: NormaliseBench) -> None:
    feed = SourceFeed()
    created = feed.insert("crm_lead", {**LEAD, "description": "text"})
    first_gone, second = feed.move("crm_lead", 5, 6, unavailable=("description",))
    second_gone, third = feed.move("crm_lead", 6, 7, unavailable=("description",))
    orders = [
        order
        for order in itertools.permutations([created, first_gone, second, second_gone, third])
        if order.index(created) < order.index(first_gone)
        and order.index(second) < order.index(second_gone)
    ]
    for order in orders:
        for record in order:
            await bench.processor.process([record])
        await bench.settle()
        assert await description(bench, 7) == "text", [record.offset for record in order]
        for table in ("raw.rows", "core.records", "ops.dirty"):
            await bench.pool.execute(f"delete from {table}")


async def test_a_truncate_deletes_only_what_is_older_whichever_comes_first(
    bench: NormaliseBench,
) -> None:
    feed = SourceFeed()
    old = feed.insert("crm_lead", LEAD)
    straggler = feed.insert("crm_lead", {**LEAD, "id": 6})
    truncate = feed.truncate("crm_lead")
    new = feed.insert("crm_lead", {**LEAD, "id": 7})
    await bench.feed(old, new)
    await bench.feed(truncate)
    await bench.feed(straggler)
    states = {}
    for id in (5, 6, 7):
        record = await bench.record("opportunity", "odoo", id)
        states[id] = None if record is None else record["deleted"]
    assert states == {5: True, 6: True, 7: False}


async def test_a_truncate_of_joined_rows_refreshes_what_joined_them(bench: NormaliseBench) -> None:
    feed = SourceFeed()
    await bench.feed(
        feed.insert("crm_lead", {**LEAD, "stage_id": 1}),
        feed.insert("crm_stage", {"id": 1, "name": '{"en_US": "New"}', "is_won": False}),
    )
    await bench.feed(feed.truncate("crm_stage"))
    assert (await bench.fields("opportunity", "odoo", 5))["stage"] is None


async def test_a_merge_names_the_survivor_on_the_deleted_lead(bench: NormaliseBench) -> None:
    feed = SourceFeed()
    message = {"id": 90, "model": "crm.lead", "res_id": 5, "body": "hello"}
    await bench.feed(
        feed.insert("crm_lead", LEAD),
        feed.insert("crm_lead", {**LEAD, "id": 6}),
        feed.insert("mail_message", message),
        feed.insert("mail_message", {**message, "id": 91, "model": "res.partner"}),
    )
    moved = feed.update("mail_message", 90, {"res_id": 6}, unavailable=("body",))
    gone = feed.delete("crm_lead", 5)
    other = feed.update("mail_message", 91, {"res_id": 6})
    await bench.feed(gone)
    await bench.feed(moved, other)
    events = {event["id"]: event for event in await bench.events("core.opportunity")}
    assert events["5"]["deleted"]
    assert events["5"]["fields"]["merged_into"] == "6"
    assert events["6"]["fields"]["merged_into"] is None


async def test_columns_that_come_and_go_are_kept_and_announced(bench: NormaliseBench) -> None:
    feed = SourceFeed()
    await bench.feed(feed.insert("crm_lead", LEAD))
    await bench.feed(feed.update("crm_lead", 5, {"x_studio_region": "north", "active": "t"}))
    raw = await bench.raw("odoo.crm_lead", 5)
    assert raw is not None
    assert raw["image"]["x_studio_region"] == "north"
    (event,) = await bench.events("ops.health")
    assert (event["added"], event["retyped"]) == (["x_studio_region"], ["active"])
    del feed.rows["crm_lead", '{"id":5}']["x_studio_region"]
    await bench.feed(feed.update("crm_lead", 5, {"active": True}))
    (event,) = await bench.events("ops.health")
    assert event["removed"] == ["x_studio_region"]
    assert "completion_status" in event["missing"]
    record = await bench.record("opportunity", "odoo", 5)
    assert record is not None
    assert "missing_column:crm_lead.completion_status" in record["dq_flags"]
    assert record["fields"]["eur_status"] is None


async def test_values_of_a_wrong_type_leave_the_field_empty_and_the_raw_value_kept(
    bench: NormaliseBench,
) -> None:
    feed = SourceFeed()
    wrong = {"expected_revenue": "much", "date_deadline": "soon", "create_date": 17, "name": ["x"]}
    await bench.feed(feed.insert("crm_lead", {**LEAD, **wrong}))
    record = await bench.record("opportunity", "odoo", 5)
    assert record is not None
    invalid = {"expected_revenue", "expected_close", "created_at", "title"}
    assert {f"invalid:{name}" for name in invalid} <= set(record["dq_flags"])
    assert record["fields"]["expected_revenue"] is None
    raw = await bench.raw("odoo.crm_lead", 5)
    assert raw is not None
    assert raw["image"]["expected_revenue"] == "much"


async def test_rows_of_an_undeclared_table_are_kept(bench: NormaliseBench) -> None:
    feed = SourceFeed()
    await bench.feed(feed.insert("x_own_table", {"id": 1, "anything": {"at": "all"}}))
    raw = await bench.raw("odoo.x_own_table", 1)
    assert raw is not None
    assert raw["image"] == {"id": 1, "anything": {"at": "all"}}


async def test_poison_is_rejected_alone(bench: NormaliseBench) -> None:
    feed = SourceFeed()
    good = feed.insert("crm_lead", LEAD)
    bad = [
        Incoming("cdc.odoo.crm_lead", 0, 1, good.key, b"{not json"),
        Incoming("cdc.odoo.crm_lead", 0, 2, None, good.value),
        Incoming("cdc.odoo.crm_lead", 0, 3, good.key, good.value.replace(b'"c"', b'"?"')),  # type: ignore[union-attr]
        SourceFeed("stranger").insert("crm_lead", LEAD),
    ]
    outcomes = await bench.outcomes(*bad[:2], good, *bad[2:])
    assert outcomes[2] == DONE
    rejected = [one for one in outcomes if isinstance(one, Rejected)]
    assert [one.reason for one in rejected] == [
        "invalid_json",
        "missing_key",
        "unknown_operation",
        "unknown_tenant",
    ]
    assert (await bench.fields("opportunity", "odoo", 5))["title"] == "Lake"


async def test_a_description_of_two_megabytes_passes(bench: NormaliseBench) -> None:
    feed = SourceFeed()
    text = "<p>" + "word " * 400_000 + "</p>"
    await bench.feed(feed.insert("crm_lead", {**LEAD, "description": text}))
    (event,) = await bench.events("core.opportunity")
    assert len(event["fields"]["description"]) == 5 * 400_000 - 1
    assert len(orjson.dumps(event)) < 16 * 1024 * 1024
