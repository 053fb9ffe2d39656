"""Keys by which companies that sources name apart meet as one golden company (CORE-5, MATCH-12)."""

from __future__ import annotations

from collections.abc import Iterable

from streams.match.aliases import AliasTable
from streams.match.golden import LinkKind
from streams.normalise.company_names import normalised_company, parse_company_name

CompanyKey = tuple[LinkKind, str]
"""What members share, and how surely it makes them one: `("named", "acme@acme.example")`."""


def company_keys(
    names: Iterable[tuple[str, str | None]], aliases: AliasTable
) -> frozenset[CompanyKey]:
    """The keys of a member that is called by these names, each with the web domain beside it.

    A name alone is no key: only with its domain, or where the curated list knows it.
    """
    found: set[CompanyKey] = set()
    for name, domain in names:
        compact = parse_company_name(name).compact or normalised_company(name)
        if compact and domain:
            found.add(("named", f"{compact}@{domain}"))
        if group := aliases.group_of(name):
            found.add(("alias", "; ".join(sorted(group))))
    return frozenset(found)
