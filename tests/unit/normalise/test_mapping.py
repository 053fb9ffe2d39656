"""Mapping files: what is refused and how it is told, overrides, conditions, what a plan knows."""

from __future__ import annotations

from typing import Any

import pytest

from streams.normalise.conditions import compiled_condition
from streams.normalise.mapping import MappingError, merged, read_mapping
from streams.normalise.plan import compiled_plan


def mapping(**changes: Any) -> dict[str, Any]:
    record = {
        "kind": "deal",
        "side": "left",
        "root": "deal",
        "joins": {"firm": {"table": "firm", "equals": "root.firm_id"}},
        "fields": {"name": {"from": ["firm.name", "root.name"]}},
    } | changes
    return {"source": "crm", "records": [record]}


def plan(**changes: Any):
    return compiled_plan([read_mapping(mapping(**changes), "crm.yaml")])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fields": {"x": {"from": "firm"}}}, "is not a path; write <join>.<column>"),
        ({"fields": {"x": {"from": "person.name"}}}, "person.name names no join; known: firm, root"),
        ({"fields": {"x": {"from": "self.y"}}}, "self.y names no field that stands before it"),
        ({"fields": {"x": {}}}, "give exactly one of from, collect"),
        ({"fields": {"x": {"from": "root.a", "sum": "root.b"}}}, "found from, sum"),
        ({"fields": {"x": {"constant": 1, "as": "text"}}}, "`as` and `options` do not go with constant"),
        ({"fields": {"x": {"from": "root.a", "as": "nmae"}}}, "there is no transform 'nmae'"),
        ({"fields": {"x": {"form": "root.a"}}}, "form: Extra inputs are not permitted"),
        ({"joins": {"a": {"table": "t", "equals": "b.id"}, "b": {"table": "t", "equals": "a.id"}}},
         "the joins a, b lead to no row"),
        ({"joins": {"firm": {"table": "firm; drop", "equals": "root.x"}}}, "is not the name of a table"),
        ({"joins": {"firm": {"table": "f", "equals": "root.x", "many": True}}},
         "firm has many rows; use collect"),
        ({"where": {"root.type": {"is": "full"}}}, "is not one of: a value"),
        ({"checks": [{"flag": "f", "when": {"self.nothing": 1}}]}, "check f: self.nothing names no field"),
        ({"ledger": "costs"}, "Input should be 'cost'"),
    ],
)  # fmt: skip
def test_a_mistake_is_refused_where_it_stands(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(MappingError) as refused:
        plan(**changes)
    assert message in str(refused.value)


def test_records_of_one_name_are_refused() -> None:
    twice = mapping()
    twice["records"] *= 2
    with pytest.raises(MappingError, match="declared twice: deal/left"):
        compiled_plan([read_mapping(twice, "crm.yaml")])


def test_a_plan_knows_columns_indexes_and_readers() -> None:
    made = plan(
        joins={
            "firm": {"table": "firm", "equals": "root.firm_id"},
            "orders": {"table": "order", "key": "deal_id", "equals": "root.id", "many": True,
                       "where": {"state": {"not": "cancel"}}},
        },
        fields={"name": {"from": "firm.name"}, "orders": {"collect": "orders.number"}},
    )  # fmt: skip
    assert {
        name: (sorted(table.columns), sorted(table.indexed)) for name, table in made.tables.items()
    } == {
        "crm.deal": (["firm_id", "id"], ["firm_id"]),
        "crm.firm": (["id", "name"], []),
        "crm.order": (["deal_id", "number", "state"], ["deal_id"]),
    }
    assert [[join.alias for join in level] for level in made.records[0].levels] == [
        ["firm", "orders"]
    ]
    assert made.record("deal/left").references[0].alias == "firm"


def test_an_override_merges_deeply_replaces_lists_and_removes_with_null() -> None:
    base = mapping(fields={"a": {"from": ["root.x", "root.y"]}, "b": {"from": "root.b"}})
    override = {
        "records": [
            {
                "kind": "deal",
                "side": "left",
                "root": "deal",
                "fields": {"a": {"from": ["root.z"]}, "b": None, "c": {"constant": "new"}},
            }
        ]
    }
    found = merged(base, override)
    assert isinstance(found, dict)
    assert found["records"][0]["fields"] == {"a": {"from": ["root.z"]}, "c": {"constant": "new"}}
    assert found["records"][0]["joins"] == base["records"][0]["joins"]
    assert base["records"][0]["fields"]["b"] == {"from": "root.b"}, "the base is left as it was"


def test_an_override_may_add_a_record() -> None:
    more = {"records": [{"kind": "firm", "root": "firm", "fields": {"n": {"from": "root.n"}}}]}
    made = compiled_plan([read_mapping(merged(mapping(), more), "crm.yaml")])
    assert [record.name for record in made.records] == ["deal/left", "firm/-"]


@pytest.mark.parametrize(
    ("condition", "value", "holds"),
    [
        ("won", " WON ", True),
        ("won", None, False),
        (["a", "b"], "B", True),
        (["a", None], None, True),
        (True, True, True),
        (True, "true", False),
        (0, "0.00", True),
        (0, None, False),
        (0, False, False),
        ({"is": "empty"}, "  ", True),
        ({"is": "empty"}, [], True),
        ({"is": "empty"}, 0, False),
        ({"is": "set"}, 0, True),
        ({"not": ["a"]}, "b", True),
        ({"not": True}, None, True),
        ({"above": 5}, "5.01", True),
        ({"above": 5}, "x", False),
        ({"below": 5}, 4, True),
        ({"outside": 0.01}, "-0.02", True),
        ({"outside": 0.01}, "0.01", False),
        ({"longer_than": 1}, ["a", "b"], True),
        ({"longer_than": 1}, ["a"], False),
    ],
)
def test_conditions_compare_by_meaning(condition: object, value: object, holds: bool) -> None:
    assert compiled_condition(condition)(value) is holds


@pytest.mark.parametrize(
    "condition", [{"like": "x"}, {"is": "set", "not": 1}, {}, {"above": "much"}]
)
def test_a_condition_of_no_known_form_is_refused(condition: object) -> None:
    with pytest.raises(MappingError, match=r"known|is not one of"):
        compiled_condition(condition)
