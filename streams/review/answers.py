"""What follows from a person's command: an answer, a proposal, a new question, or a refusal (WF-3..WF-7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from schemas.events import ReviewCommanded
from streams.decide.standing import SUPERSEDED
from streams.review.entries import (
    Answer,
    Decided,
    Entry,
    Kind,
    Proposal,
    ReviewPolicy,
    opened,
)

REVIEWER, LEAD = "reviewer", "lead"
_EVERYBODY = "*"


@dataclass(frozen=True, slots=True)
class People:
    """Who holds which role; `*` stands for everybody. A lead is a reviewer too."""

    roles: Mapping[str, frozenset[str]]

    def may(self, person: str, role: str) -> bool:
        """Whether a person holds the role."""
        wanted = {role, LEAD} if role == REVIEWER else {role}
        return any(
            person in self.roles.get(one, frozenset()) or _EVERYBODY in self.roles.get(one, ())
            for one in wanted
        )


@dataclass(frozen=True, slots=True)
class Refused:
    """The command changes nothing; `message` tells the person what to do instead."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Assigned:
    """The entries are somebody's now."""

    entries: tuple[Entry, ...]
    assignee: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A new question, an appeal or an override that wants a second person."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class Proposed:
    """An answer that waits for a second person."""

    entries: tuple[Entry, ...]
    proposal: Proposal


@dataclass(frozen=True, slots=True)
class Answered:
    """The decision is answered, and with it every open entry of the pair."""

    answer: Answer
    entries: tuple[Entry, ...]
    turns_around: bool
    seconded: str | None = None


Ruling = Refused | Assigned | Asked | Proposed | Answered


def rule_on(
    command: ReviewCommanded,
    decided: Decided | None,
    entries: Sequence[Entry],
    people: People,
    policy: ReviewPolicy,
    now: datetime,
) -> Ruling:
    """What a command comes to, by the pair's newest decision and its open entries."""
    if decided is None or decided.state == SUPERSEDED:
        return Refused(
            "not_decided", "nothing is decided about this pair; see `revops decisions list`"
        )
    if command.verdict == "assign":
        return _assign(command, entries, people)
    if not command.reason.strip():
        return Refused("reason_missing", "say why; the reason is kept with the verdict")
    if command.seen_version is None:
        return Refused("version_missing", "say which version of the decision you saw")
    if command.seen_version != decided.version:
        return Refused(
            "conflict",
            f"you saw version {command.seen_version}, the decision is at version {decided.version} by "
            "now; look at it again",
        )
    if command.verdict == "appeal":
        return _appeal(command, decided, entries, policy, now)
    if command.verdict == "override":
        return _override(command, decided, entries, people, policy, now)
    return _answer(command, Answer(command.verdict), decided, entries, people, policy)


def _assign(command: ReviewCommanded, entries: Sequence[Entry], people: People) -> Ruling:
    if not entries:
        return _nothing_open()
    if not people.may(command.actor, REVIEWER):
        return _role_missing(command.actor, REVIEWER)
    if not command.assignee:
        return Refused("assignee_missing", "say to whom")
    if not people.may(command.assignee, REVIEWER):
        return _role_missing(command.assignee, REVIEWER)
    return Assigned(tuple(entries), command.assignee)


def _appeal(
    command: ReviewCommanded,
    decided: Decided,
    entries: Sequence[Entry],
    policy: ReviewPolicy,
    now: datetime,
) -> Ruling:
    if decided.stands_as is not Answer.REJECT:
        return Refused("not_rejected", "only a rejected decision can be appealed")
    if any(one.kind is Kind.APPEAL for one in entries):
        return Refused("already_open", "an appeal is open already; see `revops reviews list`")
    return Asked(
        opened(
            decided,
            Kind.APPEAL,
            command.command_id,
            policy,
            now,
            by=command.actor,
            reasons=(f"appeal: {command.reason.strip()}", *decided.reasons),
        )
    )


def _override(
    command: ReviewCommanded,
    decided: Decided,
    entries: Sequence[Entry],
    people: People,
    policy: ReviewPolicy,
    now: datetime,
) -> Ruling:
    if not people.may(command.actor, LEAD):
        return _role_missing(command.actor, LEAD)
    if decided.stands_as is None:
        return Refused("open", "the decision is open: approve or reject it")
    turned = Answer.REJECT if decided.stands_as is Answer.APPROVE else Answer.APPROVE
    if not _wants_second(turned, decided, policy):
        return Answered(turned, tuple(entries), turns_around=True)
    known = _proposal(entries, turned)
    if known is not None:
        return _second(command, known, turned, entries)
    proposal = Proposal(turned, command.actor, command.reason.strip())
    if entries:
        return Proposed(tuple(entries), proposal)
    return Asked(
        opened(
            decided,
            Kind.OVERRIDE,
            command.command_id,
            policy,
            now,
            by=command.actor,
            reasons=(f"override: {proposal.reason}", *decided.reasons),
            proposal=proposal,
        )
    )


def _answer(
    command: ReviewCommanded,
    answer: Answer,
    decided: Decided,
    entries: Sequence[Entry],
    people: People,
    policy: ReviewPolicy,
) -> Ruling:
    if not entries:
        if decided.stands_as is None:
            return _nothing_open()
        return Refused(
            "not_open",
            f"the decision is {decided.state}: `revops reviews override` turns it around",
        )
    second = _wants_second(answer, decided, policy)
    role = LEAD if second or any(one.kind is Kind.OVERRIDE for one in entries) else REVIEWER
    if not people.may(command.actor, role):
        return _role_missing(command.actor, role)
    for one in entries:
        if one.kind is Kind.APPEAL and command.actor in {one.opened_by, decided.decider}:
            return Refused(
                "own_appeal", "another person answers an appeal than filed it or decided first"
            )
    if second:
        known = _proposal(entries, answer)
        if known is None:
            proposal = Proposal(answer, command.actor, command.reason.strip())
            return Proposed(tuple(entries), proposal)
        return _second(command, known, answer, entries)
    turns = decided.stands_as not in {None, answer}
    return Answered(answer, tuple(entries), turns_around=turns)


def _wants_second(answer: Answer, decided: Decided, policy: ReviewPolicy) -> bool:
    """Whether a critical rule is set aside, which two people must want (WF-7)."""
    return policy.four_eyes and answer is Answer.APPROVE and bool(decided.critical_failures)


def _proposal(entries: Sequence[Entry], answer: Answer) -> Proposal | None:
    made = (one.proposal for one in entries if one.proposal is not None)
    return next((one for one in made if one.answer is answer), None)


def _second(
    command: ReviewCommanded, proposal: Proposal, answer: Answer, entries: Sequence[Entry]
) -> Ruling:
    if proposal.by == command.actor:
        return Refused("four_eyes", f"{proposal.by} proposed it; a second lead confirms it")
    return Answered(answer, tuple(entries), turns_around=True, seconded=proposal.by)


def _nothing_open() -> Refused:
    return Refused("not_open", "no review of this pair is open; see `revops reviews list`")


def _role_missing(person: str, role: str) -> Refused:
    return Refused(
        "role_missing", f"{person} is no {role}; the tenant file names who is, under `people`"
    )
