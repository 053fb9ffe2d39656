"""The plan's literal confidence: every branch and every edge (MATCH-4, MATCH-5, MATCH-10, AM-15)."""

from __future__ import annotations

import pytest

from streams.match.literal import LiteralEvidence, LiteralPolicy, band_of, literal_evidence
from streams.match.prepared import PreparedRecord
from streams.match.records import MatchRecord, SemanticEvidence
from tests.unit.match.records_at_hand import company, deal


def _literal(
    left: MatchRecord, right: MatchRecord, semantic: SemanticEvidence | None = None
) -> LiteralEvidence:
    prepared = PreparedRecord.from_record(left), PreparedRecord.from_record(right)
    [found] = literal_evidence([prepared], [semantic], LiteralPolicy())
    return found


@pytest.mark.parametrize(
    ("confidence", "band"),
    [(0.8501, "high"), (0.85, "review"), (0.70, "review"), (0.6999, "none"), (1.0, "high")],
)
def test_band_edges_belong_to_review(confidence: float, band: str) -> None:
    assert band_of(confidence, LiteralPolicy()) == band


def test_identifier_gives_full_confidence() -> None:
    right = deal("right", "9", "Zorro", "Lake", partner_crm_id="1")
    found = _literal(deal("left", "1", "Acme", "Data"), right)
    assert (found.confidence, found.method, found.identifier) == (1.0, "identifier", True)


def test_identifier_of_a_record_that_was_merged_away_counts_for_its_survivor() -> None:
    right = deal("right", "9", "Zorro", "Lake", partner_crm_id="1")
    found = _literal(deal("left", "2", "Acme", "Data", former_ids=["1"]), right)
    assert found.method == "identifier"


def test_equal_domain_gives_full_confidence() -> None:
    found = _literal(
        company("left", "1", "Acme", domain="acme.example"),
        company("right", "2", "Zorro", domain="www.acme.example"),
    )
    assert (found.confidence, found.method) == (1.0, "domain")


def test_fuzzy_counts_above_its_threshold_only() -> None:
    assert _literal(
        company("left", "1", "Acme Water"), company("right", "2", "Acme Wate")
    ).method == ("fuzzy")
    far = _literal(company("left", "1", "Acme"), company("right", "2", "Zorro"))
    assert (far.confidence, far.method, far.band) == (0.0, "none", "none")


def test_fuzzy_looks_at_aliases() -> None:
    found = _literal(
        company("left", "1", "Acme", aliases=["Zorro"]), company("right", "2", "Zorro")
    )
    assert found.fuzzy == 1.0


def test_vectors_of_an_untrusted_encoder_never_pass_alone() -> None:
    left, right = company("left", "1", "Acme"), company("right", "2", "Zorro")
    trusted = _literal(left, right, SemanticEvidence("BAAI/bge-m3", identity=0.93))
    other = _literal(left, right, SemanticEvidence("minilm-l6", identity=0.93))
    assert (trusted.confidence, trusted.method, trusted.band) == (0.93, "semantic", "high")
    assert (other.confidence, other.method, other.band) == (0.85, "semantic", "review")
    assert other.semantic == 0.93


def test_semantic_score_is_rounded_before_it_is_compared() -> None:
    left, right = company("left", "1", "Acme"), company("right", "2", "Zorro")
    edge = _literal(left, right, SemanticEvidence("bge-m3", identity=0.850049))
    assert (edge.confidence, edge.band) == (0.85, "review")


def test_rank_score_is_the_weighted_sum() -> None:
    found = _literal(
        company("left", "1", "Acme", domain="acme.example"),
        company("right", "2", "Acme", domain="acme.example"),
        SemanticEvidence("bge-m3", identity=0.5, context=0.4, multi_vector=0.3),
    )
    assert found.rank_score == pytest.approx(0.4 * 0.5 + 0.15 * 0.4 + 0.2 + 0.15 + 0.1 * 0.3)
