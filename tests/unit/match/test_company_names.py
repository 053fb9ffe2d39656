"""Company names: what normalisation keeps and drops, and the parts that matching compares."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.normalise.company_names import (
    MAXIMUM_WORDS,
    company_name_variants,
    normalised_company,
    parse_company_name,
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Acme, Inc.", "acme"),
        ("ACME S.p.A.", "acme"),
        ("Acme S P A", "acme"),
        ("Acme GmbH & Co. KG", "acme"),
        ("Acme Pty Ltd", "acme"),
        ("Acme Sp. z o.o.", "acme"),
        ("Acme Holdings (Private) Limited", "acme holdings"),
        ("Grupo Acme, S.A.B. de C.V.", "grupo acme"),
        ("PT Acme Sejahtera Tbk", "acme sejahtera"),
        ("ООО «Ромашка»", "ромашка"),
        ("株式会社青空", "青空"),
        ("(株)青空", "青空"),
        ("주식회사 하늘", "하늘"),
        ("蓝天科技有限公司", "蓝天科技"),
        ("شركة النور ذ.م.م", "النور"),
        ("Müller & Söhne", "müller and söhne"),
        ("A. B. Smith Company", "ab smith"),
        ("Acme Group", "acme"),
        ("Group Acme", "group acme"),
        ("Ａｃｍｅ　Ｌｔｄ", "acme"),
    ],
)
def test_normalised_company_drops_legal_forms_and_keeps_the_script(
    name: str, expected: str
) -> None:
    assert normalised_company(name) == expected


@pytest.mark.parametrize("name", ["Ltd.", "S.A. de C.V.", "GmbH & Co. KG", "🚀", "---", "Group"])
def test_normalised_company_of_nothing_but_forms_or_signs_is_not_empty(name: str) -> None:
    assert normalised_company(name)


@given(st.text(max_size=80))
def test_normalised_company_is_empty_only_for_no_name(name: str) -> None:
    assert bool(normalised_company(name)) == bool(name.strip())


@given(st.text(max_size=80))
def test_parse_company_name_takes_any_text(name: str) -> None:
    parsed = parse_company_name(name)
    assert len(parsed.words) <= MAXIMUM_WORDS
    assert all(word and word == word.casefold() for word in parsed.words)


def test_normalised_company_is_stable() -> None:
    for name in ("Acme Group Holdings Ltd", "Société Générale SA", "三菱商事株式会社"):
        once = normalised_company(name)
        assert normalised_company(once) == once


def test_parse_company_name_joins_single_letters_and_dotted_words() -> None:
    assert parse_company_name("J. B. Hunt Transport").words == ("jb", "hunt", "transport")
    assert parse_company_name("U.S. Widgets Corp").words == ("us", "widgets")
    assert parse_company_name("A/S Nordwind").words == ("nordwind",)


def test_parse_company_name_keeps_the_legal_form_apart() -> None:
    parsed = parse_company_name("The Acme Company")
    assert parsed.words == ("acme",)
    assert parsed.forms == ("co",)
    assert parsed.article


def test_parse_company_name_gives_meaning_to_words_of_scripts_without_spaces() -> None:
    assert parse_company_name("上海蓝海技术有限公司").words == ("shanghai", "lanhai", "technology")
    assert parse_company_name("SK하늘 주식회사").words == ("sk", "haneul")
    assert parse_company_name("롯데쇼핑").words == ("lodde", "shopping")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Τράπεζα Ακμή ΑΕ", ("bank", "akmi")),
        ("Όμιλος Ακμή", ("group", "akmi")),
        ("ΑΚΜΗ ΤΡΑΠΕΖΑ ΑΕ", ("akmi", "bank")),
        ("Ακμή της Ελλάδος", ("akmi", "of", "greece")),
        ("شركة أكمي للانشاءات", ("kmy", "construction")),
        ("अक्मे बैंक लिमिटेड", ("akme", "bank")),
        ("Группа Акме", ("group", "akme")),
        ("בנק אקמה", ("bank", "kmh")),
        ("مصرف أكمي", ("bank", "kmy")),
    ],
)
def test_parse_company_name_gives_meaning_to_words_of_other_scripts(
    name: str, words: tuple[str, ...]
) -> None:
    assert parse_company_name(name).words == words


def test_parse_company_name_cuts_a_state_or_filing_suffix() -> None:
    assert parse_company_name("Acme Corp /DE/").words == ("acme",)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Acme Inc d/b/a Roadrunner Labs", ("Acme Inc", "Roadrunner Labs")),
        ("Acme Inc dba Roadrunner", ("Acme Inc", "Roadrunner")),
        ("Acme trading as Roadrunner", ("Acme", "Roadrunner")),
        ("Acme (formerly Coyote Ltd)", ("Acme", "Coyote Ltd")),
        ("Companhia de Agua do Sul - AGUASUL", ("Companhia de Agua do Sul - AGUASUL", "AGUASUL")),
        ("Acme (India)", ("Acme (India)",)),
        ("Acme", ("Acme",)),
        ("", ()),
    ],
)
def test_company_name_variants_finds_the_names_in_a_field(
    name: str, expected: tuple[str, ...]
) -> None:
    assert company_name_variants(name) == expected


def test_normalised_company_of_a_huge_cell_is_bounded() -> None:
    assert len(normalised_company("Acme " * 2_000_000)) < 1000
