"""Web domains as match keys: the registrable part of a website, host or e-mail address (CORE-11)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import cache, lru_cache
from typing import Any

import idna

from streams.normalise.tables import lines_of

_MAXIMUM_LENGTH = 2048
_LABEL_PREFIXES = ("get", "try", "use", "my", "go", "the", "join", "team", "with")


def _listed(name: str) -> frozenset[str]:
    return frozenset(line.strip() for line in lines_of(name))


FREE_MAIL_DOMAINS = _listed("free_mail_domains.txt")
SHARED_HOST_DOMAINS = _listed("shared_host_domains.txt")


@lru_cache(maxsize=16_384)
def host_of(website_or_email_or_host: str | None) -> str | None:
    """The bare ASCII host of a URL, e-mail address or host name; None where there is none.

    Scheme, user, path, port, a leading `www` and a trailing dot are dropped; Unicode labels
    become their IDNA form. Text that cannot be a public host (spaces inside, no dot, an IP
    address, a label too long) gives None.
    """
    if not website_or_email_or_host:
        return None
    text = website_or_email_or_host[:_MAXIMUM_LENGTH].strip().strip("<>\"'").casefold()
    if "//" in text:
        text = text.split("//", 1)[1]
    elif text.startswith("mailto:"):
        text = text[7:]
    for end in "/?#\\,;":
        text = text.split(end, 1)[0]
    text = text.rsplit("@", 1)[-1]
    text = text.split(":", 1)[0].strip().strip(".")
    text = text.replace("。", ".")
    if "." not in text or any(character.isspace() for character in text):
        return None
    return _ascii_host(text)


def _ascii_host(host: str) -> str | None:
    if not host.isascii():
        try:
            host = idna.encode(host, uts46=True).decode("ascii")
        except idna.IDNAError:
            return None
    labels = host.split(".")
    if len(labels) > 2 and (
        labels[0] == "www" or (labels[0][:3] == "www" and labels[0][3:].isdigit())
    ):
        labels = labels[1:]
    if any(
        not label or len(label) > 63 or not label.replace("-", "").replace("_", "").isalnum()
        for label in labels
    ):
        return None
    if all(label.isdigit() for label in labels):
        return None
    return ".".join(labels)


@cache
def _public_suffixes() -> Callable[[str], Any]:
    """Splits hosts by the bundled public-suffix list; loaded when the first domain is met."""
    import tldextract

    return tldextract.TLDExtract(cache_dir=None, suffix_list_urls=())


@lru_cache(maxsize=65_536)
def _split(host: str) -> tuple[str, str]:
    """(label, registrable domain) of an ASCII host; ("", "") for a bare public suffix.

    A last label that the public-suffix list does not know counts as a suffix by itself, as the
    list's default rule says.
    """
    extracted = _public_suffixes()(host)
    if extracted.suffix:
        if not extracted.domain:
            return "", ""
        return extracted.domain, f"{extracted.domain}.{extracted.suffix}"
    labels = host.split(".")
    return labels[-2], ".".join(labels[-2:])


def registrable_domain(
    website_or_email_or_host: str | None, partner_domains: Collection[str] = frozenset()
) -> str | None:
    """The registrable domain that can identify a company, or None (CORE-11).

    Free-mail, hosting and marketplace domains and the tenant's own `partner_domains` (written
    with or without a leading @) give None: they belong to many companies. Works from the bundled
    public-suffix list alone: no network, no cache on disk.
    """
    host = host_of(website_or_email_or_host)
    if host is None:
        return None
    _, domain = _split(host)
    if not domain:
        return None
    for shared in (host, domain):
        if shared in FREE_MAIL_DOMAINS or shared in SHARED_HOST_DOMAINS:
            return None
    own = {partner.lstrip("@").casefold() for partner in partner_domains}
    if domain in own or host in own:
        return None
    return domain


def domain_label(domain: str | None) -> str | None:
    """The part of a registrable domain that a company chose: `acme` of `acme.co.uk`.

    Punycode labels come back as Unicode, so that they can be compared with names.
    """
    if not domain or "." not in domain:
        return None
    label, _ = _split(domain)
    if label.startswith("xn--"):
        try:
            label = idna.decode(label)
        except idna.IDNAError:
            return label
    return label or None
