"""What a pair is judged by, as read from the database: rows, not yet facts (design.md section 7).

The connector that reads and the pure code that judges share these; neither knows the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, slots=True)
class PairKey:
    """A pair of records of one tenant and pack. `left` is of the pack's first side."""

    tenant: str
    pack: str
    left: str
    right: str


@dataclass(frozen=True, slots=True)
class RecordRow:
    """A core record. `inputs` are the source rows that it was made from, each as table, key, epoch,
    position and commit time; `lineage` has for each field places in `inputs` and columns.
    """

    kind: str
    side: str
    id: str
    version: int
    fields: Mapping[str, Any]
    lineage: Mapping[str, Any] = field(default_factory=dict[str, Any])
    inputs: Sequence[Sequence[Any]] = ()
    customer: str | None = None
    deleted: bool = False
    committed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class MatchRow:
    """A scored pair as the matcher stored it."""

    match_id: str
    version: int
    status: str
    confidence: Decimal
    confidence_method: str
    probability: Decimal
    rank_score: Decimal = Decimal(0)
    ambiguous: bool = False
    provisional: bool = False
    evidence: Mapping[str, Any] = field(default_factory=dict[str, Any])
    model_version: str = ""
    matcher_version: str = ""


@dataclass(frozen=True, slots=True)
class AccountRow:
    """A cloud account and the customer that owns it; None while nobody does (CORE-6)."""

    id: str
    customer: str | None
    version: int = 0


@dataclass(frozen=True, slots=True)
class SpendRow:
    """The billed total of one account and month in one currency."""

    account_id: str
    month: date
    amount: Decimal
    currency: str
    rows: int = 0
    final: bool = False
    version: int = 0


@dataclass(frozen=True, slots=True)
class CompetitorRow:
    """An open record that may compete with the pair: the accounts it names, and whether it is of the
    same company. `fields` holds those by which the catalogue leaves records out.
    """

    side: str
    id: str
    title: str = ""
    accounts: tuple[str, ...] = ()
    same_company: bool = False
    created_at: str | None = None
    version: int = 0
    fields: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class PairInputs:
    """Everything that the facts of one pair are made from.

    `accounts` are the known accounts that the customer owns or the records name, `named_accounts` the
    ids that the records name, known or not. `months` gives the load state of each billing month by
    source, `complete` whether a source has passed its snapshot end.
    """

    key: PairKey
    match: MatchRow
    records: Mapping[str, RecordRow]
    customer: str | None = None
    accounts: tuple[AccountRow, ...] = ()
    named_accounts: tuple[str, ...] = ()
    spend: tuple[SpendRow, ...] = ()
    months: Mapping[tuple[str, date], str] = field(default_factory=dict[tuple[str, date], str])
    complete: Mapping[str, bool] = field(default_factory=dict[str, bool])
    competitors: tuple[CompetitorRow, ...] = ()
