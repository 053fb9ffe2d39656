"""What stands in the way of capturing a source, in words that say how to mend it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import asyncpg

from connectors.kafka_connect.client import ConnectorState
from connectors.postgres.source import source_connection
from connectors.postgres.source_rights import SourceFacts, source_facts
from schemas.results import Retryable
from schemas.tenants import CaptureMode, Source


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with a source. Only a `blocking` one keeps it from being captured."""

    code: str
    message: str
    mend: str
    blocking: bool = True

    def __str__(self) -> str:
        return f"{self.message}. {self.mend}"


@dataclass(frozen=True, slots=True)
class Examination:
    """What was found; `facts` is None where the source could not be reached."""

    findings: tuple[Finding, ...]
    facts: SourceFacts | None = None

    @property
    def blocking(self) -> tuple[Finding, ...]:
        return tuple(one for one in self.findings if one.blocking)


async def examine_source(source: Source, dsn: str, slot: str) -> Examination:
    """Connects as the capture role and looks at everything that capture needs."""
    try:
        async with source_connection(dsn) as connection:
            facts = await source_facts(
                connection, source.db_schema, source.tables, source.publication, slot
            )
    except (Retryable, asyncpg.PostgresError, ValueError) as problem:
        return Examination((explain(str(problem)) or _unreachable(problem),))
    return Examination(tuple(source_findings(source, facts)), facts)


def source_findings(source: Source, facts: SourceFacts) -> Iterator[Finding]:
    """Everything in `facts` that speaks against capturing `source` as it says."""
    yield from _table_findings(source, facts)
    if source.capture is CaptureMode.DEBEZIUM:
        yield from _replication_findings(source, facts)
        yield from _publication_findings(source, facts)


def _table_findings(source: Source, facts: SourceFacts) -> Iterator[Finding]:
    for table in source.tables:
        name = f"{source.db_schema}.{table}"
        if table not in facts.existing:
            yield Finding(
                "missing_table",
                f"there is no table {name}",
                "Take it out of the tenant file's `tables`, or name the right schema",
            )
        elif not facts.columns.get(table) or (
            source.capture is CaptureMode.POLL and table not in facts.pollable
        ):
            yield Finding(
                "no_select_right",
                f"the role {facts.role} may not read {name}",
                f"Run what `revops connectors rights` prints, or: GRANT SELECT ON {name} TO "
                f"{facts.role};",
            )
        elif not facts.keys.get(table):
            yield Finding(
                "no_primary_key",
                f"{name} has no primary key, so its changes cannot be told apart",
                "Give it one, or take it out of the tenant file's `tables`",
            )


def _replication_findings(source: Source, facts: SourceFacts) -> Iterator[Finding]:
    if not facts.can_replicate:
        yield _no_replication_right(facts.role)
    if facts.wal_level != "logical":
        yield _wal_level(facts.wal_level)
    if facts.slot is None and facts.free_slots <= 0:
        yield _no_free_slot()
    if facts.keeps_log_bytes is None:
        yield Finding(
            "unlimited_log",
            "max_slot_wal_keep_size is unlimited: while capture is down the source's log grows until "
            "its disk is full",
            "ALTER SYSTEM SET max_slot_wal_keep_size = '20GB'; SELECT pg_reload_conf();",
            blocking=False,
        )


def _publication_findings(source: Source, facts: SourceFacts) -> Iterator[Finding]:
    name, published = source.publication, facts.publication
    if published is None:
        yield _no_publication(name)
        return
    for table in source.tables:
        if table not in facts.existing:
            continue
        columns = published.tables.get(table)
        if columns is None:
            yield Finding(
                "not_published",
                f"the publication {name} leaves out {source.db_schema}.{table}",
                f"As its owner: ALTER PUBLICATION {name} ADD TABLE {source.db_schema}.{table};",
            )
            continue
        exposed = sorted(columns & source.without.get(table, frozenset()))
        if exposed:
            yield Finding(
                "column_exposed",
                f"the publication {name} sends {', '.join(exposed)} of {table}, which the tenant file "
                "leaves out",
                "Run what `revops connectors rights` prints as the publication's owner",
                blocking=False,
            )
        missing = sorted(
            facts.columns.get(table, frozenset()) - columns - source.without.get(table, frozenset())
        )
        if missing:
            yield Finding(
                "column_not_published",
                f"the publication {name} leaves out {', '.join(missing)} of {table}",
                "Run what `revops connectors rights` prints as the publication's owner",
                blocking=False,
            )
    if not published.truncates:
        yield Finding(
            "truncate_not_published",
            f"the publication {name} does not send TRUNCATE",
            f"As its owner: ALTER PUBLICATION {name} SET (publish = 'insert, update, delete, "
            "truncate');",
            blocking=False,
        )


LOG_LOST = "log_lost"
"""The place in the source's log is gone: only a new snapshot mends it."""

