"""From records to scored pairs: evidence, log-odds, probability, shares.

`score_candidates` scores one record against its candidates (streaming); `Scorer` holds the model
and scores any table of pairs (files, training). Both run the same comparisons over the same
arrays, and a pair's score depends on the two records, the statistics and the weights alone;
`settle_rivals` then sets every pair among the others of its two records.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from streams.match.arrays import Flags, Floats, Integers, listed
from streams.match.company_comparisons import COMPANY, SEMANTIC
from streams.match.comparison import Comparison, Profile
from streams.match.deal_comparisons import CONTEXT, DEAL, company_unknown
from streams.match.literal import LiteralEvidence, LiteralPolicy, literal_evidence
from streams.match.model import MatcherModel, ProfileWeights, clipped, probability
from streams.match.pairs import PairTable
from streams.match.prepared import PreparedRecord, prepared
from streams.match.records import MatchRecord, SemanticEvidence
from streams.match.rivals import COLUMNS as RIVAL_COLUMNS
from streams.match.rivals import NO_RIVAL, rivalry
from streams.match.scored_pair import ComparisonResult, Rival, ScoredPair
from streams.match.statistics import CorpusStatistics

COMPANY_LOG_ODDS = "company.log_odds"
_COMPANY_SCALE = 6.0


Worth = Callable[[PairTable, Floats, Sequence[LiteralEvidence]], Flags]
"""Which pairs of a table are worth more than a look at their companies, given the probability that
those are one, and the plan's own evidence."""


@dataclass(frozen=True, slots=True)
class CompanyScores:
    """The evidence and log-odds of the companies of every pair of a table."""

    matrix: Floats
    log_odds: Floats

    def of_rows(self, rows: Integers) -> CompanyScores:
        """Those of some pairs."""
        return CompanyScores(self.matrix[rows], self.log_odds[rows])


@dataclass(frozen=True, slots=True)
class Scores:
    """The evidence and log-odds of every pair of a table, before rivals.

    `log_odds` is the profile's: the company's for the profile "company", the deal's for "deal".
    """

    company_matrix: Floats
    company_log_odds: Floats
    deal_matrix: Floats | None
    log_odds: Floats


