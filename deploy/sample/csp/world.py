"""The second sample world: both source databases and what is true of them."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from deploy.sample.csp.draft import CspDraft
from deploy.sample.csp.hard_cases import write_background, write_hard_cases
from deploy.sample.csp.labels import LabelledDeal
from deploy.sample.csp.recipes import write_recipes
from deploy.sample.tables import SourceContent, SourceDatabase


@dataclass(frozen=True, slots=True)
class CspWorld:
    """Rows of both databases and labelled pairs. Equal seeds give equal worlds."""

    seed: int
    as_of: date
    dynamics: SourceDatabase
    partner_center: SourceDatabase
    labels: tuple[LabelledDeal, ...]

    @classmethod
    def build(cls, seed: int, as_of: date, background: int = 60) -> CspWorld:
        """The world of that seed, every date relative to `as_of`, with so many deals without a pair."""
        draft = CspDraft(rng=random.Random(seed), as_of=as_of)  # noqa: S311  # not a secret
        draft.add_sellers()
        write_recipes(draft)
        write_hard_cases(draft)
        write_background(draft, background)
        return cls(seed, as_of, draft.dynamics, draft.partner_center, tuple(draft.labels))

    @property
    def sources(self) -> Mapping[str, SourceContent]:
        """What makes each source's database, by the source's name."""
        return {
            "dynamics": SourceContent("csp/dynamics.sql", self.dynamics),
            "partner_center": SourceContent("csp/partner_center.sql", self.partner_center),
        }

    def rows(self) -> int:
        """How many rows both databases have."""
        return self.dynamics.count() + self.partner_center.count()
