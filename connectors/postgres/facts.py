"""Reads what pairs are judged by: a few set-based statements, whatever the number of pairs.

To be called after the heads' locks, in the same transaction (design.md section 3, guarantee 4).
Accounts and rivals are read FOR SHARE: whoever changes one of them while a pair is being judged waits,
and its event then finds the pair by what the judgement has stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import orjson

from connectors.postgres.pool import Connection
from schemas.pair_inputs import (
    AccountRow,
    CompetitorRow,
    MatchRow,
    PairInputs,
    PairKey,
    RecordRow,
    SpendRow,
)

LIVE = ("auto", "confirmed", "candidate")
"""Statuses of matches that are decided upon; alternatives (MATCH-9) are not."""


@dataclass(frozen=True, slots=True)
class PairSchema:
    """What a pack's pairs are made of: record kind, the two sides, and which one knows the customer.

    `rival_fields` are the fields of other open records that its facts ask for.
    """

    kind: str
    left: str
    right: str
    customer_of: str
    rival_fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class JudgedPair:
    """A pair as stored: its match and records, and the rule version that judges (None: none yet)."""

    key: PairKey
    match: MatchRow | None
    live: bool
    records: Mapping[str, RecordRow]
    rules: int | None

    @property
    def is_whole(self) -> bool:
        """Whether there is a live match of two records that exist."""
        present = [one for one in self.records.values() if not one.deleted]
        return self.match is not None and self.live and len(present) == 2


_PAIRS = """
select w.left_id, w.right_id, m.match_id, m.version, m.status, m.confidence, m.confidence_method,
       m.probability, m.rank_score, m.ambiguous, m.provisional, m.evidence::text as evidence,
       m.model_version, m.matcher_version,
       (select version from ops.config_active where tenant = $1 and pack = $2) as rules,
       coalesce(m.live and not m.alternative and m.status = any($7::text[]), false) as live,
       l.version as l_version, l.deleted as l_deleted,
       core.company_of($1, $2, core.company_member(l.customer, l.fields)) as l_customer,
       l.fields::text as l_fields, l.lineage::text as l_lineage, l.inputs::text as l_inputs,
       l.source_committed_at as l_committed,
       r.version as r_version, r.deleted as r_deleted,
       core.company_of($1, $2, core.company_member(r.customer, r.fields)) as r_customer,
       r.fields::text as r_fields, r.lineage::text as r_lineage, r.inputs::text as r_inputs,
       r.source_committed_at as r_committed
  from unnest($5::text[], $6::text[]) as w(left_id, right_id)
  left join core.matches m on (m.tenant, m.pack, m.left_id, m.right_id) = ($1, $2, w.left_id, w.right_id)
  left join core.records l on (l.tenant, l.pack, l.kind, l.side, l.id) = ($1, $2, $3, $4, w.left_id)
  left join core.records r on (r.tenant, r.pack, r.kind, r.side, r.id) = ($1, $2, $3, $8, w.right_id)
