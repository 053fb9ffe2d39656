"""Golden companies and aliases: clusters of members, their ids, what people say."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from importlib.resources import files

from hypothesis import given
from hypothesis import strategies as st

from streams.match.aliases import AliasTable, taught_names
from streams.match.company_keys import company_keys
from streams.match.golden import (
    CompanyChange,
    GoldenCompany,
    Link,
    NamedCompany,
    company_changes,
    golden_companies,
    links_of_shared_keys,
)
from streams.match.keys import match_keys
from streams.match.scoring import score_candidates
from streams.match.statistics import EMPTY
from tests.unit.match.records_at_hand import company, shipped_model


def _member(key: str, *names: str, country: str = "", domain: str = "") -> NamedCompany:
    return NamedCompany(
        key,
        names,
        domains=(domain,) if domain else (),
        countries=(country,) if country else (),
        leads=key.startswith("crm:"),
    )


_MEMBERS = [
    _member("crm:1", "Acme Water Ltd", country="NO", domain="acme.example"),
    _member("crm:12", "ACME WATER"),
    _member("domain:acme.example/acme water", "Acme Water", domain="acme.example"),
    _member("name:borealis", "Borealis"),
    _member("agreement:7", "Acme Water"),
]


def _link(first: str, second: str, chance: float = 1.0, kind: str = "named") -> Link:
    return Link(first, second, kind, chance, "because")  # type: ignore[arg-type]


_ACE = "domain:acme.example/acme water"
_LINKS = [
    _link("crm:1", _ACE),
    _link("crm:12", _ACE, 0.93, "matched"),
    _link("crm:1", "agreement:7", 1.0, "confirmed"),
    _link("crm:12", "name:borealis", 0.97, "matched"),
]


def _by_member(companies: list[GoldenCompany]) -> dict[str, GoldenCompany]:
    return {key: company for company in companies for key in company.keys}


def _keys(companies: list[GoldenCompany]) -> dict[str, frozenset[str]]:
    return {company.company_id: company.keys for company in companies}


def test_golden_companies_join_what_is_linked() -> None:
    companies = golden_companies(_MEMBERS, _LINKS)
    acme = _by_member(companies)["crm:1"]
    assert acme.keys == {"crm:1", _ACE, "agreement:7"}
    assert (acme.company_id, acme.name) == ("crm:1", "Acme Water Ltd")
    assert acme.domains == ("acme.example",)
    assert acme.aliases == ("Acme Water",)
    ties = {member.key: member.link for member in acme.members}
    assert ties["crm:1"] is None
    assert ties[_ACE] == _LINKS[0]


def test_a_match_of_deals_does_not_make_two_customers_of_one_source_one() -> None:
    found = _by_member(golden_companies(_MEMBERS, _LINKS))
    assert found["crm:12"] is not found["crm:1"]
    assert found["crm:12"].doubts == found["crm:1"].doubts == (_LINKS[1],)
    confirmed = [*_LINKS, _link("crm:1", "crm:12", 1.0, "confirmed")]
    found = _by_member(golden_companies(_MEMBERS, confirmed))
    assert found["crm:12"] is found["crm:1"]


@given(st.permutations(_LINKS), st.permutations(_MEMBERS))
def test_golden_companies_do_not_depend_on_the_order(
    links: list[Link], members: list[NamedCompany]
) -> None:
    assert golden_companies(members, links) == golden_companies(_MEMBERS, _LINKS)


def test_two_members_that_a_person_told_apart_never_share_a_company() -> None:
    links = [_link("crm:1", _ACE), _link("crm:12", _ACE)]
    together = _by_member(golden_companies(_MEMBERS, links))
    assert together["crm:1"] is together["crm:12"]
    apart = _by_member(golden_companies(_MEMBERS, links, [("crm:12", "crm:1")]))
    assert apart["crm:1"] is not apart["crm:12"]
    assert apart["crm:12"].doubts


def test_one_name_and_domain_in_two_countries_are_two_customers() -> None:
    members = [
        _member("crm:1", "Acme", country="NO", domain="acme.example"),
        _member("crm:2", "Acme", country="US", domain="acme.example"),
        _member("crm:3", "Acme", country="US", domain="acme.example"),
        _member("domain:acme.example/acme", "Acme", country="US", domain="acme.example"),
        _member("crm:4", "Acme", domain="acme.example"),
    ]
    links = links_of_shared_keys({("named", "acme@acme.example"): members})
    assert _keys(golden_companies(members, links)) == {
        "crm:1": {"crm:1", "crm:4", "domain:acme.example/acme"},
        "crm:2": {"crm:2", "crm:3"},
    }


def test_the_id_is_that_of_the_member_that_its_source_numbered_first() -> None:
    members = [_member("name:acme", "Acme"), _member("crm:12", "Acme"), _member("crm:5", "Acme")]
    links = [_link("name:acme", "crm:12", kind="alias"), _link("name:acme", "crm:5", kind="alias")]
    assert [one.company_id for one in golden_companies(members, links)] == ["crm:5"]


def test_merges_and_splits_are_told() -> None:
    apart, together = golden_companies(_MEMBERS, []), golden_companies(_MEMBERS, _LINKS)
    assert [one.kind for one in company_changes(apart, {})] == ["created"] * 5
    assert company_changes(together, _keys(apart)) == [
        CompanyChange("merged", "crm:1", ("agreement:7", _ACE)),
        CompanyChange("merged", "crm:12", ("name:borealis",)),
        CompanyChange("removed", "agreement:7", ("crm:1",)),
        CompanyChange("removed", _ACE, ("crm:1",)),
        CompanyChange("removed", "name:borealis", ("crm:12",)),
    ]
    assert company_changes(apart, _keys(together)) == [
        CompanyChange("split", "agreement:7", ("crm:1",)),
        CompanyChange("changed", "crm:1"),
        CompanyChange("changed", "crm:12"),
        CompanyChange("split", _ACE, ("crm:1",)),
        CompanyChange("split", "name:borealis", ("crm:12",)),
    ]
    assert company_changes(together, _keys(together)) == []


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


def test_the_names_of_the_alias_table_make_one_golden_company() -> None:
    """MATCH-12: none of the three names shares a word, a domain or letters enough with the others."""
    table = _shipped_aliases()
    named = {
        _member("crm:7", "Amazon Web Services, Inc."): "amazon.example",
        _member("name:aws", "AWS"): None,
        _member("domain:amzn.example/amazon", "Amazon"): "amzn.example",
        _member("name:amazonas", "Amazonas Tours"): None,
    }
    holders: dict = defaultdict(list)
    for member, domain in named.items():
        for key in company_keys([(name, domain) for name in member.names], table):
            holders[key].append(member)
    companies = golden_companies(list(named), links_of_shared_keys(holders))
    assert _keys(companies) == {
        "crm:7": {"crm:7", "name:aws", "domain:amzn.example/amazon"},
        "name:amazonas": {"name:amazonas"},
    }


def test_company_keys_hold_the_name_only_with_its_domain() -> None:
    none = AliasTable()
    assert company_keys([("Acme GmbH", None)], none) == frozenset()
    assert company_keys([("Acme GmbH", "acme.example")], none) == {("named", "acme@acme.example")}
    assert company_keys([("ACME, Inc.", "acme.example")], none) == {("named", "acme@acme.example")}


@given(st.permutations(range(40)), st.lists(st.tuples(st.integers(0, 39), st.integers(0, 39))))
def test_a_company_of_many_members_is_found_from_any_order(
    order: list[int], pairs: list[tuple[int, int]]
) -> None:
    members = [
        _member(f"crm:{one}" if one % 3 else f"name:{one}", f"N{one % 5}", country="ABC"[one % 3])
        for one in range(40)
    ]
    keys = [member.key for member in members]
    kinds = ("named", "matched", "confirmed", "alias")
    links = [
        _link(keys[first], keys[second], 0.9 + (first % 10) / 100, kinds[(first + second) % 4])
        for first, second in pairs
    ]
    different = [(keys[0], keys[1]), (keys[4], keys[5])]
    expected = golden_companies(members, links, different)
    shuffled = [members[at] for at in order]
    turned = [replace(link, first=link.second, second=link.first) for link in reversed(links)]
    found = golden_companies(shuffled, turned, [(b, a) for a, b in different])
    assert _keys(found) == _keys(expected)
    by_member = _by_member(found)
    assert all(by_member[a] is not by_member[b] for a, b in different)


def test_alias_table_learns_from_confirmations() -> None:
    table = AliasTable.of([("Acme", "Roadrunner")])
    confirmed = [("Acme Ltd", "Coyote GmbH"), ("Zeta", "ZETA Inc"), (None, "X")]
    assert taught_names(confirmed) == [("Acme Ltd", "Coyote GmbH")]
    learned = table.and_learned(taught_names(confirmed))
    assert set(learned.names_for("Roadrunner Inc.")) == {"Acme", "Acme Ltd", "Coyote GmbH"}
    assert learned.names_for("Zeta") == ()
    assert table.names_for("Coyote") == ()


def test_alias_table_ignores_remarks_and_empty_lines() -> None:
    assert AliasTable.parse("# only a remark\n\n;;\n").groups == {}
