"""What a pack and a tenant say about matching, and which scored pairs are candidates."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import orjson

from streams.match.aliases import AliasTable
from streams.match.arrays import Flags, Floats
from streams.match.assignment import AssignmentPolicy
from streams.match.deal_comparisons import linked
from streams.match.literal import LiteralEvidence, LiteralPolicy
from streams.match.model import MatcherModel
from streams.match.pairs import PairTable
from streams.match.policy import MatchingPolicy
from streams.match.prepared import RECORDS_KEPT
from streams.match.records import MatchRecord
from streams.match.scored_pair import ScoredPair
from streams.match.scoring import score_candidates
from streams.match.statistics import CorpusStatistics
from streams.packs import Pack

_PLAUSIBLE_LOG_ODDS = -2.944
"""A probability of 0.05."""
_SPEAKS_AGAINST = 0.5
"""Companies that are less likely one than this share of what is said without any evidence."""

_ALIASES_FILE = "company_aliases.txt"


def curated_aliases(pack: Pack) -> AliasTable:
    """The names that a pack lists as those of one company (MATCH-12); empty where it lists none."""
    return AliasTable.parse(pack.file(_ALIASES_FILE) if pack.has_file(_ALIASES_FILE) else "")


@dataclass(frozen=True, eq=False)
class MatchingRules:
    """What a pack and a tenant say about matching; the same for every record of a round."""

    pack: str
    sides: tuple[str, str]
    policy: MatchingPolicy
    model: MatcherModel
    literal: LiteralPolicy = field(default_factory=LiteralPolicy)
    assignment: AssignmentPolicy = field(default_factory=AssignmentPolicy)
    partner_domains: Collection[str] = frozenset()
    aliases: AliasTable = field(default_factory=AliasTable)

    def record(self, side: str, record_id: str, fields: Mapping[str, Any]) -> MatchRecord:
        """The matcher's view of a core record, with the other names that its company is known by."""
        found = self.policy.record(side, record_id, fields, self.partner_domains)
        return self.aliases.applied_to(found)

    @lru_cache(maxsize=RECORDS_KEPT)  # noqa: B019  # of all rules together; old ones are few
    def read(self, side: str, record_id: str, text: str) -> MatchRecord | None:
        """A core record, by the JSON of its fields, as the matcher sees it; None of one that is no
        subject of matching.

        What was read is kept for a while: a company's deals are read at each change of one of them.
        """
        fields = orjson.loads(text)
        return self.record(side, record_id, fields) if self.policy.admits(side, fields) else None

    def with_learned(self, names: Iterable[Sequence[str]]) -> MatchingRules:
        """These rules with names that people confirmed as those of one company."""
        return replace(self, aliases=self.aliases.and_learned(names))

    @cached_property
    def matcher_version(self) -> str:
        """Version and hash of the weights, as every pair states them."""
        return f"{self.model.version}+{self.model.weights_hash}"

    @cached_property
    def nothing_known(self) -> float:
        """The company probability of two records of which neither names a company."""
        left, right = (MatchRecord(side=side, id="") for side in self.sides)
        [pair] = score_candidates(
            left, [right], CorpusStatistics(), self.model, {}, left_side=self.sides[0]
        )
        return pair.company_probability

    def other(self, side: str) -> str:
        """The side that a record of `side` is matched with."""
        left, right = self.sides
        return right if side == left else left

    def worth(self, table: PairTable, company: Floats, literal: Sequence[LiteralEvidence]) -> Flags:
        """Pairs that may be candidates, by what is known before their deals are compared.

        Deals that are alike are no candidate where the companies speak against it, unless an account,
        a mailbox or an id links them: a company that was renamed and moved has nothing else in common.
        """
        claimed = np.array([one.band == "high" for one in literal], dtype=bool)
        return claimed | (company >= self.nothing_known * _SPEAKS_AGAINST) | linked(table)

    def keeps(self, pair: ScoredPair) -> bool:
        """Whether a pair that was `worth` its score is a candidate: plausible, or claimed by the
        literal rule (MATCH-10, AM-1).

        A literal claim for review alone, as unproven vectors make many, needs the company's evidence.
        """
        if pair.literal.band == "high" or pair.log_odds >= _PLAUSIBLE_LOG_ODDS:
            return True
        return pair.literal.band == "review" and pair.company_probability >= 0.5
