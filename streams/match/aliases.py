"""Other names of companies: curated ones from a file, learned ones from people's confirmations.

Some companies cannot be recognised by their letters (MATCH-12, renames). An alias table says which
names are one company; a record that bears one of them gets the others as aliases.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from streams.match.records import MatchRecord
from streams.normalise.company_names import normalised_company, parse_company_name


@dataclass(frozen=True, slots=True)
class AliasTable:
    """Groups of names of one company each, found by any of their names in normalised form."""

    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])

    @classmethod
    def of(cls, groups: Iterable[Sequence[str]]) -> AliasTable:
        """The table of these groups; groups that share a name become one."""
        found: dict[str, tuple[str, ...]] = {}
        for group in groups:
            names = list(dict.fromkeys(name.strip() for name in group if name.strip()))
            for key in [_key(name) for name in names]:
                names.extend(found.get(key, ()))
            whole = tuple(dict.fromkeys(names))
            found.update({_key(name): whole for name in whole})
        return cls(found)

    @classmethod
    def parse(cls, text: str) -> AliasTable:
        """The table of a file: one company a line, its names separated by `;`, `#` begins a remark."""
        lines = (line.split("#", 1)[0] for line in text.splitlines())
        return cls.of(row for row in csv.reader(lines, delimiter=";") if row)

    def and_learned(self, names: Iterable[Sequence[str]]) -> AliasTable:
        """This table with names of one company that people confirmed (see `taught_names`)."""
        return AliasTable.of([*dict.fromkeys(self.groups.values()), *names])

    def group_of(self, name: str) -> tuple[str, ...]:
        """All names of the company that bears this one, as they are listed; empty for an unknown one."""
        return self.groups.get(_key(name), ())

    def names_for(self, name: str | None) -> tuple[str, ...]:
        """The other names of the company that bears this one."""
        if not name:
            return ()
        return tuple(other for other in self.group_of(name) if _key(other) != _key(name))

    def applied_to(self, record: MatchRecord) -> MatchRecord:
        """The record with the aliases that the table knows for its name."""
        known = self.names_for(record.name)
        if not known:
            return record
        return replace(record, aliases=tuple(dict.fromkeys((*record.aliases, *known))))


def taught_names(confirmed: Iterable[tuple[str | None, str | None]]) -> list[tuple[str, str]]:
    """What the company names of confirmed pairs teach: those that normalisation does not make equal."""
    return sorted(
        {
            (left, right)
            for left, right in confirmed
            if left and right and normalised_company(left) != normalised_company(right)
        }
    )


def _key(name: str) -> str:
    return parse_company_name(name).compact or normalised_company(name)
