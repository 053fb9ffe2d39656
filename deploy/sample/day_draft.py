"""The day while it is planned: the rows as they stand, the transactions so far, who is free to act upon."""

from __future__ import annotations

import random
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from deploy.sample.draft import WorldDraft
from deploy.sample.expected import Judge
from deploy.sample.generate import SampleWorld
from deploy.sample.labels import UNMATCHED, LabelledPair
from deploy.sample.tables import Row
from deploy.sample.transactions import (
    AT_START,
    Expectation,
    Footprint,
    Insert,
    RowName,
    Statement,
    Transaction,
    Update,
    apply,
)

DAY_BEGINS = time(8, 0)
GAP_SECONDS = (0.045, 0.125)
"""Least and greatest time between the starts of two transactions: 8 to 22 a second."""

Pair = tuple[int, str]


class DayDraft:
    """Collects transactions and keeps the model of both databases in step with them."""

    def __init__(self, world: SampleWorld, seed: int) -> None:
        self.world = world
        self.rng = random.Random(seed)  # noqa: S311  # not a secret
        self.odoo = world.odoo.copy()
        self.apn = world.apn.copy()
        self.draft = WorldDraft.continuing(
            self.rng, world.as_of, world.lookups, self.odoo, self.apn
        )
        self.transactions: list[Transaction] = []
        self.footprints: list[Footprint] = []
        self.new_pairs: list[LabelledPair] = []
        self._written_by: dict[RowName, int] = {}
        self._read_by: defaultdict[RowName, list[int]] = defaultdict(list)
        self._at = 0.0
        self._outcomes: dict[Pair, str] = {}
        self._free: defaultdict[str, deque[Pair]] = defaultdict(deque)
        for pair in world.pairs:
            if pair.scenario and pair.is_match:
                self._free[pair.scenario].append((pair.odoo_id, pair.apn_id))
                self._outcomes[pair.odoo_id, pair.apn_id] = next(iter(pair.accepts))
        self._apn_keys = {row["apn_id"]: key for key, row in self.apn["apn_opportunity"].items()}

    def take(self, *scenarios: str) -> Pair:
        """A pair of one of these scenarios that no other part of the day changes."""
        for scenario in scenarios:
            if self._free[scenario]:
                return self._free[scenario].popleft()
        raise LookupError(f"no pair of {', '.join(scenarios)} is left: plan fewer of them")

    def ace(self, apn_id: str) -> Row:
        """The ACE opportunity of that ACE id, as it stands."""
        if apn_id not in self._apn_keys:
            self._apn_keys = {
                row["apn_id"]: key for key, row in self.apn["apn_opportunity"].items()
            }
        return self.apn["apn_opportunity"][self._apn_keys[apn_id]]

    def lead(self, odoo_id: int) -> Row:
        """The CRM lead or opportunity of that id, as it stands."""
        return self.odoo["crm_lead"][odoo_id]

    def company_of(self, odoo_id: int) -> Row:
        """The commercial partner of a lead."""
        partner = self.odoo["res_partner"][self.lead(odoo_id)["partner_id"]]
        return self.odoo["res_partner"][partner["commercial_partner_id"]]

    def outcomes(self, pairs: Sequence[Pair]) -> dict[Pair, str]:
        """What each pair comes to, by the rows as they stand, if it is matched with confidence."""
        judge = Judge(self.odoo, self.apn, self.world.as_of)
        return {pair: self._outcome(judge, pair) for pair in pairs}

    def _outcome(self, judge: Judge, pair: Pair) -> str:
        odoo_id, apn_id = pair
        lead = self.odoo["crm_lead"].get(odoo_id)
        if lead is None or not lead["active"] or self.ace(apn_id)["stage"] == "Closed Lost":
            return UNMATCHED
        return judge.verdict(odoo_id, apn_id).outcome

    def commit(
        self,
        database: str,
        kind: str,
        title: str,
        *statements: Statement,
        pair: Pair | None = None,
        because: str = "",
    ) -> None:
        """One more transaction; with `pair`, what that pair should come to afterwards."""
        index = len(self.transactions)
        model = self.odoo if database == "odoo" else self.apn
        footprint = apply(model, database, statements, self.moment(database, self._at))
        expectation = None
        if pair is not None:
            before, outcome = self._outcomes.get(pair), self.outcomes([pair])[pair]
            self._outcomes[pair] = outcome
            expectation = Expectation(*pair, outcome, before, because)
        self.transactions.append(
            Transaction(
                index=index,
                at=self._at,
                database=database,
                kind=kind,
                title=title,
                statements=statements,
                after=self._predecessors(index, footprint),
                expectation=expectation,
            )
        )
        self.footprints.append(footprint)
        self._at = round(self._at + self.rng.uniform(*GAP_SECONDS), 3)

    def register(self, label: LabelledPair) -> None:
        """A pair that comes into being today."""
        self.new_pairs.append(label)

    def new_rows(self, write: Callable[[], object]) -> list[Insert]:
        """What `write` adds to the model, as inserts of today instead: one per row, in their order."""
        inserts: list[Insert] = []
        journal: list[tuple[Any, str, Any]] = []
        for database in (self.odoo, self.apn):
            database.journal = []
        write()
        for database in (self.odoo, self.apn):
            journal += [(database, table, key) for table, key in database.journal or ()]
            database.journal = None
        for database, table, key in journal:
            row = database.tables[table].pop(key)
            for column in ("create_date", "write_date", "created_date", "last_modified_date"):
                if column in row:
                    row[column] = AT_START
            inserts.append(Insert(table, (row,)))
        return inserts

    def moment(self, database: str, at: float) -> datetime:
        """The nominal time of a transaction that starts `at` seconds into the day."""
        return nominal_time(self.world.as_of, database, at)

    def _predecessors(self, index: int, footprint: Footprint) -> tuple[int, ...]:
        """Earlier transactions that touch the same rows, at least one of the two by writing."""
        found: set[int] = set()
        for name in footprint.written:
            if name in self._written_by:
                found.add(self._written_by[name])
            found.update(self._read_by.pop(name, ()))
            self._written_by[name] = index
        for name in footprint.referenced - footprint.written:
            if name in self._written_by:
                found.add(self._written_by[name])
            self._read_by[name].append(index)
        return tuple(sorted(found - {index}))


