"""Joins, lineage and reverse look-ups of declared mappings, against a full recomputation."""

from __future__ import annotations

from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.cdc import SourcePosition, canonical_key
from streams.normalise.derive import reaching
from streams.normalise.fold import Folded, RawRow, left_behind_by, touched_by
from streams.normalise.mapping import read_mapping
from streams.normalise.plan import Plan, compiled_plan
from tests.unit.normalise.memory_rows import AT, MemoryRows, raw

MAPPING = """
source: crm
records:
  - kind: deal
    side: left
    root: deal
    where: {root.type: [deal, lead]}
    joins:
      person: {table: person, equals: root.person_id}
      firm: {table: person, equals: person.firm_id}
      members: {table: person, key: firm_id, equals: firm.id, many: true}
      accounts: {table: account, key: person_id, equals: members.id, many: true, where: {closed: {not: true}}}
      orders: {table: order, key: deal_id, equals: root.id, many: true}
      items: {table: item, key: order_id, equals: orders.id, many: true}
    fields:
      title: {from: root.name}
      company: {from: [firm.name, root.firm_name, person.name], as: name}
      accounts: {collect: accounts.number}
      items: {collect: [items.name, orders.name]}
      total: {sum: items.price}
      rest: {difference: [root.price, self.total]}
      state: {choose: [{value: won, when: {firm.vip: true}}, {value: open}]}
      note: {concat: [root.name, person.name]}
      seen: {from: root.seen, quiet: true}
    checks:
      - {flag: nameless, when: {self.company: {is: empty}}}
  - kind: firm
    root: person
    where: {root.is_firm: true}
    joins:
      parent: {table: person, equals: root.firm_id}
    fields:
      name: {from: root.name}
      parent: {from: parent.name}
"""


def plan() -> Plan:
    return compiled_plan([read_mapping(yaml.safe_load(MAPPING), "crm.yaml")])


PLAN = plan()
DEAL = PLAN.record("deal/left")

IDS = st.integers(1, 3)
REFS = st.one_of(st.none(), IDS)
TEXTS = st.sampled_from(["a", "b", " c ", "", None])
IMAGES: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "crm.deal": st.fixed_dictionaries(
        {
            "id": IDS,
            "type": st.sampled_from(["deal", "lead", "other"]),
            "name": TEXTS,
            "person_id": REFS,
            "firm_name": TEXTS,
            "price": st.sampled_from(["5", "7.50", None, "x"]),
            "seen": TEXTS,
            "unused": TEXTS,
        }
    ),
    "crm.person": st.fixed_dictionaries(
        {
            "id": IDS,
            "name": TEXTS,
            "firm_id": REFS,
            "vip": st.booleans(),
            "is_firm": st.booleans(),
            "unused": TEXTS,
        }
    ),
    "crm.account": st.fixed_dictionaries(
        {"id": IDS, "person_id": REFS, "number": TEXTS, "closed": st.booleans()}
    ),
    "crm.order": st.fixed_dictionaries({"id": IDS, "deal_id": REFS, "name": TEXTS}),
    "crm.item": st.fixed_dictionaries(
        {
            "id": IDS,
            "order_id": REFS,
            "name": TEXTS,
            "price": st.sampled_from(["1", "2.5", "y", None]),
        }
    ),
}
ROWS = st.one_of(
    *(st.tuples(st.just(table), image, st.booleans()) for table, image in IMAGES.items())
)


@settings(max_examples=400, deadline=None)
@given(st.lists(ROWS, max_size=14), ROWS)
def test_reverse_lookups_reach_every_record_that_a_change_alters(
    before: list[tuple[str, dict[str, Any], bool]], change: tuple[str, dict[str, Any], bool]
) -> None:
    rows = MemoryRows()
    for table, image, deleted in before:
        rows.put(table, image, deleted=deleted)
    expected_before = rows.derive_all(PLAN)
    table, image, deleted = change
    key = canonical_key({"id": image["id"]})
    old = rows.rows.get((table, key))
    rows.put(table, image, deleted=deleted)
    expected_after = rows.derive_all(PLAN)
    folded = Folded(old, RawRow(image, SourcePosition(1, 2), "u", deleted, AT))
    touched = {*touched_by(folded, PLAN.tables[table]), *left_behind_by(folded, PLAN.tables[table])}
    reached = rows.answer(reaching(touched))
    names = {(record.name, id) for record, ids in reached.items() for id in ids}
    altered = {
        name
        for name in {*expected_before, *expected_after}
        if expected_before.get(name) != expected_after.get(name)
    }
    assert altered <= names


@given(st.lists(ROWS, max_size=10))
def test_derivation_depends_on_the_rows_alone(rows: list[tuple[str, dict[str, Any], bool]]) -> None:
    forward, backward = MemoryRows(), MemoryRows()
    for table, image, deleted in rows:
        forward.put(table, image, deleted=deleted)
    for (table, _), row in reversed(list(forward.rows.items())):
        backward.put(table, row.image, deleted=row.deleted)
    assert forward.derive_all(PLAN) == backward.derive_all(PLAN)


