"""The audit worker: every decision and every audited event, for good, in a tamper-evident log."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson

from connectors.postgres.pool import transaction
from schemas.results import DONE, Outcome, Rejected
from schemas.topics import AUDIT_EVENT
from workers.audit_appending import AuditEntry, append, event_uuid, make_checkpoint, read_key
from workers.context import WorkerContext
from workers.runtime.processor import Incoming
from workers.tenants import load_tenants, packs_in_use


class AuditProcessor:
    """Appends a batch under the lock of the tenant's head; what comes again leaves no second record."""

    worker = "audit"

    def __init__(self, context: WorkerContext, packs: Sequence[str]) -> None:
        self._context = context
        self.topics = (*(f"{pack}.decision" for pack in packs), AUDIT_EVENT)
        audit = context.settings.audit
        self._key = read_key(audit.signing_key_file) if audit.signing_key_file else None

    async def process(self, batch: Sequence[Incoming]) -> list[Outcome]:
        entries: dict[str, list[AuditEntry]] = defaultdict(list)
        outcomes = [_take(record, entries) for record in batch]
        for tenant in sorted(entries):
            async with transaction(self._context.pool) as connection:
                await append(connection, tenant, entries[tenant])
                if self._key is not None:
                    every = self._context.settings.audit.checkpoint_records
                    await make_checkpoint(connection, tenant, self._key, every=every)
        return outcomes


def _take(record: Incoming, entries: dict[str, list[AuditEntry]]) -> Outcome:
    """Adds what a record has to be remembered for; one that cannot be read is rejected."""
    if record.value is None:
        return DONE
    try:
        event: Any = orjson.loads(record.value)
    except orjson.JSONDecodeError as problem:
        return Rejected("invalid_json", None, f"the value is not JSON: {problem}")
    if not isinstance(event, dict):
        return Rejected("wrong_type", None, "the value is not a JSON object")
    try:
        read = _audited if record.topic == AUDIT_EVENT else _decided
        entry = read(event, record.value)
        tenant = _text(event, "tenant")
    except KeyError as problem:
        return Rejected("missing_field", str(problem.args[0]), "an audited event needs this field")
    except (ValueError, TypeError) as problem:
        return Rejected("wrong_type", None, str(problem))
    entries[tenant].append(entry)
    return DONE


def _decided(event: dict[str, Any], value: bytes) -> AuditEntry:
    action = "decision.superseded" if event.get("state") == "superseded" else "decision.made"
    subject = f"{_text(event, 'pack')}/{_text(event, 'left')}/{_text(event, 'right')}"
    return AuditEntry(
        event_uuid(_text(event, "decision_id")),
        _time(event, "emitted_at"),
        "decide",
        action,
        subject,
        value,
    )


def _audited(event: dict[str, Any], value: bytes) -> AuditEntry:
    return AuditEntry(
        event_uuid(_text(event, "event_id")),
        _time(event, "at"),
        _text(event, "actor"),
        _text(event, "action"),
        _text(event, "subject"),
        value,
    )


def _text(event: dict[str, Any], name: str) -> str:
    value = event[name]
    if not isinstance(value, str) or not value or "\x00" in value:
        raise ValueError(f"{name} is {value!r:.60}; it must be text")
    return value


def _time(event: dict[str, Any], name: str) -> datetime:
    moment = datetime.fromisoformat(_text(event, name))
    if moment.tzinfo is None:
        raise ValueError(f"{name} is {moment}; it must say its time zone")
    return moment


def build(context: WorkerContext) -> AuditProcessor:
    """The audit worker."""
    tenants = load_tenants(context.settings.config.directory)
    return AuditProcessor(context, packs_in_use(tenants.values()))
