"""A rule judged exactly: by three-valued logic, with every comparison kept, and what would make it pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from streams.decide.comparisons import Compared, Facts, Judge
from streams.decide.conditions import CompiledCondition, Judged
from streams.decide.counterfactuals import Change, Way, alternatives, applied, nearest, together
from streams.decide.language import Rule
from streams.decide.messages import Render
from streams.decide.rule_results import PASS, Result, Ruling
from streams.decide.values import Missing, Unknown


@dataclass(frozen=True, slots=True, eq=False)
class CompiledVerdict:
    """One line of a rule, compiled; `condition` None holds always."""

    condition: CompiledCondition | None
    ruling: Ruling
    say: Render


@dataclass(frozen=True, slots=True, eq=False)
class RuleParts:
    """What judging a rule needs. `facts` are those that it reads; `entangled` rules compare facts with
    one another. `ordered` names the conditions on what can rise or fall: the place of each among the
    trees, and whether it makes the rule pass.
    """

    id: str
    declared: Rule
    facts: frozenset[str]
    applies: CompiledCondition | None
    verdicts: tuple[CompiledVerdict, ...]
    missing: MissingFacts
    not_concerned: Ruling
    undecided: Ruling
    groups: tuple[tuple[tuple[Judge | None, CompiledVerdict], ...], ...]
    ordered: tuple[tuple[int, bool], ...]
    entangled: bool

    def falls_by(self, trees: Sequence[Judged]) -> list[tuple[Judged, bool]]:
        """Of a passing rule the conditions on what can rise or fall that would have to turn, and into
        what, to unmake it.
        """
        judged = len(trees)
        return [
            (trees[at], not passes)
            for at, passes in self.ordered
            if at < judged and trees[at].truth is passes
        ]


class MissingFacts:
    """What a missing fact makes of a rule: its `when_missing`, but never a pass for what is merely
    not loaded yet (guarantee 7).
    """

    def __init__(self, rule_id: str, declared: Rule) -> None:
        configured = {
            "review": Result.UNKNOWN,
            "skip": Result.SKIPPED,
            "fail": Result.FAIL,
        }[declared.when_missing]
        self._missing = Ruling(rule_id, configured, "missing")
        self._incomplete = Ruling(rule_id, Result.UNKNOWN, "incomplete")
        self.all = (self._missing, self._incomplete)

    def ruling(self, unknown: Sequence[Unknown]) -> Ruling:
        incomplete = any(one.missing is Missing.INCOMPLETE for one in unknown)
        return self._incomplete if incomplete else self._missing


@dataclass(slots=True, eq=False)
class ExactJudgement:
    """An exact judgement: the ruling, the trees of the conditions in the order of the verdicts (that
    of `when` before them), the verdicts that hold, and the trees that are unknown where none does.
    """

    ruling: Ruling
    trees: list[Judged]
    held: list[CompiledVerdict]
    open_trees: list[Judged]


def judge_exactly(working: RuleParts, facts: Facts) -> ExactJudgement:
    """Judges by three-valued logic.

    Verdicts of one result that follow one another are alternatives: one that holds decides even
    where another is unknown.
    """
    trees: list[Judged] = []
    if working.applies is not None:
        applies = working.applies.judge(facts, trees)
        if applies is False:
            return ExactJudgement(working.not_concerned, trees, [], [])
        if applies is None:
            return ExactJudgement(working.missing.ruling(unknown_facts(trees)), trees, [], trees)
    for group in working.groups:
        held: list[CompiledVerdict] = []
        open_trees: list[Judged] = []
        for judge, verdict in group:
            if judge is None:
                held.append(verdict)
                continue
            truth = judge(facts, trees)
            if truth:
                held.append(verdict)
            elif truth is None:
                open_trees.append(trees[-1])
        if held:
            return ExactJudgement(held[0].ruling, trees, held, [])
        if open_trees:
            ruling = working.missing.ruling(unknown_facts(open_trees))
            return ExactJudgement(ruling, trees, [], open_trees)
    return ExactJudgement(working.undecided, trees, [], [])


def unknown_facts(trees: Sequence[Judged]) -> list[Unknown]:
    """The unknown facts that keep the trees from an answer, each once."""
    found: dict[str, Unknown] = {}
    pending = list(trees)
    while pending:
        tree = pending.pop(0)
        if isinstance(tree, Compared):
            for value in (tree.value, tree.limit):
                if isinstance(value, Unknown):
                    found.setdefault(value.detail, value)
        else:
            pending.extend(part for part in tree.parts if part.truth is None)
    return list(found.values())


def ways_to_pass(working: RuleParts, facts: Facts, trees: Sequence[Judged]) -> list[list[Change]]:
    """The nearest changes with which a `pass` verdict would be the first to hold.

    Uses the trees that were judged already; conditions behind the decisive verdict are judged now.
    """
    at = 0 if working.applies is None else 1
    behind: list[Judged] = []
    needs_before: list[list[Way]] = []
    ways: list[Way] = []
    for verdict in working.verdicts:
        tree = None
        if verdict.condition is not None:
            if at < len(trees):
                tree = trees[at]
            else:
                verdict.condition.judge(facts, behind)
                tree = behind[-1]
            at += 1
        if verdict.ruling.result is not PASS:
            if tree is None:
                break
            if tree.truth is not False:
                needs_before.append(alternatives(tree, False))
            continue
        needs = needs_before
        if tree is not None and tree.truth is not True:
            needs = [*needs_before, alternatives(tree, True)]
        if needs:
            ways.extend(together(needs))
    found = nearest(ways)
    return _mended(working, facts, found) if working.entangled else found


def _mended(working: RuleParts, facts: Facts, ways: list[list[Change]]) -> list[list[Change]]:
    """The ways, each with what else it needs where it changes a fact that others are compared with."""
    mended: list[list[Change]] = []
    for way in ways:
        changed = applied(way, facts)
        if changed is None:
            mended.append(way)
            continue
        judged = judge_exactly(working, changed)
        if judged.ruling.result is PASS:
            mended.append(way)
            continue
        further = ways_to_pass(replace(working, entangled=False), changed, judged.trees)
        mended.extend([[*way, *more] for more in further[:1]])
    return mended