def sample() -> MemoryRows:
    rows = MemoryRows()
    deal = {"id": 1, "type": "deal", "name": "Lake", "person_id": 2, "price": "10", "seen": "x"}
    rows.put("crm.deal", {**deal, "firm_name": None})
    rows.put("crm.person", {"id": 2, "name": "Ann", "firm_id": 3, "vip": False})
    rows.put("crm.person", {"id": 3, "name": "Lumenor", "firm_id": 3, "vip": True})
    rows.put("crm.account", {"id": 1, "person_id": 2, "number": "A2", "closed": False})
    rows.put("crm.account", {"id": 2, "person_id": 3, "number": "A1", "closed": None})
    rows.put("crm.account", {"id": 3, "person_id": 3, "number": "A3", "closed": True})
    rows.put("crm.order", {"id": 5, "deal_id": 1, "name": "O"})
    rows.put("crm.item", {"id": 7, "order_id": 5, "name": "disk", "price": "2.25"})
    rows.put("crm.item", {"id": 8, "order_id": 5, "name": "disk", "price": "1"})
    return rows


def test_values_come_through_chains_of_joins() -> None:
    (found,) = sample().derive((DEAL, "1"))
    assert found.fields == {
        "title": "Lake",
        "company": "Lumenor",
        "accounts": ["A1", "A2"],
        "items": ["O", "disk"],
        "total": "3.25",
        "rest": "6.75",
        "state": "won",
        "note": "Lake\nAnn",
        "seen": "x",
    }


def test_lineage_names_rows_and_columns_of_every_value() -> None:
    (found,) = sample().derive((DEAL, "1"))

    def origins(name: str) -> set[tuple[str, str, str]]:
        return {
            (found.inputs[place].table, found.inputs[place].key, column)
            for place, column in found.lineage[name]
        }

    assert origins("company") == {("crm.person", '{"id":3}', "name")}
    assert origins("rest") == {
        ("crm.deal", '{"id":1}', "price"),
        ("crm.item", '{"id":7}', "price"),
        ("crm.item", '{"id":8}', "price"),
    }
    assert origins("note") == {("crm.deal", '{"id":1}', "name"), ("crm.person", '{"id":2}', "name")}
    assert "accounts" in found.lineage
    assert found.inputs[0].table == "crm.deal"


def test_a_row_that_is_named_and_not_there_is_a_finding() -> None:
    rows = sample()
    del rows.rows["crm.person", '{"id":3}']
    (found,) = rows.derive((DEAL, "1"))
    assert "unresolved:firm" in found.flags
    assert found.fields["company"] == "Ann"


def test_a_deleted_row_between_joins_nothing_and_a_deleted_root_is_a_deleted_record() -> None:
    rows = sample()
    rows.put("crm.person", {"id": 3, "name": "Lumenor", "firm_id": 3, "vip": True}, deleted=True)
    (found,) = rows.derive((DEAL, "1"))
    assert found.fields["company"] == "Ann"
    rows.put("crm.deal", {"id": 1, "type": "deal", "name": "Lake"}, deleted=True)
    (found,) = rows.derive((DEAL, "1"))
    assert (found.present, found.deleted, found.fields["title"]) == (True, True, "Lake")


def test_a_row_of_another_kind_makes_no_record() -> None:
    rows = sample()
    rows.put("crm.deal", {"id": 1, "type": "call", "name": "Lake"})
    (found,) = rows.derive((DEAL, "1"))
    assert found.present is False
    (nothing,) = rows.derive((DEAL, "99"))
    assert (nothing.present, nothing.inputs) == (False, ())


def test_columns_that_the_source_lacks_are_findings_by_table_and_name() -> None:
    rows = sample()
    rows.put("crm.deal", {"id": 1, "type": "deal", "person_id": None})
    (found,) = rows.derive((DEAL, "1"))
    assert set(found.flags) == {
        "missing_column:deal.name",
        "missing_column:deal.firm_name",
        "missing_column:deal.price",
        "missing_column:deal.seen",
        "nameless",
    }


def test_numbers_that_are_none_are_left_out_of_a_sum_with_a_finding() -> None:
    rows = sample()
    rows.put("crm.item", {"id": 8, "order_id": 5, "name": "disk", "price": "cheap"})
    (found,) = rows.derive((DEAL, "1"))
    assert found.fields["total"] == "2.25"
    assert "invalid:total" in found.flags


def test_a_change_of_unread_columns_touches_nobody() -> None:
    table = PLAN.tables["crm.person"]
    before = raw({"id": 2, "name": "Ann", "firm_id": 3, "vip": False, "unused": "x"})
    same = RawRow({**before.image, "unused": "y"}, SourcePosition(1, 2), "u", False, AT)
    assert list(touched_by(Folded(before, same), table)) == []
    assert {reader.alias for reader, _ in touched_by(Folded(before, same, again=True), table)} == {
        "person",
        "firm",
        "members",
        "root",
        "parent",
    }
    renamed = RawRow({**before.image, "name": "Eve"}, SourcePosition(1, 2), "u", False, AT)
    touched = {
        (reader.record.name, reader.alias)
        for reader, _ in touched_by(Folded(before, renamed), table)
    }
    assert touched == {
        ("deal/left", "person"),
        ("deal/left", "firm"),
        ("firm/-", "root"),
        ("firm/-", "parent"),
    }
