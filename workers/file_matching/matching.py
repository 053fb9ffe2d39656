"""Two tables matched: records, candidate pairs, probabilities, and rows to write."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from streams.match.arrays import Floats
from streams.match.batch import SidePair
from streams.match.model import MatcherModel, probability
from streams.match.prepared import PreparedRecord
from streams.match.records import MatchRecord
from streams.match.scored_pair import ScoredPair
from streams.match.scoring import Scorer, kin_numbers, settle_rivals
from workers.file_matching.tables import Row, Table

COMPANY_COLUMNS = (
    "name",
    "domain",
    "company",
    "company_name",
    "website",
    "email",
    "phone",
    "aliases",
)
DEAL_COLUMNS = (*COMPANY_COLUMNS, "title", "contact_emails", "account_ids", "external_ids")

Progress = Callable[[str, int, int], None]
"""Called with the step's name, how much of it was done just now, and how much there is."""


@dataclass(frozen=True, slots=True)
class Matching:
    """The candidate pairs of two sides with their probabilities, in order of left rows.

    `company` holds the probability that the companies are one, before rivals.
    """

    sides: SidePair
    scorer: Scorer
    log_odds: Floats
    company: Floats
    probabilities: Floats

    def rows(self, least: float) -> np.ndarray:
        """The pairs of at least this probability: left rows in order, the best pair first."""
        found = np.flatnonzero(self.probabilities >= least)
        sides = self.sides
        order = np.lexsort(
            (sides.right_index[found], -self.probabilities[found], sides.left_index[found])
        )
        return found[order]

    def scored(self, least: float = 0.0) -> Iterator[tuple[str, str, float]]:
        """(left id, right id, probability) of the pairs of `rows`."""
        sides = self.sides
        for row in self.rows(least).tolist():
            left = sides.left[int(sides.left_index[row])].record.id
            right = sides.right[int(sides.right_index[row])].record.id
            yield left, right, float(self.probabilities[row])

    def explained(self, least: float) -> list[ScoredPair]:
        """The pairs of `rows` with every comparison, set among all their rivals."""
        wanted = self.rows(least)
        pairs: dict[int, ScoredPair] = {}
        for part in self.sides.slices():
            inside = wanted[(wanted >= part.start) & (wanted < part.stop)]
            if not len(inside):
                continue
            table = self.sides.table(part)
            scores = self.scorer.score(table)
            local = (inside - part.start).tolist()
            found = self.scorer.scored_pairs(
                table, local, scores, self.scorer.literal_evidence(table, local)
            )
            pairs.update(zip(inside.tolist(), found, strict=True))
        settled = settle_rivals(list(pairs.values()), self.scorer.model)
        by_ids = {(pair.left_id, pair.right_id): pair for pair in settled}
        return [by_ids[left, right] for left, right, _ in self.scored(least)]


def records_of(table: Table, side: str, progress: Progress | None = None) -> list[PreparedRecord]:
    """The prepared records of a table's rows, in order."""
    prepared: list[PreparedRecord] = []
    for number, row in enumerate(table.rows, start=1):
        prepared.append(PreparedRecord.from_record(record_of(row, side)))
        if progress and number % 1000 == 0:
            progress(f"reading {side}", 1000, len(table.rows))
    if progress:
        progress(f"reading {side}", len(table.rows) % 1000, len(table.rows))
    return prepared


def record_of(row: Row, side: str) -> MatchRecord:
    """A row as the matcher sees it."""
    return MatchRecord.from_fields(side, row["id"], row)


def match_sides(
    left: Sequence[PreparedRecord],
    right: Sequence[PreparedRecord],
    model: MatcherModel,
    profile: str,
    progress: Progress | None = None,
) -> Matching:
    """All candidate pairs of two sides scored; memory grows with the number of pairs alone."""

    def paired(done: int) -> None:
        if progress:
            progress("finding candidates", done, len(left))

    sides = SidePair(left, right, progress=paired)
    scorer = Scorer(model, profile)
    log_odds, company = np.zeros(len(sides)), np.zeros(len(sides))
    for part in sides.slices():
        scores = scorer.score(sides.table(part))
        log_odds[part] = scores.log_odds
        company[part] = probability(scores.company_log_odds)
        if progress:
            progress("comparing pairs", part.stop - part.start, len(sides))
    kin = kin_numbers(left, deals=profile == "deal")[sides.left_index]
    chances = scorer.probabilities(log_odds, sides.left_index, sides.right_index, kin)
    return Matching(sides, scorer, log_odds, company, chances)
