"""The two texts of a record: layout, cleaning, cutting (EMB-2, EMB-3, CORE-12)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.embed.texts import (
    CHARACTER_BUDGET,
    LaidOutText,
    TextFinding,
    context_text,
    identity_text,
    record_texts,
)

FULL: dict[str, Any] = {
    "company_name": "Größe & Söhne GmbH",
    "normalized_company": "größe and söhne",
    "normalized_domain": "groesse.example",
    "aliases": ["Zeta", "Alpha", "Zeta"],
    "title": "Move to the cloud",
    "description": "Two data centres.\nForty servers.",
    "products": ["Storage", "Compute", "Storage"],
    "industry": "Retail",
    "country": "DE",
}


def text_of(laid_out: LaidOutText | None) -> str:
    assert laid_out is not None
    return laid_out.text


def test_identity_text_has_its_labelled_parts_in_order_and_aliases_sorted() -> None:
    assert text_of(identity_text(FULL)) == (
        "name: Größe & Söhne GmbH | normalised name: größe and söhne | "
        "domain: groesse.example | aliases: Alpha; Zeta"
    )


def test_context_text_has_its_labelled_parts_in_order_and_products_as_they_came() -> None:
    assert text_of(context_text(FULL)) == (
        "title: Move to the cloud | description: Two data centres. Forty servers. | "
        "products: Storage; Compute | industry: Retail | country: DE"
    )


def test_empty_parts_are_left_out() -> None:
    fields = {"company_name": "Acme", "aliases": [], "normalized_domain": None, "title": "  "}
    assert text_of(identity_text(fields)) == "name: Acme"
    assert context_text(fields) is None


@pytest.mark.parametrize("normalised", ["acme", "ACME", "Acme", None])
def test_normalised_name_that_differs_in_case_alone_is_not_repeated(normalised: str | None) -> None:
    fields = {"company_name": "Acme", "normalized_company": normalised}
    assert text_of(identity_text(fields)) == "name: Acme"


def test_layout_does_not_depend_on_the_side_a_record_comes_from() -> None:
    assert record_texts({**FULL, "side": "left"}) == record_texts({**FULL, "side": "right"})


@pytest.mark.parametrize("missing", [{}, {"company_name": " ", "normalized_domain": ""}])
def test_record_without_name_and_domain_has_no_text_at_all(missing: dict[str, str]) -> None:
    texts = record_texts({"title": "A deal", "aliases": ["Acme"], **missing})
    assert (texts.identity, texts.context) == (None, None)


def test_domain_alone_is_enough() -> None:
    texts = record_texts({"normalized_domain": "acme.example", "title": "A deal"})
    assert text_of(texts.identity) == "domain: acme.example"
    assert text_of(texts.context) == "title: A deal"


def test_two_megabyte_description_is_cut_with_a_finding_and_the_rest_is_kept() -> None:
    fields = {**FULL, "description": "word " * 400_000}
    texts = record_texts(fields)
    text = text_of(texts.context)
    assert CHARACTER_BUDGET - 100 < len(text) <= CHARACTER_BUDGET
    assert "title: Move to the cloud |" in text
    assert text.endswith("word | products: Storage; Compute | industry: Retail | country: DE")
    (finding,) = texts.findings
    assert (finding.code, finding.kind, finding.part) == ("text_cut", "context", "description")
    assert finding.characters == 1_999_999
    assert finding.kept < CHARACTER_BUDGET


def test_text_without_spaces_is_cut_in_mid_word() -> None:
    text = context_text({"title": "株" * 1000}, budget=107)
    assert text == LaidOutText(
        "title: " + "株" * 100, (TextFinding("text_cut", "context", "title", 1000, 100),)
    )


def test_the_longest_parts_are_cut_first() -> None:
    text = context_text({"title": "t" * 10, "description": "d" * 500, "industry": "i" * 500}, 200)
    assert text is not None
    assert "title: tttttttttt |" in text.text
    assert [finding.part for finding in text.findings] == ["description", "industry"]


def test_control_characters_and_halves_of_surrogate_pairs_do_not_reach_the_encoder() -> None:
    fields = {"company_name": "A\0c\u200bme\ufeff \ud83d\tInc\x85"}
    text = text_of(identity_text(fields))
    assert text == "name: A c me \ufffd Inc"
    text.encode("utf-8")


@pytest.mark.parametrize("aliases", ["One", ("One",), {"One"}])
def test_aliases_may_be_any_collection_or_a_single_text(aliases: Any) -> None:
    fields = {"company_name": "Acme", "aliases": aliases}
    assert text_of(identity_text(fields)) == "name: Acme | aliases: One"


part = st.text(max_size=400)


@given(title=part, description=part, industry=part, budget=st.integers(100, 900))
def test_text_stays_within_its_budget_and_every_cut_is_reported(
    title: str, description: str, industry: str, budget: int
) -> None:
    fields = {"title": title, "description": description, "industry": industry}
    text, whole = context_text(fields, budget), context_text(fields, 10_000)
    assert (text is None) == (whole is None)
    if text is not None and whole is not None:
        assert len(text.text) <= budget
        assert bool(text.findings) == (text.text != whole.text)
        assert text.text.encode("utf-8")
        assert context_text(fields, budget) == text
