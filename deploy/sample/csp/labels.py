"""What is known about the second sample: true and false pairs, and the outcome each should come to."""

from __future__ import annotations

from dataclasses import dataclass, field

TRANSACT = "transact"
HOLD = "hold"
ASK = "ask"
APART = "apart"
"""The pair has no decision, or none that stands."""


@dataclass(frozen=True, slots=True)
class LabelledDeal:
    """What is true of one opportunity in Dynamics and one referral in Partner Center.

    `slice` names the recipe or the kind of difficulty. `accepts` holds every outcome that is right: one
    where the facts alone decide, several where it depends on how sure the matcher is. `because` is the
    rule that keeps a deal of a recipe from being transacted.
    """

    opportunity_id: str
    referral_id: str
    slice: str
    is_match: bool
    accepts: frozenset[str] = field(default_factory=frozenset)
    because: str | None = None

    @property
    def pair(self) -> tuple[str, str]:
        return self.opportunity_id, self.referral_id
