"""Domains as match keys: what identifies a company and what never does (CORE-11)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.normalise.domains import domain_label, host_of, registrable_domain


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://www.acme.co.uk:8443/about?x=1#top", "acme.co.uk"),
        ("ACME.COM.", "acme.com"),
        ("mailto:jo@mail.acme.com.au", "acme.com.au"),
        ("Jo <jo@acme.com>", "acme.com"),
        ("eu.shop.acme.example", "acme.example"),
        ("http://bücher.example", "xn--bcher-kva.example"),
        ("user:secret@acme.org/path", "acme.org"),
    ],
)
def test_registrable_domain_of_websites_mails_and_hosts(text: str, expected: str) -> None:
    assert registrable_domain(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "acme",
        "not a domain",
        "jo@gmail.com",
        "someone@qq.com",
        "https://github.com/acme",
        "acme.wordpress.com",
        "192.168.0.1",
        "co.uk",
        "..",
        "a" * 70 + ".com",
    ],
)
def test_registrable_domain_of_what_identifies_nobody_is_none(text: str | None) -> None:
    assert registrable_domain(text) is None


@pytest.mark.parametrize("own", ["@partner.example", "partner.example", "Partner.Example"])
def test_registrable_domain_of_the_tenants_own_domain_is_none(own: str) -> None:
    assert registrable_domain("https://crm.partner.example", {own}) is None


@given(st.text(max_size=120))
def test_registrable_domain_takes_any_text(text: str) -> None:
    domain = registrable_domain(text)
    assert domain is None or (domain.isascii() and "." in domain)
    assert registrable_domain(domain) == domain


def test_domain_label_is_what_the_company_chose() -> None:
    assert domain_label("acme.co.uk") == "acme"
    assert domain_label("xn--bcher-kva.example") == "bücher"
    assert domain_label(None) is None


def test_host_of_drops_everything_but_the_host() -> None:
    assert host_of("ftp://www2.files.acme.com/x") == "files.acme.com"
