"""Golden companies and aliases: clusters of records, their ids over time, what people say."""

from __future__ import annotations

from importlib.resources import files

from hypothesis import given
from hypothesis import strategies as st

from streams.match.aliases import AliasTable
from streams.match.golden import GoldenCompany, Link, golden_companies
from streams.match.keys import match_keys
from streams.match.scoring import score_candidates
from streams.match.statistics import EMPTY
from tests.unit.match.records_at_hand import company, shipped_model

_RECORDS = [
    company("crm", "1", "Acme Water Ltd", domain="acme.example", country="NO"),
    company("crm", "2", "ACME WATER", country="NO"),
    company("apn", "a", "Acme Water", aliases=["AW"]),
    company("apn", "b", "Borealis"),
    company("accounts", "000123", None),
]


def _link(
    first: tuple[str, str], second: tuple[str, str], chance: float = 0.97, kind: str = "matched"
) -> Link:
    return Link(first, second, kind, chance, "because")  # type: ignore[arg-type]


_LINKS = [
    _link(("crm", "1"), ("apn", "a")),
    _link(("crm", "2"), ("apn", "a"), 0.93),
    _link(("crm", "1"), ("accounts", "000123"), 1.0, "given"),
    _link(("crm", "2"), ("apn", "b"), 0.4),
]


def _by_member(companies: list[GoldenCompany]) -> dict[tuple[str, str], GoldenCompany]:
    return {place: company for company in companies for place in company.places}


def test_golden_companies_join_what_is_linked_surely() -> None:
    companies, changes = golden_companies(_RECORDS, _LINKS, tenant="home")
    acme = _by_member(companies)["crm", "1"]
    assert acme.places == {("crm", "1"), ("crm", "2"), ("apn", "a"), ("accounts", "000123")}
    assert (acme.name, acme.normalized_company) == ("Acme Water Ltd", "acme water")
    assert acme.domains == ("acme.example",)
    assert "AW" in acme.aliases
    assert [change.kind for change in changes] == ["created", "created"]
    assert sum(member.link is not None for member in acme.members) == 3


@given(st.permutations(_LINKS), st.permutations(_RECORDS))
def test_golden_companies_do_not_depend_on_the_order(links: list[Link], records: list) -> None:
    expected = golden_companies(_RECORDS, _LINKS, tenant="home")[0]
    found = golden_companies(records, links, tenant="home")[0]
    assert {c.company_id: c.places for c in found} == {c.company_id: c.places for c in expected}
    assert {c.company_id: c.name for c in found} == {c.company_id: c.name for c in expected}


def test_two_records_that_a_person_told_apart_never_share_a_company() -> None:
    apart = [(("crm", "1"), ("crm", "2"))]
    companies, _ = golden_companies(_RECORDS, _LINKS, apart, tenant="home")
    acme = _by_member(companies)
    assert acme["crm", "1"] is not acme["crm", "2"]
    assert acme["crm", "2"].doubts


def test_a_company_keeps_its_id_while_records_come_and_go() -> None:
    first, _ = golden_companies(_RECORDS, _LINKS, tenant="home")
    before = {c.company_id: c.places for c in first}
    acme = _by_member(first)["crm", "1"].company_id
    second, changes = golden_companies(_RECORDS[1:], _LINKS, previous=before, tenant="home")
    assert _by_member(second)["apn", "a"].company_id == acme
    kinds = {change.company_id: change.kind for change in changes}
    assert kinds[acme] == "changed"


def test_merges_and_splits_are_told() -> None:
    apart, _ = golden_companies(_RECORDS, [], tenant="home")
    before = {c.company_id: c.places for c in apart}
    joined, changes = golden_companies(_RECORDS, _LINKS, previous=before, tenant="home")
    merged = [change for change in changes if change.kind == "merged"]
    assert len(merged) == 1
    assert len(merged[0].others) == 3
    assert sum(change.kind == "removed" for change in changes) == 3
    after = {c.company_id: c.places for c in joined}
    _, changes = golden_companies(_RECORDS, [], previous=after, tenant="home")
    assert sum(change.kind == "split" for change in changes) == 3


def _shipped_aliases() -> AliasTable:
    text = (files("streams.packs") / "pod" / "company_aliases.txt").read_text(encoding="utf-8")
    return AliasTable.parse(text)


def test_names_that_letters_do_not_bring_together_are_one_company_by_the_alias_table() -> None:
    table = _shipped_aliases()
    names = ("Amazon Web Services", "AWS", "Amazon")
    for one in names:
        for other in names:
            left = table.applied_to(company("left", "1", one))
            right = table.applied_to(company("right", "2", other))
            assert set(match_keys(left)) & set(match_keys(right))
            pair = score_candidates(left, [right], EMPTY, shipped_model(), profile="company")[0]
            assert pair.probability > 0.9


def test_alias_table_learns_from_confirmations() -> None:
    table = AliasTable.of([("Acme", "Roadrunner")])
    learned = table.and_learned([("Acme Ltd", "Coyote GmbH"), ("Zeta", "ZETA Inc"), (None, "X")])
    assert set(learned.names_for("Roadrunner Inc.")) == {"Acme", "Acme Ltd", "Coyote GmbH"}
    assert learned.names_for("Zeta") == ()
    assert table.names_for("Coyote") == ()


def test_alias_table_ignores_remarks_and_empty_lines() -> None:
    assert AliasTable.parse("# only a remark\n\n;;\n").groups == {}