"""


async def read_pairs(
    connection: Connection, keys: Sequence[PairKey], schema: PairSchema
) -> list[JudgedPair]:
    """The pairs with their match and records, in the order of the keys; all of one tenant and pack."""
    if not keys:
        return []
    rows = await connection.fetch(
        _PAIRS,
        keys[0].tenant,
        keys[0].pack,
        schema.kind,
        schema.left,
        [key.left for key in keys],
        [key.right for key in keys],
        list(LIVE),
        schema.right,
    )
    found = {(row["left_id"], row["right_id"]): row for row in rows}
    return [_pair(key, found[key.left, key.right], schema) for key in keys]


def _pair(key: PairKey, row: Any, schema: PairSchema) -> JudgedPair:
    records = {
        side: record
        for side, prefix, record_id in (
            (schema.left, "l", key.left),
            (schema.right, "r", key.right),
        )
        if (record := _record(row, prefix, schema.kind, side, record_id)) is not None
    }
    match = None
    if row["match_id"] is not None:
        match = MatchRow(
            match_id=row["match_id"],
            version=row["version"],
            status=row["status"],
            confidence=row["confidence"],
            confidence_method=row["confidence_method"],
            probability=row["probability"],
            rank_score=row["rank_score"],
            ambiguous=row["ambiguous"],
            provisional=row["provisional"],
            evidence=orjson.loads(row["evidence"]),
            model_version=row["model_version"],
            matcher_version=row["matcher_version"],
        )
    return JudgedPair(key, match, row["live"], records, row["rules"])


def _record(row: Any, prefix: str, kind: str, side: str, record_id: str) -> RecordRow | None:
    if row[f"{prefix}_version"] is None:
        return None
    return RecordRow(
        kind=kind,
        side=side,
        id=record_id,
        version=row[f"{prefix}_version"],
        fields=orjson.loads(row[f"{prefix}_fields"]),
        lineage=orjson.loads(row[f"{prefix}_lineage"]),
        inputs=orjson.loads(row[f"{prefix}_inputs"]),
        customer=row[f"{prefix}_customer"],
        deleted=row[f"{prefix}_deleted"],
        committed_at=row[f"{prefix}_committed"],
    )


async def read_inputs(
    connection: Connection,
    pairs: Sequence[JudgedPair],
    schema: PairSchema,
    months: Mapping[PairKey, Iterable[date]],
) -> dict[PairKey, PairInputs]:
    """The inputs of whole pairs of one tenant and pack; `months` are those whose spend each needs."""
    if not pairs:
        return {}
    tenant, pack = pairs[0].key.tenant, pairs[0].key.pack
    customers = {pair.key: pair.records[schema.customer_of].customer for pair in pairs}
    named = {pair.key: _named_accounts(pair) for pair in pairs}
    accounts = await _read_accounts(
        connection, tenant, pack, {one for one in customers.values() if one}, named.values()
    )
    by_customer: dict[str | None, list[AccountRow]] = {}
    by_id = {one.id: one for one in accounts}
    for one in accounts:
        by_customer.setdefault(one.customer, []).append(one)
    asked = sorted({month for wanted in months.values() for month in wanted})
    spend, states, complete = await _read_ledger(connection, tenant, sorted(by_id), asked)
    own_accounts = {
        key: [one.id for one in by_customer.get(customers[key], ())] if customers[key] else []
        for key in customers
    }
    rivals = await _read_rivals(connection, pairs, schema, own_accounts, named)
    result: dict[PairKey, PairInputs] = {}
    for pair in pairs:
        key = pair.key
        mine = {*own_accounts[key], *(one for one in named[key] if one in by_id)}
        assert pair.match is not None
        result[key] = PairInputs(
            key=key,
            match=pair.match,
            records=pair.records,
            customer=customers[key],
            accounts=tuple(by_id[one] for one in sorted(mine)),
            named_accounts=tuple(sorted(named[key])),
            spend=tuple(row for row in spend if row.account_id in mine),
            months=states,
            complete=complete,
            competitors=tuple(rivals[key]),
        )
    return result


def _named_accounts(pair: JudgedPair) -> set[str]:
    return {
        str(one)
        for record in pair.records.values()
        for one in record.fields.get("account_ids") or ()
    }


async def _read_accounts(
    connection: Connection,
    tenant: str,
    pack: str,
    customers: set[str],
    named: Iterable[set[str]],
) -> list[AccountRow]:
    """Accounts that the customers, companies, own or that are named; of several claims on one id the one
    of the smallest record id holds.
    """
    ids = sorted({one for some in named for one in some})
    if not customers and not ids:
        return []
    rows = await connection.fetch(
        """
        select r.id, r.version, r.fields ->> 'account_id' as account_id,
               core.company_of($1, $2, core.company_member(r.customer, r.fields)) as customer
          from core.records r
         where r.tenant = $1 and r.pack = $2 and r.kind = 'account' and not r.deleted
           and r.fields ->> 'account_id' in (
             select o.fields ->> 'account_id' from core.records o
              where o.tenant = $1 and o.pack = $2 and o.kind = 'account' and not o.deleted
                and o.customer = any($3::text[] || array(
                      select core.company_customer(member) from core.company_members
                       where tenant = $1 and pack = $2 and company_id = any($3::text[])))
             union all select unnest($4::text[]))
         order by r.side, r.id for share of r""",
        tenant,
        pack,
        sorted(customers),
        ids,
    )
    claims: dict[str, Any] = {}
    for row in rows:
        other = claims.get(row["account_id"])
        if other is None or (len(row["id"]), row["id"]) < (len(other["id"]), other["id"]):
            claims[row["account_id"]] = row
    return [
        AccountRow(account, row["customer"], row["version"])
        for account, row in sorted(claims.items())
    ]


_LEDGER = """
select 'spend' as what, account_id as name, month, amount, currency as text, rows, final, version
  from core.spend_monthly
 where tenant = $1 and account_id = any($2::text[]) and month = any($3::date[])
