"""The reference pages are what the code says, and events change only as subscribers can bear."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, Field, create_model
from typer.testing import CliRunner

from schemas.compatibility import breaking_changes
from schemas.topics import PLATFORM_TOPICS
from workers.cli.docs import breaks
from workers.cli.main import app
from workers.reference import (
    CHECKOUT,
    compose_variables,
    env_example,
    event_classes,
    pages,
    settings_groups,
    topics_of,
)
from workers.settings import variable


def test_docs_check_passes() -> None:
    result = CliRunner().invoke(app, ["docs", "check"])
    assert result.exit_code == 0, result.output


def test_no_event_changed_so_that_its_subscribers_break() -> None:
    assert breaks(CHECKOUT) == []


def test_every_parameter_of_every_command_is_documented() -> None:
    page = pages()[Path("docs/reference/commands.md")]
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert [row for row in rows if row.endswith("|  |")] == []


def test_every_topic_is_on_the_page() -> None:
    page = pages()[Path("docs/reference/topics.md")]
    assert [one.name for one in PLATFORM_TOPICS if f"`{one.name}`" not in page] == []


def test_every_event_names_its_topic() -> None:
    assert [one.__name__ for one in event_classes() if not topics_of(one)] == []


def test_example_environment_lists_every_variable_without_a_value() -> None:
    lines = env_example().splitlines()
    assigned = {line.removeprefix("# ") for line in lines if re.fullmatch(r"(# )?\w+=.*", line)}
    expected = {
        variable((name, field)) for name, group in settings_groups() for field in group.model_fields
    }
    assert assigned == {f"{name}=" for name in expected | set(compose_variables())}


def test_pages_name_no_place_of_this_machine() -> None:
    for path, text in pages().items():
        assert str(CHECKOUT) not in text, path
        assert str(Path.home()) + "/" not in text, path


def schema(**fields: Any) -> dict[str, Any]:
    model: type[BaseModel] = create_model("Made", **fields)
    return model.model_json_schema()


OLD = {"id": (str, ...), "rank": (int, 0), "state": (str, Field("a", json_schema_extra={}))}


def test_a_new_optional_field_is_no_break() -> None:
    assert breaking_changes(schema(**OLD), schema(**OLD, note=(str, ""))) == []


def test_new_words_are_no_break() -> None:
    described = OLD | {"id": (str, Field(description="whose", examples=["x"]))}
    assert breaking_changes(schema(**OLD), schema(**described)) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"id": None}, "id is gone"),
        ({"rank": (str, "")}, "rank has another type"),
        ({"rank": (int, ...)}, "rank is required now"),
        ({"id": (str, "")}, "id may be missing now"),
        ({"note": (str, ...)}, "note is required now"),
        ({"rank": (int, Field(0, ge=1))}, "rank has another type or limit"),
        ({"rank": (int | None, 0)}, "rank has another type"),
    ],
)
def test_everything_else_breaks(changes: dict[str, Any], said: str) -> None:
    fields = {name: one for name, one in (OLD | changes).items() if one}
    (found,) = breaking_changes(schema(**OLD), schema(**fields))
    assert said in found


def test_a_change_deep_within_is_seen() -> None:
    inner = create_model("Inner", amount=(int, 0))
    narrower = create_model("Inner", amount=(str, ""))
    (found,) = breaking_changes(schema(part=(inner, ...)), schema(part=(narrower, ...)))
    assert "part.amount" in found


def test_an_enumeration_may_grow_and_not_shrink() -> None:
    few = {"properties": {"state": {"type": "string", "enum": ["a", "b"]}}}
    more = {"properties": {"state": {"type": "string", "enum": ["a", "b", "c"]}}}
    assert breaking_changes(few, more) == []
    assert breaking_changes(more, few) == ["state cannot be c any more"]


def test_frozen_schemas_are_json_schemas() -> None:
    for path in sorted((CHECKOUT / "schemas" / "frozen").glob("*.json")):
        assert json.loads(path.read_text("utf-8"))["type"] == "object", path
