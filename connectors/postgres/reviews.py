"""The review queue and people's commands (`ops.review_queue`, `ops.review_commands`)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import orjson

from connectors.postgres.pool import Connection
from schemas.events import ReviewCommandAnswered
from schemas.pair_inputs import PairKey
from streams.review.entries import Answer, Entry, Kind, Proposal, Stakes

_COLUMNS = """entry_id::text as entry_id, tenant, pack, left_id, right_id, kind,
  decision_id::text as decision_id, decision_version, reasons, value, unit, deadline, owner, opened_by,
  opened_at, warn_at, due_at, assignee, warned_at, breached_at, proposal::text as proposal"""


async def open_entries(
    connection: Connection, tenant: str, pack: str, keys: Sequence[PairKey]
) -> dict[PairKey, list[Entry]]:
    """The open entries of pairs, locked; to be called under the locks of the pairs' heads."""
    rows = await connection.fetch(
        f"""select {_COLUMNS} from ops.review_queue
             where tenant = $1 and pack = $2 and status = 'open'
               and (left_id, right_id) in (select * from unnest($3::text[], $4::text[]))
             order by entry_id for update""",
        tenant,
        pack,
        [one.left for one in keys],
        [one.right for one in keys],
    )
    found: dict[PairKey, list[Entry]] = defaultdict(list)
    for row in rows:
        entry = _entry(row)
        found[entry.key].append(entry)
    return found


async def open_entry(connection: Connection, tenant: str, entry_id: str) -> Entry | None:
    """One open entry, locked; None where it is answered or withdrawn."""
    row = await connection.fetchrow(
        f"""select {_COLUMNS} from ops.review_queue
             where tenant = $1 and entry_id = $2 and status = 'open' for update""",
        tenant,
        entry_id,
    )
    return _entry(row) if row else None


async def add_entries(connection: Connection, entries: Sequence[Entry]) -> list[Entry]:
    """Adds entries; gives those that are new: the same cause opens none twice."""
    added: list[Entry] = []
    for one in entries:
        done = await connection.execute(
            """insert into ops.review_queue (entry_id, tenant, pack, left_id, right_id, kind, decision_id,
                 decision_version, reasons, value, unit, deadline, owner, opened_by, opened_at, warn_at,
                 due_at, proposal)
               values ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17,$18::jsonb)
               on conflict do nothing""",
            one.entry_id,
            one.key.tenant,
            one.key.pack,
            one.key.left,
            one.key.right,
            one.kind,
            one.decision_id,
            one.decision_version,
            list(one.reasons),
            one.stakes.value,
            one.stakes.unit,
            one.stakes.deadline,
            one.stakes.owner,
            one.opened_by,
            one.opened_at,
            one.warn_at,
            one.due_at,
            _proposal_json(one.proposal),
        )
        if done.endswith(" 1"):
            added.append(one)
    return added


async def write_entries(connection: Connection, entries: Sequence[Entry]) -> None:
    """Writes what open entries say now; kind, pair and times of answer stay."""
    await connection.executemany(
        """update ops.review_queue
              set decision_id = $2, decision_version = $3, reasons = $4, value = $5, unit = $6,
                  deadline = $7, owner = $8, assignee = $9, warned_at = $10, breached_at = $11,
                  proposal = $12::jsonb
            where entry_id = $1 and status = 'open'""",
        [
            (
                one.entry_id,
                one.decision_id,
                one.decision_version,
                list(one.reasons),
                one.stakes.value,
                one.stakes.unit,
                one.stakes.deadline,
                one.stakes.owner,
                one.assignee,
                one.warned_at,
                one.breached_at,
                _proposal_json(one.proposal),
            )
            for one in entries
        ],
    )


async def close_entries(
    connection: Connection,
    entries: Sequence[Entry],
    *,
    by: str,
    at: datetime,
    reason: str,
    verdict: Answer | None,
) -> None:
    """Closes entries: answered by `verdict`, or withdrawn where there is none."""
    await connection.execute(
        """update ops.review_queue
              set status = case when $5::text is null then 'withdrawn' else 'answered' end,
                  closed_by = $2, closed_at = $3, close_reason = $4, verdict = $5, proposal = null
            where entry_id = any($1::uuid[]) and status = 'open'""",
        [one.entry_id for one in entries],
        by,
        at,
        reason,
        verdict,
    )


async def command_is_new(connection: Connection, tenant: str, command_id: str) -> bool:
    """Whether a command was not handled before; to be asked under the lock of the pair's head."""
    return not await connection.fetchval(
        "select exists (select from ops.review_commands where tenant = $1 and command_id = $2)",
        tenant,
        command_id,
    )


