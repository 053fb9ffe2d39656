"""The sample world: both source databases, what is true of them, and what should be decided."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

from deploy.sample.background import (
    write_ace_only,
    write_closed_pairs,
    write_crm_only,
    write_open_pairs,
    write_plain_leads,
    write_sales,
)
from deploy.sample.billing import write_billing
from deploy.sample.draft import Lookups, WorldDraft
from deploy.sample.expected import Judge
from deploy.sample.hard_cases import write_hard_cases
from deploy.sample.labels import UNMATCHED, LabelledPair, Scenario
from deploy.sample.lookups import add_lookups
from deploy.sample.pairs import write_scenarios
from deploy.sample.scenarios import RECIPES, SCENARIOS
from deploy.sample.tables import SourceContent, SourceDatabase

ROWS_PER_ROUND = 65_000
"""About how many rows the default world has, most of them billing."""
_ROWS_PER_BACKGROUND_UNIT = 43
"""About how many rows one unit of background adds: ten leads and opportunities with all they need."""


@dataclass(frozen=True, slots=True)
class SampleSize:
    """How much of everything there is. The default makes about 800 CRM and 350 ACE opportunities.

    `rounds` repeats every scenario, and `most_pairs` says with how many pairs at most; the other
    counts fill the world around them. Accounts get `products` (least, most) products in each of
    `months` months.
    """

    rounds: int = 1
    most_pairs: int | None = None
    hard_cases: bool = True
    crm_only: int = 170
    account_share: float = 0.12
    leads: int = 110
    ace_only: int = 45
    closed_pairs: int = 20
    open_pairs: int = 0
    months: int = 18
    products: tuple[int, int] = (1, 3)

    @classmethod
    def with_source_rows(cls, rows: int) -> SampleSize:
        """A world of about `rows` rows in both databases, for measuring; never less than the default."""
        units = max(0, rows - ROWS_PER_ROUND) // _ROWS_PER_BACKGROUND_UNIT
        default = cls()
        return replace(
            default,
            crm_only=default.crm_only + 3 * units,
            account_share=0.12 * default.crm_only / (default.crm_only + 3 * units),
            leads=default.leads + 4 * units,
            ace_only=default.ace_only + units,
            open_pairs=2 * units,
        )


@dataclass(frozen=True, slots=True)
class SampleWorld:
    """Rows of both databases, labelled pairs and expected outcomes. Equal seeds give equal worlds."""

    seed: int
    as_of: date
    odoo: SourceDatabase
    apn: SourceDatabase
    lookups: Lookups
    pairs: tuple[LabelledPair, ...]
    scenarios: tuple[Scenario, ...]

    @classmethod
    def build(cls, seed: int, as_of: date, size: SampleSize | None = None) -> SampleWorld:
        """The world of that seed, with every date relative to `as_of` (SAFE-3, TD-1 to TD-6)."""
        size = size or SampleSize()
        draft = WorldDraft(rng=random.Random(seed), as_of=as_of, months=size.months)  # noqa: S311  # not a secret
        add_lookups(draft)
        write_scenarios(draft, RECIPES, size.rounds, size.most_pairs)
        if size.hard_cases:
            write_hard_cases(draft)
        write_crm_only(draft, size.crm_only, account_share=size.account_share)
        write_plain_leads(draft, size.leads)
        write_ace_only(draft, size.ace_only)
        write_closed_pairs(draft, size.closed_pairs)
        write_open_pairs(draft, size.open_pairs)
        write_sales(draft)
        write_billing(draft, size.products)
        pairs = tuple(_with_accepted_outcomes(draft))
        return cls(seed, as_of, draft.odoo, draft.apn, draft.lookups, pairs, SCENARIOS)

    @property
    def true_pairs(self) -> tuple[LabelledPair, ...]:
        """The pairs that are one deal."""
        return tuple(pair for pair in self.pairs if pair.is_match)

    @property
    def scenario_by_name(self) -> Mapping[str, Scenario]:
        """The scenarios by name."""
        return {scenario.name: scenario for scenario in self.scenarios}

    @property
    def sources(self) -> Mapping[str, SourceContent]:
        """What makes each source's database, by the source's name."""
        return {
            "odoo": SourceContent("odoo.sql", self.odoo),
            "apn": SourceContent("apn.sql", self.apn),
        }

    def rows(self) -> int:
        """How many rows both databases have."""
        return self.odoo.count() + self.apn.count()


def _with_accepted_outcomes(draft: WorldDraft) -> list[LabelledPair]:
    """The labels, those of true pairs without a certain outcome with all that their facts allow."""
    judge = Judge(draft.odoo, draft.apn, draft.as_of)
    return [
        label
        if label.accepts
        else replace(
            label,
            accepts=frozenset(
                {
                    UNMATCHED,
                    judge.verdict(label.odoo_id, label.apn_id, confidence="pass").outcome,
                    judge.verdict(label.odoo_id, label.apn_id, confidence="review").outcome,
                }
            ),
        )
        for label in draft.labels
    ]
