"""Every event that the platform puts on a topic (STR-2..STR-9, DEC-6, STR-16).

Frozen models, named in the past tense. Times are UTC, money is Decimal (text in JSON), ids are text.
A state event carries a `version` that only rises per key; consumers drop what is not newer. A breaking
change is a new class on a new topic version; fields may only be added with a default.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Literal

from pydantic import AwareDatetime, Field

from schemas.event import Event

# ruff: noqa: PLC0414 - every event is found here, wherever it is written
from schemas.review_events import ActionTaken as ActionTaken
from schemas.review_events import ReviewCommandAnswered as ReviewCommandAnswered
from schemas.review_events import ReviewCommanded as ReviewCommanded
from schemas.review_events import ReviewUpdated as ReviewUpdated


class RecordNormalised(Event):
    """A core record changed, or was deleted. Topics `core.opportunity|company|account`; state.

    `fields` holds the core fields of the record by name (spec section 5); dates are ISO text, money
    is decimal text. A deleted record has `deleted` true and its last `fields`.
    """

    kind: str
    side: str
    id: str
    version: int
    deleted: bool = False
    fields: dict[str, Any] = Field(default_factory=dict)
    changed: tuple[str, ...] = ()
    dq_flags: tuple[str, ...] = ()

    def key_parts(self) -> dict[str, str]:
        return {"id": self.id, "kind": self.kind, "side": self.side}


class CompanyResolved(Event):
    """What is one company, of all the companies that records name (CORE-5). Topic `core.company`; state.

    `members` are the keys by which records name it, the first of them its id; `domains` and `aliases`
    are those of all members. `change` says what became of it last: a company that went into another is
    `removed`, with that other in `others`; one that took others in is `merged`, one that came out of
    another `split`.
    """

    company_id: str
    version: int
    deleted: bool = False
    name: str = ""
    normalized_company: str = ""
    aliases: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    country: str | None = None
    members: tuple[str, ...] = ()
    change: Literal["created", "changed", "merged", "split", "removed"]
    others: tuple[str, ...] = ()

    def key_parts(self) -> dict[str, str]:
        return {"company": self.company_id, "pack": self.pack}


class SpendMonthRevised(Event):
    """The billed total of one account, month and currency changed. Topic `core.spend.monthly`; state.

    `amount` is what the internal CUR says, in `currency`; `customer` is None while nobody owns the
    account. `final` is true when every row of the month has its invoice id (AM-2).
    """

    account_id: str
    month: date
    customer: str | None = None
    payer_account_id: str | None = None
    amount: Decimal
    currency: str
    rows: int
    final: bool = False
    version: int

    def key_parts(self) -> dict[str, str]:
        return {
            "account": self.account_id,
            "currency": self.currency,
            "month": self.month.isoformat(),
        }


class BillingMonthLoaded(Event):
    """A billing month of a source is complete, final, or open again. Topic `core.billing.month`."""

    source: str
    month: date
    state: Literal["loading", "loaded", "final"]
    version: int

    def key_parts(self) -> dict[str, str]:
        return {"month": self.month.isoformat(), "source": self.source}


class SpendAnomalyJudged(Event):
    """Spend on a product is far from what it was, was acknowledged, or is as expected again (BILL-9).

    Topic `spend.anomaly`; state. `expected` is the median of the months before, or the month before while
    months are few; from `tolerance` on a deviation is too far.
    """

    account_id: str
    product_code: str
    month: date
    currency: str
    customer: str = ""
    amount: Decimal
    expected: Decimal
    deviation: Decimal
    tolerance: Decimal
    method: str
    months: int = Field(description="How many months it was compared with.")
    state: Literal["open", "acknowledged", "ended"]
    acknowledged_by: str | None = None
    note: str = ""
    version: int

    def key_parts(self) -> dict[str, str]:
        return {
            "account": self.account_id,
            "currency": self.currency,
            "month": self.month.isoformat(),
            "product": self.product_code,
        }


class SpendThresholdCrossed(Event):
    """A customer's month came near the limit, went over it, or came back (BILL-10).

    Topic `spend.threshold`; state. `amount` is in the limit's currency, None where a rate is missing.
    """

    customer: str
    month: date
    state: Literal["under", "near", "over", "unknown"]
    amount: Decimal | None
    limit: Decimal
    currency: str
    version: int

    def key_parts(self) -> dict[str, str]:
        return {"customer": self.customer, "month": self.month.isoformat()}


class RecordEmbedded(Event):
    """The vectors of a record are as new as its version says. Topic `embed.done`.

    Also sent for records without text and for deleted ones, so that the matcher always hears.
    """

    side: str
    id: str
    record_version: int
    deleted: bool = False
    model_id: str
    kinds: tuple[str, ...] = ()

    def key_parts(self) -> dict[str, str]:
        return {"id": self.id, "side": self.side}


class MatchStatus(StrEnum):
    CANDIDATE = "candidate"
    AUTO = "auto"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    SUPERSEDED = "superseded"
    UNMATCHED = "unmatched"


class MatchScored(Event):
    """A pair was scored, re-scored, confirmed, rejected or withdrawn. Topic `match.result`; state.

    `left` is a record id of the pack's first side, `right` of its second. `confidence` is MATCH-5's
    figure (rule R4 judges it), `probability` the calibrated one. `evidence` carries every comparison.
    """

    match_id: str
    left: str
    right: str
    version: int
    status: MatchStatus
    confidence: Decimal
    confidence_method: str
    probability: Decimal
    rank_score: Decimal
    ambiguous: bool = False
    alternative: bool = Field(
        default=False, description="Shown, but needs no decision: a record has a better match."
    )
    provisional: bool = False
    evidence: dict[str, Any] = Field(default_factory=dict)
    reason: str = ""
    model_version: str = ""
    matcher_version: str = ""

    def key_parts(self) -> dict[str, str]:
        return {"left": self.left, "right": self.right}


class DecisionMade(Event):
    """A decision on a pair, with all that led to it (DEC-6). Topic `<pack>.decision`.

    `rules` holds one explained result a rule (RULE-1, CFG-11), `facts` every input by value with its
    source, so that the decision can be computed again from this record alone (AUD-3).
    """

    decision_id: str
    match_id: str
    left: str
    right: str
    version: int
    outcome: str
    state: str
    confidence: Decimal
    confidence_method: str
    provisional: bool = False
    summary: str = ""
    rules: tuple[dict[str, Any], ...] = ()
    facts: dict[str, Any] = Field(default_factory=dict)
    accounts: tuple[dict[str, Any], ...] = ()
    if_passed: tuple[dict[str, Any], ...] = Field(
        default=(), description="The outcome that rules' passing would bring: each alone, together."
    )
    rule_set: str = ""
    rule_set_version: str = ""
    config_hash: str = ""
    model_version: str = ""
    matcher_version: str = ""
    as_of: date
    trigger: dict[str, Any] = Field(default_factory=dict)
    fingerprint: str
    supersedes: str | None = None
    processing_ms: int = 0

    def key_parts(self) -> dict[str, str]:
        return {"left": self.left, "right": self.right}


class MatchCommanded(Event):
    """A person confirms or rejects a match, or takes a verdict back. Topic `command.match`."""

    command_id: str
    verdict: Literal["confirm", "reject", "undo"]
    left: str
    right: str
    actor: str
    reason: str
    seen_version: int | None = None

    def key_parts(self) -> dict[str, str]:
        return {"left": self.left, "right": self.right}


class TimerDue(Event):
    """A moment that facts depend on has come (STR-14). Topic `timer.due`."""

    timer_id: str
    kind: str
    subject: dict[str, str]
    due_at: AwareDatetime

    def key_parts(self) -> dict[str, str]:
        return dict(self.subject)


class SourceCompleted(Event):
    """A source has passed its snapshot end for all tables of a pack. Topic `ops.health`."""

    source: str
    complete: bool
    detail: str = ""

    def key_parts(self) -> dict[str, str]:
        return {"source": self.source}


class SourceSchemaChanged(Event):
    """The columns of a captured table are others than before (RAW-3). Topic `ops.health`; state.

    `missing` names columns that the pack's mapping reads and the table does not have: their fields
    stay empty. `retyped` names columns whose JSON type changed.
    """

    source_table: str
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    retyped: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    fingerprint: str
    version: int

    def key_parts(self) -> dict[str, str]:
        return {"source": self.source_table}


class DataQualityViolated(Event):
    """A finding on a record, or its end. Topic `dq.violation`; state."""

    kind: str
    side: str
    id: str
    flags: tuple[str, ...]
    detail: dict[str, str] = Field(default_factory=dict)
    version: int

    def key_parts(self) -> dict[str, str]:
        return {"id": self.id, "kind": self.kind, "side": self.side}


class AuditRecorded(Event):
    """Something that must be kept for good and is no decision (AUD-2, AUD-5). Topic `audit.event`."""

    event_id: str
    at: datetime
    actor: str
    action: str
    subject: str
    reason: str = ""
    payload: dict[str, Any] = Field(default_factory=dict)
    rule_set_version: str = ""
    config_hash: str = ""

    def key_parts(self) -> dict[str, str]:
        return {"subject": self.subject}


class RulesActivated(Event):
    """A version of the rules judges from now on. Topic `config.rules`; state.

    `hash` names the content, which is kept under `version`; `restores` is the older version that a
    roll-back brought back (CFG-7, CFG-8).
    """

    version: int
    hash: str
    author: str
    note: str = ""
    restores: int | None = None

    def key_parts(self) -> dict[str, str]:
        return {"pack": self.pack}