union all
select 'month', source, month, null, state, 0, false, version
  from core.billing_months where tenant = $1 and month = any($3::date[])
union all
select 'source', source, null, null, null, 0, complete, 0
  from ops.completeness where tenant = $1
"""


_SPEND_COLUMNS = ("name", "month", "amount", "text", "rows", "final", "version")


async def _read_ledger(
    connection: Connection, tenant: str, accounts: Sequence[str], months: Sequence[date]
) -> tuple[list[SpendRow], dict[tuple[str, date], str], dict[str, bool]]:
    spend: list[SpendRow] = []
    states: dict[tuple[str, date], str] = {}
    complete: dict[str, bool] = {}
    for row in await connection.fetch(_LEDGER, tenant, list(accounts), list(months)):
        if row["what"] == "spend":
            values = [row[name] for name in _SPEND_COLUMNS]
            spend.append(SpendRow(*values))
        elif row["what"] == "month":
            states[row["name"], row["month"]] = row["text"]
        else:
            complete[row["name"]] = row["final"]
    spend.sort(key=lambda one: (one.account_id, one.month, one.currency))
    return spend, states, complete


_RIVALS = """
select r.side, r.id, r.version, r.fields ->> 'title' as title, r.fields ->> 'created_at' as created,
       r.fields ->> 'normalized_company' as company, r.fields ->> 'normalized_domain' as domain,
       coalesce(r.fields -> 'account_ids', '[]')::text as accounts,
       (select jsonb_object_agg(name, r.fields ->> name) from unnest($7::text[]) as name)::text as extra
  from core.records r
 where r.tenant = $1 and r.pack = $2 and r.kind = $3 and r.is_open and not r.deleted
   and (r.fields -> 'account_ids' ?| $4::text[]
        or r.fields ->> 'normalized_company' = any($5::text[])
        or r.fields ->> 'normalized_domain' = any($6::text[]))
 order by r.side, r.id for share of r
"""


async def _read_rivals(
    connection: Connection,
    pairs: Sequence[JudgedPair],
    schema: PairSchema,
    owned: Mapping[PairKey, Sequence[str]],
    named: Mapping[PairKey, set[str]],
) -> dict[PairKey, list[CompetitorRow]]:
    """Open records of either side that share an account, the company or the domain with each pair."""
    companies = {pair.key: _shared(pair, "normalized_company") for pair in pairs}
    domains = {pair.key: _shared(pair, "normalized_domain") for pair in pairs}
    accounts = {pair.key: {*owned[pair.key], *named[pair.key]} for pair in pairs}
    rows = await connection.fetch(
        _RIVALS,
        pairs[0].key.tenant,
        pairs[0].key.pack,
        schema.kind,
        sorted(set().union(*accounts.values())),
        sorted(set().union(*companies.values())),
        sorted(set().union(*domains.values())),
        list(schema.rival_fields),
    )
    by_account, by_company, by_domain = (_inverted(one) for one in (accounts, companies, domains))
    own: dict[tuple[str, str], set[PairKey]] = {}
    for pair in pairs:
        own.setdefault((schema.left, pair.key.left), set()).add(pair.key)
        own.setdefault((schema.right, pair.key.right), set()).add(pair.key)
    found: dict[PairKey, list[CompetitorRow]] = {pair.key: [] for pair in pairs}
    for row in rows:
        theirs = tuple(str(one) for one in orjson.loads(row["accounts"]))
        same = {*by_company.get(row["company"], ()), *by_domain.get(row["domain"], ())}
        near = same.union(*(by_account.get(one, ()) for one in theirs))
        for key in near - own.get((row["side"], row["id"]), set()):
            found[key].append(_rival(row, theirs, key in same))
    return found


def _inverted(sets: Mapping[PairKey, set[str]]) -> dict[str | None, list[PairKey]]:
    result: dict[str | None, list[PairKey]] = {}
    for key, values in sets.items():
        for value in values:
            result.setdefault(value, []).append(key)
    return result


def _rival(row: Any, accounts: tuple[str, ...], same_company: bool) -> CompetitorRow:
    return CompetitorRow(
        side=row["side"],
        id=row["id"],
        title=row["title"] or "",
        accounts=accounts,
        same_company=same_company,
        created_at=row["created"],
        version=row["version"],
        fields=orjson.loads(row["extra"]) if row["extra"] else {},
    )


def _shared(pair: JudgedPair, field: str) -> set[str]:
    return {str(value) for one in pair.records.values() if (value := one.fields.get(field))}
