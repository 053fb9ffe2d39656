"""What stands in the way of a capture is named, with how to mend it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from connectors.kafka_connect.client import ConnectorState, TaskState
from connectors.kafka_connect.examination import explain, source_findings
from connectors.postgres.source_rights import Publication, Slot, SourceFacts
from schemas.tenants import CaptureMode, Source

SOURCE = Source.model_validate(
    {
        "capture": "debezium",
        "dsn_variable": "DSN",
        "tables": ["lead", "users"],
        "without": {"users": ["password"]},
    }
)
POLLED = SOURCE.model_copy(update={"capture": CaptureMode.POLL})
FACTS = SourceFacts(
    role="reader",
    can_replicate=True,
    wal_level="logical",
    keeps_log_bytes=10**10,
    server_version=160000,
    identity="7/1",
    existing=frozenset({"lead", "users"}),
    pollable=frozenset({"lead", "users"}),
    columns={"lead": frozenset({"id", "name"}), "users": frozenset({"id"})},
    keys={"lead": ("id",), "users": ("id",)},
    publication=Publication(
        {"lead": frozenset({"id", "name"}), "users": frozenset({"id"})}, truncates=True
    ),
    slot=None,
    free_slots=3,
)


def codes(source: Source = SOURCE, **changes: Any) -> dict[str, bool]:
    return {one.code: one.blocking for one in source_findings(source, replace(FACTS, **changes))}


def test_a_source_with_everything_has_no_finding() -> None:
    assert codes() == {}
    assert codes(POLLED, can_replicate=False, wal_level="replica", publication=None) == {}


@pytest.mark.parametrize(
    ("changes", "code", "blocking"),
    [
        ({"can_replicate": False}, "no_replication_right", True),
        ({"wal_level": "replica"}, "wal_level", True),
        ({"publication": None}, "no_publication", True),
        ({"free_slots": 0}, "no_free_slot", True),
        ({"keeps_log_bytes": None}, "unlimited_log", False),
        ({"existing": frozenset({"users"})}, "missing_table", True),
        ({"columns": {"users": frozenset({"id"})}}, "no_select_right", True),
        ({"keys": {"users": ("id",), "lead": ()}}, "no_primary_key", True),
        (
            {"publication": Publication({"users": frozenset({"id"})}, truncates=True)},
            "not_published",
            True,
        ),
        (
            {
                "publication": Publication(
                    {"lead": frozenset({"id", "name"}), "users": frozenset({"id", "password"})},
                    truncates=True,
                )
            },
            "column_exposed",
            False,
        ),
        (
            {
                "publication": Publication(
                    {"lead": frozenset({"id"}), "users": frozenset({"id"})}, truncates=True
                )
            },
            "column_not_published",
            False,
        ),
        (
            {"publication": replace(FACTS.publication, truncates=False)},  # type: ignore[type-var]
            "truncate_not_published",
            False,
        ),
    ],
)
def test_each_obstacle_is_found(changes: dict[str, Any], code: str, blocking: bool) -> None:
    assert codes(**changes) == {code: blocking}


def test_an_existing_slot_needs_no_free_one() -> None:
    slot = Slot("s", active=True, status="reserved", lag_bytes=0, safe_bytes=None)
    assert codes(free_slots=0, slot=slot) == {}


def test_polling_needs_to_see_who_wrote_a_row() -> None:
    assert codes(POLLED, pollable=frozenset({"lead"})) == {"no_select_right": True}
    assert codes(SOURCE, pollable=frozenset({"lead"})) == {}


@pytest.mark.parametrize(
    ("report", "code"),
    [
        ('FATAL: password authentication failed for user "reader"', "wrong_password"),
        ("ERROR: permission denied to start WAL sender", "no_replication_right"),
        ('ERROR: logical decoding requires "wal_level" >= "logical"', "wal_level"),
        ('ERROR: publication "p" does not exist', "no_publication"),
        ("ERROR: all replication slots are in use", "no_free_slot"),
        ("ERROR: permission denied for table lead", "no_select_right"),
        ('ERROR: relation "public.lead" does not exist', "missing_table"),
        ('ERROR: column "x" of relation "lead" does not exist', "missing_column"),
        ('FATAL: database "crm" does not exist', "no_database"),
        ('FATAL: role "reader" does not exist', "no_role"),
        ("... but this is no longer available on the server. Reconfigure ...", "log_lost"),
        ('ERROR: can no longer get changes from replication slot "s"', "log_lost"),
        ('ERROR: can no longer access replication slot "s"', "log_lost"),
        ("org.apache.kafka.common.errors.RecordTooLargeException: ...", "row_too_large"),
    ],
)
def test_what_the_systems_report_is_explained(report: str, code: str) -> None:
    finding = explain(report)
    assert finding is not None
    assert finding.code == code
    assert finding.message
    assert finding.mend


def test_an_unknown_report_is_not_explained() -> None:
    assert explain("java.lang.NullPointerException") is None


def test_a_connector_whose_task_failed_does_not_run() -> None:
    trace = (
        "org.apache.kafka.connect.errors.ConnectException: no\n\tat x\nCaused by: the cause\n\tat y"
    )
    failed = ConnectorState("c", "RUNNING", (TaskState(0, "FAILED", "w", trace),))
    assert failed.failed
    assert not failed.running
    assert failed.problem.endswith("no; the cause")
    assert ConnectorState("c", "FAILED", (), trace).problem == failed.problem
    assert not ConnectorState("c", "RUNNING", ()).running
    assert ConnectorState("c", "RUNNING", (TaskState(0, "RUNNING", "w"),)).running
