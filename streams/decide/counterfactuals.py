"""What would have to change for a rule to pass, and how much room a passing one has (AM-9, EXPL-1).

Read from the comparisons that the evaluation made; nothing is guessed and nothing is tried out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from streams.decide.comparisons import Compared, days_until_flip
from streams.decide.conditions import Judged
from streams.decide.values import Unknown, show_value, write_value

_MOST_ALTERNATIVES = 4
_MOST_COMBINED = 64


@dataclass(slots=True, eq=False)
class Change:
    """One fact that would have to be otherwise.

    `needed` is the nearest value that would do, `by` how far away it is, `in_days` when the passing
    of time alone brings it about. For a fact that is not known `missing` says why.
    """

    one: Compared
    want: bool
    needed: Any = None
    by: Decimal | int | None = None
    in_days: int | None = None

    def words(self, as_of: date) -> str:
        """The change in one clause, to follow an `if`."""
        leaf, value, limit = self.one.leaf, self.one.value, self.one.limit
        name = leaf.fact.replace("_", " ")
        if isinstance(value, Unknown):
            return f"{name} is known ({value.detail})"
        if isinstance(limit, Unknown):
            return f"{leaf.limit_name.replace('_', ' ')} is known ({limit.detail})"
        if self.by is not None:
            verb = "falls" if self.by < 0 else "rises"
            distance = show_value(abs(self.by), leaf.unit)
            text = f"{name} {verb} by {distance} to {show_value(self.needed, leaf.unit)}"
        else:
            text = f"{name} {leaf.meaning.words if self.want else leaf.meaning.otherwise}"
            if limit is not None:
                text += f" {show_value(limit, leaf.unit)}"
        if self.in_days is not None:
            text += f" (by itself in {self.in_days} days, on {as_of + timedelta(self.in_days)})"
        return text

    def to_json(self, as_of: date) -> dict[str, Any]:
        """The change as data, with its wording."""
        leaf, value = self.one.leaf, self.one.value
        data: dict[str, Any] = {"fact": leaf.fact, "words": self.words(as_of)}
        if isinstance(value, Unknown):
            return data | {"missing": str(value.missing)}
        if self.by is not None:
            data |= {"by": write_value(abs(self.by)), "to": write_value(self.needed)}
            if leaf.unit:
                data["unit"] = leaf.unit
        if self.in_days is not None:
            data |= {"in_days": self.in_days, "on": (as_of + timedelta(self.in_days)).isoformat()}
        return data


Turn = tuple[Compared, bool]
"""A comparison that would have to come out otherwise, and how."""

Way = list[Turn]
"""Comparisons that would all have to turn over."""


def alternatives(judged: Judged, want: bool) -> list[Way]:
    """The ways to make a condition true or false: any one of them does."""
    if judged.truth is want:
        return [[]]
    if isinstance(judged, Compared):
        # nobody can be asked to make a known fact unknown
        return [] if judged.leaf.unknown_when is want else [[(judged, want)]]
    parts = judged.parts
    if judged.joined == "not":
        return alternatives(parts[0], not want)
    ways = [alternatives(part, want) for part in parts if part.truth is not want]
    if (judged.joined == "all") == want:
        return together(ways)
    return [way for one in ways for way in one]


def together(ways: list[list[Way]]) -> list[Way]:
    """One way of each, in every combination; of very many the first."""
    joined = ways[0]
    for more in ways[1:]:
        joined = [[*one, *other] for one in joined for other in more]
        del joined[_MOST_COMBINED:]
    return joined


def nearest(ways: list[Way]) -> list[list[Change]]:
    """The few ways with the fewest and smallest changes; none that asks more than another does."""
    if len(ways) == 1 and len(ways[0]) == 1:  # most often: nothing is to be chosen
        return [[_change(*ways[0][0])]]
    alone: dict[str, Change] = {}
    for way in ways:
        if len(way) == 1:
            one, want = way[0]
            change = _change(one, want)
            other = alone.get(one.leaf.fact)
            if other is None or _size(change) < _size(other):
                alone[one.leaf.fact] = change
    kept = [[change] for change in sorted(alone.values(), key=_size)]
    if len(kept) < len(ways):
        kept.extend(_nearest_of_several(ways, alone))
    return kept[:_MOST_ALTERNATIVES]


def _nearest_of_several(ways: list[Way], alone: Collection[str]) -> list[list[Change]]:
    """Ways of several changes that need none of the facts that would do `alone`."""
    found = [
        _merged([_change(one, want) for one, want in way])
        for way in ways
        if len(way) > 1 and not any([one.leaf.fact in alone for one, _ in way])
    ]
    kept: list[list[Change]] = []
    asked: list[set[str]] = []
    for way in sorted(found, key=_distance):
        facts = {change.one.leaf.fact for change in way}
        if not any([other <= facts for other in asked]):
            asked.append(facts)
            kept.append(way)
    return kept


def _merged(changes: list[Change]) -> list[Change]:
    """The changes with those of one fact and direction joined to the farthest of them."""
    kept: dict[tuple[str, int], Change] = {}
    for change in changes:
        distance = change.by or 0
        key = (change.one.leaf.fact, (distance > 0) - (distance < 0))
        other = kept.get(key)
        if other is None or abs(distance) > abs(other.by or 0):
            kept[key] = change
    return list(kept.values())


def _size(change: Change) -> float:
    return abs(float(change.by)) if change.by else 0.0


def _distance(way: list[Change]) -> tuple[int, float]:
    return len(way), sum([_size(change) for change in way])


def applied(way: list[Change], facts: Mapping[str, Any]) -> dict[str, Any] | None:
    """The facts with the changes made; None where a change leaves open what a fact would be."""
    changed = dict(facts)
    for change in way:
        leaf = change.one.leaf
        if change.by is not None:
            changed[leaf.fact] = change.needed
        elif leaf.equals_when is change.want and not isinstance(change.one.limit, Unknown):
            changed[leaf.fact] = change.one.limit
        else:
            return None
    return changed


def room(falls_by: Iterable[tuple[Judged, bool]]) -> list[Change]:
    """The single changes of ordered facts that would turn a passing rule, one a fact and direction.

    Any condition that keeps it from passing would do, so the nearest counts; of conditions that make
    it pass all would have to turn, so the farthest does.
    """
    found: dict[tuple[str, bool], Change] = {}
    for tree, want in falls_by:
        turns = [tree] if isinstance(tree, Compared) else _single(tree, want)
        for one in turns:
            if one.leaf.ordered:
                change = _change(one, not one.truth)
                distance: Any = change.by
                key = (one.leaf.fact, distance < 0)
                other = found.get(key)
                if other is None or (abs(distance) < abs(other.by or 0)) is want:
                    found[key] = change
    return list(found.values())


def _single(tree: Judged, want: bool) -> list[Compared]:
    """The comparisons each of which alone would turn the tree into `want`, if it turned over."""
    if isinstance(tree, Compared):
        return [tree] if tree.truth is (not want) else []
    if tree.joined == "not":
        return _single(tree.parts[0], not want)
    against = [part for part in tree.parts if part.truth is not want]
    if (tree.joined == "all") == want and len(against) != 1:
        return []
    return [one for part in against for one in _single(part, want)]


def _change(one: Compared, want: bool) -> Change:
    leaf = one.leaf
    in_days = days_until_flip(one) if leaf.drift else None
    if one.truth is None or not leaf.ordered:
        return Change(one, want, None, None, in_days)
    needed: Any = leaf.turned(one.limit, want)
    distance: Any = needed - one.value
    return Change(one, want, needed, distance.days if leaf.dated else distance, in_days)