class Scorer:
    """Scores tables of pairs with one model, profile and kind of vectors."""

    def __init__(
        self,
        model: MatcherModel,
        profile: str = "deal",
        encoder: str | None = None,
        literal: LiteralPolicy | None = None,
    ) -> None:
        self.model = model
        self.profile = profile
        self.literal = literal or LiteralPolicy()
        self._company_key, self._company = model.profile("company", encoder)
        self._final_key, self._final = model.profile(profile, encoder)
        self.company = with_vectors(COMPANY, SEMANTIC, self._company_key)
        self.deal = with_vectors(DEAL, CONTEXT, self._final_key) if profile == "deal" else None
        self._company_vector = self._company.evidence.vector(self.company.columns)
        columns = deal_columns(self.deal) if self.deal else self.company.columns
        self._final_vector = self._final.evidence.vector(columns)

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        """All comparisons, in the order in which scored pairs hold them."""
        return (*self.company.comparisons, *(self.deal.comparisons if self.deal else ()))

    def company_scores(self, table: PairTable) -> CompanyScores:
        """Evidence and log-odds of every pair's companies."""
        matrix = self.company.measure(table)
        intercept = self._company.evidence.intercept
        return CompanyScores(matrix, clipped(intercept + matrix @ self._company_vector))

    def score(self, table: PairTable, company: CompanyScores | None = None) -> Scores:
        """Evidence and log-odds of every pair; `company` where its companies are scored already."""
        company = company or self.company_scores(table)
        if self.deal is None:
            return Scores(company.matrix, company.log_odds, None, company.log_odds)
        deal_matrix = deal_evidence(self.deal, table, company.log_odds)
        deal = clipped(self._final.evidence.intercept + deal_matrix @ self._final_vector)
        return Scores(company.matrix, company.log_odds, deal_matrix, deal)

    def probabilities(
        self, log_odds: Floats, left: Integers, right: Integers, left_kin: Integers
    ) -> Floats:
        """Calibrated probabilities of pairs among each other (`left_kin`: see `rivalry`)."""
        standing = rivalry(log_odds, left, right, left_kin)
        return probability(self._final.rivals.log_odds(standing.matrix, RIVAL_COLUMNS))

    def literal_evidence(self, table: PairTable, rows: Iterable[int]) -> list[LiteralEvidence]:
        """The plan's own evidence of the pairs of `rows`, in their order."""
        wanted = list(rows)
        semantic = table.semantic
        return literal_evidence(
            [table.records(row) for row in wanted],
            [semantic[row] if semantic is not None else None for row in wanted],
            self.literal,
        )

    def kept_pairs(
        self, table: PairTable, scores: Scores, literal: Sequence[LiteralEvidence]
    ) -> list[ScoredPair]:
        """The pairs that can match or be rivals, or that the literal rule lists (see `scored_pairs`)."""
        strong = scores.log_odds > NO_RIVAL
        kept = [row for row, one in enumerate(literal) if strong[row] or one.band != "none"]
        return self.scored_pairs(table, kept, scores, [literal[row] for row in kept])

    def scored_pairs(
        self,
        table: PairTable,
        rows: Sequence[int],
        scores: Scores,
        literal: Sequence[LiteralEvidence],
    ) -> list[ScoredPair]:
        """The pairs of `rows` in full, `literal` being theirs; without rivals (see `settle_rivals`)."""
        companies = probability(scores.company_log_odds[rows]).tolist()
        by_themselves = probability(scores.log_odds[rows]).tolist()
        return [
            self._scored_pair(table, row, scores, company, by_itself, found)
            for row, company, by_itself, found in zip(
                rows, companies, by_themselves, literal, strict=True
            )
        ]

    def _scored_pair(
        self,
        table: PairTable,
        row: int,
        scores: Scores,
        company: float,
        by_itself: float,
        literal: LiteralEvidence,
    ) -> ScoredPair:
        left, right = table.records(row)
        shares, prior = self._shares(scores, row)
        return ScoredPair(
            left_side=left.record.side,
            left_id=left.record.id,
            right_side=right.record.side,
            right_id=right.record.id,
            profile=self._final_key,
            log_odds=float(scores.log_odds[row]),
            prior=prior,
            company_probability=company,
            deal_probability=by_itself if self.deal is not None else None,
            probability=by_itself,
            rivals_contribution=0.0,
            comparisons=tuple(_result(left, right, *share) for share in shares),
            literal=literal,
            left_identity=left.identity,
            right_identity=right.identity,
            left_kin=_kin(left, deals=self.deal is not None),
            close_days_apart=_close_days_apart(left.record, right.record),
            oldest_created=_oldest_created(left.record, right.record),
            model_version=self.model.version,
            weights_hash=self.model.weights_hash,
            statistics_version=table.statistics.version,
        )

    def _shares(
        self, scores: Scores, row: int
    ) -> tuple[list[tuple[Comparison, dict[str, float], float]], float]:
        """(comparison, features, share of the log-odds) of all, and the log-odds of the prior."""
        company = self._company.evidence
        shares = _weighted(self.company, self._company_vector, scores.company_matrix[row])
        prior = company.intercept
        if self.deal is None or scores.deal_matrix is None:
            return shares, round(prior, 6)
        final = self._final.evidence
        raw = company.intercept + sum(share for _, _, share in shares)
        scale = float(self._final_vector[0] * scores.deal_matrix[row, 0])
        factor = scale / raw if abs(raw) > 1e-9 else 0.0
        shares = [(comparison, features, share * factor) for comparison, features, share in shares]
        shares += _weighted(self.deal, self._final_vector[1:], scores.deal_matrix[row, 1:])
        return shares, round(final.intercept + company.intercept * factor, 6)


def with_vectors(profile: Profile, vectors: Comparison, key: str) -> Profile:
    """The profile, with the comparison of vectors where its weights are for an encoder."""
    if "+" not in key:
        return profile
    return Profile(key, (*profile.comparisons, vectors))


DEAL_EXPECTED: Mapping[str, float] = {COMPANY_LOG_ODDS: 4.0, **DEAL.expected}


def deal_columns(deal: Profile) -> tuple[str, ...]:
    """The columns of `deal_evidence`."""
    return (COMPANY_LOG_ODDS, *deal.columns)


def deal_evidence(deal: Profile, table: PairTable, company_log_odds: Floats) -> Floats:
    """The deal profile's evidence: the company's log-odds (scaled), then the deal's features.

    Where one record names no company its log-odds say nothing and count as zero.
    """
    company = company_log_odds.clip(-_COMPANY_SCALE, _COMPANY_SCALE) / _COMPANY_SCALE
    company = np.where(company_unknown(table), 0.0, company)
    return np.concatenate([company[:, None], deal.measure(table)], axis=1)