_REPORTED: tuple[tuple[str, str], ...] = (
    (r"no longer available on the server", LOG_LOST),
    (r"can no longer (get changes from|access) replication slot", LOG_LOST),
    (r"replication slot .* has been invalidated", LOG_LOST),
    (r"requested WAL segment .* has already been removed", LOG_LOST),
    (r"replication slot \"[^\"]*\" does not exist", LOG_LOST),
    (r"permission denied to start WAL sender", "no_replication_right"),
    (r"must be superuser or replication role", "no_replication_right"),
    (r"permission denied to use replication slots", "no_replication_right"),
    (r"requires \"?wal_level\"? >= \"?logical|wal_level.* logical", "wal_level"),
    (r"password authentication failed", "wrong_password"),
    (r"no password supplied|no pg_hba\.conf entry", "not_let_in"),
    (r"role \"([^\"]*)\" does not exist", "no_role"),
    (r"database \"([^\"]*)\" does not exist", "no_database"),
    (r"publication \"([^\"]*)\" does not exist", "no_publication"),
    (r"all replication slots are in use", "no_free_slot"),
    (r"permission denied for (?:table|relation|schema) (\S+)", "no_select_right"),
    (r"column \"?([^\" ]*)\"? .*does not exist", "missing_column"),
    (r"relation \"([^\"]*)\" does not exist", "missing_table"),
    (r"RecordTooLargeException", "row_too_large"),
    (r"UnknownTopicOrPartition|not present in metadata", "missing_topic"),
)


def explain(report: str) -> Finding | None:
    """What an error of PostgreSQL, Debezium or Connect means; None for one that is not known."""
    for pattern, code in _REPORTED:
        match = re.search(pattern, report)
        if match:
            return _finding(code, match[1] if match.groups() else "")
    return None


def explain_halt(state: ConnectorState) -> Finding | None:
    """A connector that does nothing because it was told so; None for one that was not."""
    if not state.halted:
        return None
    return Finding(
        "halted",
        f"the connector is {state.state.lower()}: no change of the source arrives",
        "Run `revops connectors apply`, which resumes it",
    )


def _finding(code: str, name: str) -> Finding:
    makers = {
        LOG_LOST: lambda: Finding(
            LOG_LOST,
            "the source no longer has the log from where capture stopped",
            "The poll worker begins a new snapshot by itself; without it: "
            "`revops connectors resync SOURCE`",
        ),
        "no_replication_right": lambda: _no_replication_right(""),
        "wal_level": lambda: _wal_level(""),
        "no_publication": lambda: _no_publication(name),
        "no_free_slot": _no_free_slot,
    }
    if code in makers:
        return makers[code]()
    message, mend = _SAID[code]
    return Finding(code, message.format(name=name), mend.format(name=name))


_SAID = {
    "wrong_password": (
        "the source refuses the capture role's password",
        "Set the right one in the variable that the tenant file names, then `revops connectors apply`",
    ),
    "not_let_in": (
        "the source does not let the capture role in from here",
        "Add a line for it to pg_hba.conf and reload, or put the password into the address",
    ),
    "no_role": (
        "the source has no role {name}",
        "Run what `revops connectors rights` prints, then set the role's password",
    ),
    "no_database": (
        "the source's server has no database {name}",
        "Correct the address in the variable that the tenant file names",
    ),
    "no_select_right": (
        "the capture role may not read {name}",
        "Run what `revops connectors rights` prints as the owner of the tables",
    ),
    "missing_table": (
        "there is no table {name}",
        "Take it out of the tenant file's `tables`, then `revops connectors apply`",
    ),
    "missing_column": (
        "there is no column {name}",
        "Run `revops connectors apply`, which takes the columns as they are now",
    ),
    "row_too_large": (
        "a row is larger than the 16 MB that a record may have",
        "Leave the large column out: name it under `without` in the tenant file",
    ),
    "missing_topic": (
        "a topic that the connector writes to does not exist",
        "Run `revops topics apply`",
    ),
}


def _no_replication_right(role: str) -> Finding:
    return Finding(
        "no_replication_right",
        f"the capture role {role} may not replicate".replace("  ", " "),
        f"ALTER ROLE {role or '...'} REPLICATION; or set the source's `capture` to poll",
    )


def _wal_level(level: str) -> Finding:
    return Finding(
        "wal_level",
        f"the source's wal_level is {level or 'too low'}, log-based capture needs logical",
        "ALTER SYSTEM SET wal_level = logical and restart that PostgreSQL, or set the source's "
        "`capture` to poll",
    )


def _no_publication(name: str) -> Finding:
    return Finding(
        "no_publication",
        f"the source has no publication {name}",
        "Run what `revops connectors rights` prints as the owner of the tables",
    )


def _no_free_slot() -> Finding:
    return Finding(
        "no_free_slot",
        "the source has no free replication slot",
        "Drop one that nobody uses, or raise max_replication_slots and restart that PostgreSQL",
    )


def _unreachable(problem: Exception) -> Finding:
    return Finding(
        "unreachable",
        f"the source cannot be reached: {problem}",
        "Check the address in the variable that the tenant file names, and that the server runs",
    )
