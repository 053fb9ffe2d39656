"""What would have to change for a rule to pass, and how much room a passing one has (AM-9, EXPL-1).

Read from the comparisons that the evaluation made; nothing is guessed and nothing is tried out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from itertools import product
from typing import Any

from streams.decide.comparisons import Compared, days_until_flip
from streams.decide.conditions import Judged
from streams.decide.language import Operator
from streams.decide.values import STEPS, Unknown, Value, show_value, write_value

_MOST_ALTERNATIVES = 4
_DOWN = frozenset({Operator.LESS_THAN, Operator.AT_MOST})
_STRICT = frozenset({Operator.LESS_THAN, Operator.MORE_THAN})
_ORDERING = _DOWN | {Operator.MORE_THAN, Operator.AT_LEAST}


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


def alternatives(judged: Judged, want: bool) -> list[list[Change]]:
    """The ways to make a condition true or false: any one list, of which every change is needed."""
    if judged.truth is want:
        return [[]]
    if isinstance(judged, Compared):
        return [[_change(judged, want)]]
    parts = judged.parts
    if judged.joined == "not":
        return alternatives(parts[0], not want)
    ways = [alternatives(part, want) for part in parts if part.truth is not want]
    if (judged.joined == "all") == want:
        return together(ways)
    return nearest([way for one in ways for way in one])


def room(falls_by: Iterable[tuple[Judged, bool]]) -> list[Change]:
    """The single changes of ordered facts that would turn a passing rule, one a fact and direction.

    Any condition that keeps it from passing would do, so the nearest counts; of conditions that make
    it pass all would have to turn, so the farthest does.
    """
    found: dict[tuple[str, bool], Change] = {}
    for tree, want in falls_by:
        for one in _single(tree, want):
            if one.leaf.operator in _ORDERING:
                change = _change(one, not one.truth)
                distance = change.by or 0
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


def together(ways: list[list[list[Change]]]) -> list[list[Change]]:
    """One way of each, in every combination; the nearest few."""
    if len(ways) == 1:
        return nearest(ways[0])
    return nearest(
        [_joined([change for way in choice for change in way]) for choice in product(*ways)]
    )


def _joined(changes: list[Change]) -> list[Change]:
    """The changes with those of one fact and direction joined to the farthest of them."""
    kept: dict[tuple[str, int], Change] = {}
    for change in changes:
        direction = 0 if change.by is None else 1 if change.by > 0 else -1
        key = (change.one.leaf.fact, direction)
        other = kept.get(key)
        if other is None or abs(change.by or 0) > abs(other.by or 0):
            kept[key] = change
    return list(kept.values())


def nearest(ways: list[list[Change]]) -> list[list[Change]]:
    """The few ways with the fewest and smallest changes; none that asks more than another does."""
    if len(ways) <= 1:
        return ways
    kept: list[tuple[frozenset[str], list[Change]]] = []
    for way in sorted(ways, key=_distance):
        facts = frozenset(change.one.leaf.fact for change in way)
        if not any(asked <= facts for asked, _ in kept):
            kept.append((facts, way))
        if len(kept) == _MOST_ALTERNATIVES:
            break
    return [way for _, way in kept]


def _distance(way: list[Change]) -> tuple[int, Decimal]:
    return len(way), sum((abs(Decimal(change.by)) for change in way if change.by), Decimal(0))


def _change(one: Compared, want: bool) -> Change:
    if one.truth is None:
        return Change(one, want)
    leaf = one.leaf
    if leaf.operator not in _ORDERING:
        return Change(one, want, in_days=days_until_flip(one) if leaf.drift else None)
    needed, by = _nearest_value(one, want)
    return Change(one, want, needed, by, days_until_flip(one) if leaf.drift else None)


def _nearest_value(one: Compared, want: bool) -> tuple[Value | None, Decimal | int | None]:
    """The value closest to the present one with which the comparison would be `want`."""
    leaf, value, limit = one.leaf, one.value, one.limit
    step = STEPS.get(leaf.type, Decimal(0))
    downwards = (leaf.operator in _DOWN) is want
    beyond = (leaf.operator in _STRICT) is want  # the limit itself does not do
    if isinstance(value, date) and isinstance(limit, date):
        offset = (-1 if downwards else 1) if beyond else 0
        target = limit + timedelta(offset)
        return target, (target - value).days
    if not isinstance(value, int | Decimal) or not isinstance(limit, int | Decimal):
        return None, None
    offset = step if beyond else Decimal(0)
    needed = limit - offset if downwards else limit + offset
    if isinstance(value, int):
        needed = int(needed)
    return needed, needed - value