async def keep_command(connection: Connection, told: ReviewCommandAnswered) -> None:
    """Remembers what became of a command."""
    await connection.execute(
        """insert into ops.review_commands (tenant, command_id, pack, left_id, right_id, verdict, actor,
             code, message, at)
           values ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10)""",
        told.tenant,
        told.command_id,
        told.pack,
        told.left,
        told.right,
        told.verdict,
        told.actor,
        told.code,
        told.message,
        told.emitted_at,
    )


async def command_result(
    connection: Connection, tenant: str, command_id: str
) -> tuple[str, str] | None:
    """Code and message of a command that was handled; None while it was not."""
    row = await connection.fetchrow(
        "select code, message from ops.review_commands where tenant = $1 and command_id = $2",
        tenant,
        command_id,
    )
    return (row["code"], row["message"]) if row else None


@dataclass(frozen=True, slots=True)
class QueueFilter:
    """Which entries to list; None means any."""

    status: str | None = "open"
    kind: str | None = None
    assignee: str | None = None
    record: str | None = None
    breached: bool = False


async def list_entries(
    connection: Connection, tenant: str, pack: str, wanted: QueueFilter, today: date, limit: int
) -> list[dict[str, Any]]:
    """Entries in the order in which they are best answered.

    First what is over its time, then by the money that a day's delay puts at stake: the value over the
    days that are left, one at least (weighted shortest job first). What can no longer be won, or has no
    value, comes last, by the time to answer.
    """
    rows = await connection.fetch(
        f"""select {_COLUMNS}, status, verdict, closed_by, closed_at, close_reason,
                   deadline - $8::date as days_left,
                   round(value / greatest(deadline - $8::date, 1), 2) as value_per_day
              from ops.review_queue
             where tenant = $1 and pack = $2
               and ($3::text is null or status = $3)
               and ($4::text is null or kind = $4)
               and ($5::text is null or assignee = $5)
               and ($6::text is null or left_id = $6 or right_id = $6)
               and (not $7 or breached_at is not null)
             order by breached_at is null, coalesce(deadline < $8::date, false),
                      value_per_day desc nulls last, value desc nulls last, due_at, entry_id
             limit $9""",
        tenant,
        pack,
        wanted.status,
        wanted.kind,
        wanted.assignee,
        wanted.record,
        wanted.breached,
        today,
        limit,
    )
    return [_listed(row) for row in rows]


async def find_entries(
    connection: Connection, tenant: str, pack: str, entry_id: str
) -> list[dict[str, Any]]:
    """Entries by id, or by the first characters of it."""
    rows = await connection.fetch(
        f"""select {_COLUMNS}, status, verdict, closed_by, closed_at, close_reason
              from ops.review_queue
             where tenant = $1 and pack = $2 and entry_id::text like $3 || '%' limit 2""",
        tenant,
        pack,
        entry_id.lower(),
    )
    return [_listed(row) for row in rows]


async def commands_of_pair(
    connection: Connection, tenant: str, pack: str, left: str, right: str
) -> list[dict[str, Any]]:
    """What people said about a pair and what became of it, the oldest first."""
    rows = await connection.fetch(
        """select at, actor, verdict, code, message from ops.review_commands
            where (tenant, pack, left_id, right_id) = ($1, $2, $3, $4) order by at, command_id""",
        tenant,
        pack,
        left,
        right,
    )
    return [dict(row) for row in rows]


def _listed(row: Mapping[str, Any]) -> dict[str, Any]:
    values = dict(row)
    values["left"], values["right"] = values.pop("left_id"), values.pop("right_id")
    values["proposal"] = orjson.loads(values["proposal"]) if values["proposal"] else None
    return values


def _entry(row: Mapping[str, Any]) -> Entry:
    values = dict(row)
    key = PairKey(
        *(values.pop(name) for name in ("tenant", "pack", "left_id", "right_id")),
    )
    at_stake = Stakes(*(values.pop(name) for name in ("value", "unit", "deadline", "owner")))
    proposal = values.pop("proposal")
    if proposal is not None:
        written = orjson.loads(proposal)
        proposal = Proposal(Answer(written["answer"]), written["by"], written["reason"])
    values["kind"], values["reasons"] = Kind(values["kind"]), tuple(values["reasons"])
    return Entry(key=key, stakes=at_stake, proposal=proposal, **values)


def _proposal_json(proposal: Proposal | None) -> str | None:
    if proposal is None:
        return None
    written = {"answer": proposal.answer, "by": proposal.by, "reason": proposal.reason}
    return orjson.dumps(written).decode()