def score_candidates(
    record: MatchRecord,
    candidates: Sequence[MatchRecord],
    statistics: CorpusStatistics,
    model: MatcherModel,
    semantic: Mapping[str, SemanticEvidence] | None = None,
    *,
    profile: str = "deal",
    left_side: str | None = None,
    literal: LiteralPolicy | None = None,
    worth: Worth | None = None,
) -> list[ScoredPair]:
    """`record` scored against its candidates, ordered by candidate id, without rivals yet.

    Candidates that can neither match nor be a rival nor pass the literal rule are left out.
    `semantic` gives the vectors' evidence by candidate id. `left_side` names the side that stands
    left in the pairs (default: the first by name). Of pairs that are not `worth` more the companies
    alone are compared, and they are left out. Call `settle_rivals` with all pairs of the
    candidates, those that they have elsewhere too, to set them among their rivals.
    """
    if not candidates:
        return []
    others = sorted(candidates, key=lambda candidate: candidate.id)
    near = [(semantic or {}).get(other.id) for other in others]
    encoder = next((entry.encoder for entry in near if entry), None)
    one, many = [prepared(record)], [prepared(other) for other in others]
    zero, each = np.zeros(len(many), dtype=np.int64), np.arange(len(many))
    first = left_side or min(record.side, others[0].side)
    if record.side == first:
        table = PairTable(one, many, zero, each, statistics, near)
    else:
        table = PairTable(many, one, each, zero, statistics, near)
    scorer = Scorer(model, profile, encoder, literal)
    company = scorer.company_scores(table)
    evidence = scorer.literal_evidence(table, range(len(table)))
    if worth is not None:
        rows = np.flatnonzero(worth(table, probability(company.log_odds), evidence))
        table, company = table.of_rows(rows), company.of_rows(rows)
        evidence = [evidence[row] for row in listed(rows)]
    scores = scorer.score(table, company)
    return scorer.kept_pairs(table, scores, evidence)


def settle_rivals(pairs: Sequence[ScoredPair], model: MatcherModel) -> list[ScoredPair]:
    """The pairs with probability and rivals measured among each other, ordered by ids.

    Pass all live pairs of the records concerned; a pair that is ruled out (rejected, or its
    record is taken) must be left out, it is no rival.
    """
    ordered = sorted(pairs, key=lambda pair: (pair.left, pair.right))
    if not ordered:
        return []
    log_odds = np.array([pair.log_odds for pair in ordered], dtype=np.float64)
    standing = rivalry(
        log_odds,
        numbered(pair.left for pair in ordered),
        numbered(pair.right for pair in ordered),
        numbered(pair.left_kin for pair in ordered),
    )
    final = np.zeros(len(ordered))
    for key in {pair.profile for pair in ordered}:
        rows = np.flatnonzero([pair.profile == key for pair in ordered])
        weights = _profile(model, key).rivals
        final[rows] = weights.log_odds(standing.matrix[rows], RIVAL_COLUMNS)
    contributions = (final - log_odds).tolist()
    chances = probability(final).tolist()
    return [
        pair.with_rivals(
            chances[row],
            round(contributions[row], 6),
            _rival(ordered, row, int(standing.left_rival[row]), "right"),
            _rival(ordered, row, int(standing.right_rival[row]), "left"),
        )
        for row, pair in enumerate(ordered)
    ]


def _profile(model: MatcherModel, key: str) -> ProfileWeights:
    name, _, encoder = key.partition("+")
    return model.profile(name, encoder or None)[1]


def _rival(pairs: Sequence[ScoredPair], row: int, rival: int, end: str) -> Rival | None:
    if rival < 0:
        return None
    other = pairs[rival]
    side, identifier = other.right if end == "right" else other.left
    margin = round(pairs[row].log_odds - other.log_odds, 6)
    return Rival(side, identifier, other.by_itself, margin)


def kin_numbers(records: Sequence[PreparedRecord], *, deals: bool) -> Integers:
    """Numbers that left records of one company share; every deal has its own."""
    return numbered(_kin(record, deals=deals) for record in records)


def _kin(record: PreparedRecord, *, deals: bool) -> str:
    return f"\x1f{record.record.id}" if deals else record.kin


def numbered(values: Iterable[Hashable]) -> Integers:
    """The values as integers in order of appearance, equal values as equal integers."""
    index: dict[Hashable, int] = {}
    return np.array([index.setdefault(value, len(index)) for value in values], dtype=np.int64)


def _weighted(
    profile: Profile, weights: Floats, evidence: Floats
) -> list[tuple[Comparison, dict[str, float], float]]:
    found: list[float] = evidence.tolist()
    weighted: list[float] = (weights * evidence).tolist()
    return [
        (
            comparison,
            {
                name: round(value, 6)
                for name, value in zip(comparison.expected, found[columns], strict=True)
                if value
            },
            sum(weighted[columns]),
        )
        for comparison, columns in zip(profile.comparisons, profile.slices, strict=True)
    ]


def _result(
    left: PreparedRecord,
    right: PreparedRecord,
    comparison: Comparison,
    features: dict[str, float],
    share: float,
) -> ComparisonResult:
    left_value, right_value = comparison.show(left, right)
    return ComparisonResult(
        comparison.name, comparison.title, left_value, right_value, features, round(share, 6)
    )


def _close_days_apart(left: MatchRecord, right: MatchRecord) -> int | None:
    if left.close_date is None or right.close_date is None:
        return None
    return abs((left.close_date - right.close_date).days)


def _oldest_created(left: MatchRecord, right: MatchRecord) -> str | None:
    moments = [record.created_at for record in (left, right) if record.created_at]
    return min(moments).isoformat() if moments else None
