"""Raw rows looked up for what is derived from them, one statement a hop."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import AsyncIterator, Generator, Iterable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import orjson

from connectors.postgres.pool import Connection
from schemas.cdc import SourcePosition, canonical_key
from streams.normalise.derive import Wanted
from streams.normalise.fold import HANDED_OVER
from streams.normalise.plan import Plan, TablePlan
from streams.normalise.rows import Lookups, Place, RowStore, SourceRow, text_of

_Result = TypeVar("_Result")
_WHOLE_NUMBER = re.compile(r"-?[1-9][0-9]*|0")


_PREFER = "set enable_seqscan = off; set enable_hashjoin = off; set enable_mergejoin = off"
_PLAN_ANEW = _PREFER + "; set plan_cache_mode = force_custom_plan"
_LARGE_BATCH = 50


@asynccontextmanager
async def indexes_preferred(connection: Connection, batch: int) -> AsyncIterator[None]:
    """Meanwhile rows are found one by one, whatever the statistics say.

    Statements are prepared while tables are still empty and then live on; a plan that reads whole
    tables would be right at that moment and ruinous an hour later. Planning a statement anew costs
    less than a millisecond: nothing for a large batch, a lot for a single row.
    """
    await connection.execute(_PLAN_ANEW if batch > _LARGE_BATCH else _PREFER)
    try:
        yield
    finally:
        await connection.execute("reset all")


async def answered(
    connection: Connection,
    plan: Plan,
    tenant: str,
    conversation: Generator[Lookups, RowStore, _Result],
    *,
    keys_only: bool = False,
) -> _Result:
    """Drives a conversation of `streams.normalise.derive` to its end, one statement a turn.

    `keys_only` fetches of each row only the columns that joins use: enough to climb to the records.
    """
    store = RowStore()
    try:
        wanted = next(conversation)
        while True:
            missing = store.missing(wanted)
            if missing:
                store.add(missing, await _looked_up(connection, plan, tenant, missing, keys_only))
            wanted = conversation.send(store)
    except StopIteration as end:
        return end.value


async def _looked_up(
    connection: Connection, plan: Plan, tenant: str, lookups: Lookups, keys_only: bool
) -> list[tuple[Place, str, SourceRow]]:
    places = sorted(lookups)
    parts: list[str] = []
    arguments: list[Any] = [tenant]
    for number, place in enumerate(places):
        table = plan.tables[place[0]]
        by_key = table.primary_key == (place[1],)
        values = sorted(lookups[place])
        arguments.append([_key(table, place[1], one) for one in values] if by_key else values)
        parts.append(_question(table, place[1], number, by_key, keys_only))
    found: list[tuple[Place, str, SourceRow]] = []
    for record in await connection.fetch("\nunion all\n".join(parts), *arguments):
        number, asked, key, epoch, position, committed_at, deleted, text = record
        place = places[number]
        image = orjson.loads(text)
        value = asked or text_of(image.get(place[1]))
        if value is not None:
            row = SourceRow(
                place[0], key, image, SourcePosition(epoch, position), committed_at, deleted
            )
            found.append((place, value, row))
    return found


def _key(table: TablePlan, column: str, value: str) -> str:
    """The primary key that a value stands for, as `schemas.cdc.canonical_key` writes it."""
    if not table.text_key and _WHOLE_NUMBER.fullmatch(value):
        return f'{{"{column}":{value}}}'
    return canonical_key({column: value})


def _question(table: TablePlan, column: str, place: int, by_key: bool, keys_only: bool) -> str:
    """One table's part of a look-up statement. Names come from the checked mapping.

    The inner select is kept apart by OFFSET 0: with many values and no statistics the planner would
    otherwise read whole tables.
    """
    image = "image::text"
    if keys_only:
        pairs = ", ".join(
            f"{literal(name)}, image -> {literal(name)}" for name in sorted(table.keys)
        )
        image = f"jsonb_build_object({pairs})::text"
    columns = f"pk, epoch, position, committed_at, deleted, {image}"
    where = f"tenant = $1 and source_table = {literal(table.name)} and op <> {literal(HANDED_OVER)}"
    if by_key:
        return (
            f"select {place}, null::text, {columns} from raw.rows"
            f" where {where} and pk = any(${place + 2}::text[])"
        )
    return (
        f"select {place}, asked.value, found.*"
        f" from unnest(${place + 2}::text[]) as asked (value) cross join lateral"
        f" (select {columns} from raw.rows where {where}"
        f" and image ->> {literal(column)} = asked.value offset 0) as found"
    )


async def lock_roots(
    connection: Connection, plan: Plan, tenant: str, wanted: Iterable[Wanted]
) -> None:
    """Locks the root rows of billing rows and load markers, which have no record of their own.

    Their ids are primary keys: a ledger's rows are found by nothing else.
    """
    keys: dict[str, list[str]] = defaultdict(list)
    for record, id in wanted:
        keys[record.table].append(_key(plan.tables[record.table], record.id_column, id))
    for table in sorted(keys):
        await connection.execute(
            "select 1 from unnest($2::text[]) as k (pk) cross join lateral (select 1 from raw.rows r"
            f" where r.tenant = $1 and r.source_table = {literal(table)} and r.pk = k.pk"
            " for no key update) locked",
            tenant,
            sorted(keys[table]),
        )


def literal(text: str) -> str:
    """An SQL text literal."""
    return "'" + text.replace("'", "''") + "'"