def nominal_time(as_of: date, database: str, at: float) -> datetime:
    """Eight o'clock of the as-of date plus `at` seconds; with a zone for the APN database."""
    moment = datetime.combine(as_of, DAY_BEGINS) + timedelta(seconds=at)
    return moment.replace(tzinfo=UTC) if database == "apn" else moment


def written(**changes: Any) -> Row:
    """Changed columns of an Odoo row with what Odoo's ORM adds to every write."""
    return {**changes, "write_uid": 2, "write_date": AT_START}


def lead_written(day: DayDraft, lead_id: int, **changes: Any) -> list[Statement]:
    """The updates that one save of a lead makes: the change, then recomputed fields in a second or third."""
    updates: list[Statement] = [Update("crm_lead", (lead_id,), written(**changes))]
    probability = day.lead(lead_id)["probability"]
    if 0 < probability < 100 and "probability" not in changes:
        drift = min(99.0, max(1.0, round(probability + day.rng.uniform(-3, 3), 2)))
        updates.append(
            Update("crm_lead", (lead_id,), written(probability=drift, automated_probability=drift))
        )
    if day.rng.random() < 0.3:
        updates.append(Update("crm_lead", (lead_id,), written(color=day.rng.randrange(11))))
    return updates


def message(day: DayDraft, lead_id: int, body: str) -> Insert:
    """A chatter message on a lead."""
    return Insert(
        "mail_message",
        (
            {
                "id": day.odoo.reserve_id("mail_message"),
                "model": "crm.lead",
                "res_id": lead_id,
                "record_name": day.lead(lead_id)["name"],
                "body": f"<p>{body}</p>",
                "message_type": "notification",
                "is_internal": True,
                "date": AT_START,
                "create_uid": 2,
                "write_uid": 2,
                "create_date": AT_START,
                "write_date": AT_START,
            },
        ),
    )


def ace_written(day: DayDraft, apn_id: str, **changes: Any) -> Update:
    """An update of an ACE opportunity."""
    return Update(
        "apn_opportunity", (day.ace(apn_id)["id"],), {**changes, "last_modified_date": AT_START}
    )


def some_lead(day: DayDraft) -> Row:
    """Any open opportunity with a partner."""
    return day.rng.choice(
        [
            lead
            for lead in day.odoo["crm_lead"].values()
            if lead["active"] and lead["type"] == "opportunity" and lead["partner_id"] is not None
        ]
    )
