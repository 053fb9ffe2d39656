"""What is known about the sample: true pairs, false pairs, and the outcome each should come to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

AUTO_APPROVE = "auto_approve"
AUTO_REJECT = "auto_reject"
NEEDS_REVIEW = "needs_review"
UNMATCHED = "unmatched"
OUTCOMES = (AUTO_APPROVE, AUTO_REJECT, NEEDS_REVIEW, UNMATCHED)

RULES = ("R1", "R2", "R3", "R4", "R5")


@dataclass(frozen=True, slots=True)
class Scenario:
    """One way to an outcome: which row of the outcome table it stands for and which results lead there.

    `decision_row` numbers the rows of the table in DEC-4 from 1 (auto-approve) to 10 (unmatched).
    `rules` gives the expected result of each rule; a rule that is left out may give anything.
    """

    name: str
    decision_row: int
    outcome: str
    title: str
    rules: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class LabelledPair:
    """What is true of one CRM opportunity and one ACE opportunity.

    `slice` names the kind of difficulty. `scenario` is set where the outcome is certain; `accepts`
    holds every outcome that is right for the pair (one for a scenario; several where it depends on
    the matcher's calibration; `unmatched` alone for a false pair).
    """

    odoo_id: int
    apn_id: str
    slice: str
    is_match: bool
    accepts: frozenset[str] = field(default_factory=frozenset)
    scenario: str | None = None
