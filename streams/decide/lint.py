"""What is lawful in a rule file but probably not meant: warnings, each with file and line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from streams.decide.documents import Origin, did_you_mean
from streams.decide.language import Condition, Rule
from streams.decide.rule_files import EffectiveRules
from streams.decide.rule_sets import CompiledRules, compile_rules


@dataclass(frozen=True, slots=True)
class LintWarning:
    """A finding on a rule file that compiles."""

    origin: Origin
    message: str

    def __str__(self) -> str:
        return f"{self.origin}: {self.message}"


def lint(effective: EffectiveRules) -> list[LintWarning]:
    """Warnings on rules that compile. Raises RulesRefusedError for rules that do not."""
    compiled = compile_rules(effective)
    return [
        *_unused_rules(effective),
        *_doubtful_verdicts(effective),
        *_gaps(effective),
        *_never_met(compiled),
    ]


def _unused_rules(effective: EffectiveRules) -> Iterator[LintWarning]:
    document, written = effective.document, effective.written
    used = {rule for one in document.rule_sets.values() for rule in one.rules}
    for name in document.rules:
        if name not in used:
            yield LintWarning(written.origin(("rules", name)), f"no rule set uses the rule {name}")
    named = set(document.parameters)
    for name in document.catalogue.facts:
        if name in named:
            yield LintWarning(
                written.origin(("catalogue", "facts", name)),
                f"{name!r} is both a fact and a parameter: messages mean the parameter",
            )


def _doubtful_verdicts(effective: EffectiveRules) -> Iterator[LintWarning]:
    for name, rule in effective.document.rules.items():
        seen: list[Condition] = []
        for at, verdict in enumerate(rule.verdicts):
            place = effective.written.origin(("rules", name, "verdicts", at))
            if verdict.when is not None and verdict.when in seen:
                yield LintWarning(place, f"{name}: this condition stands further up already")
            if verdict.when is not None:
                seen.append(verdict.when)
        if not _can_pass(rule):
            yield LintWarning(effective.written.origin(("rules", name)), f"{name} can never pass")
        if rule.verdicts and rule.verdicts[-1].when is not None:
            yield LintWarning(
                effective.written.origin(("rules", name, "verdicts")),
                f"{name}: where no verdict holds the pair goes to review; end with one without `when`",
            )


def _can_pass(rule: Rule) -> bool:
    return rule.require is not None or any(one.result == "pass" for one in rule.verdicts)


def _gaps(effective: EffectiveRules) -> Iterator[LintWarning]:
    """Days between the first and the last that no rule set is in force on."""
    sets = [one for one in effective.document.rule_sets.items() if one[1].when is None]
    bounded = sorted(
        (one.effective_from, one.effective_to, name)
        for name, one in sets
        if one.effective_from is not None and one.effective_to is not None
    )
    for (_, ends, name), (begins, _, following) in pairwise(bounded):
        if (begins - ends).days > 1:
            yield LintWarning(
                effective.written.origin(("rule_sets", following)),
                f"no rule set is in force between {name} (to {ends}) and {following} (from {begins})",
            )


def _never_met(compiled: CompiledRules) -> Iterator[LintWarning]:
    """Outcomes of the table that name a code that no verdict has."""
    document, written = compiled.effective.document, compiled.effective.written
    for at, row in enumerate(document.outcome_table.table):
        for rule, wanted in row.rules.items():
            for rule_set in compiled.sets:
                for one in rule_set.rules:
                    if one.id != rule:
                        continue
                    known = {ruling.code for ruling in one.rulings} | {
                        str(ruling.result) for ruling in one.rulings
                    }
                    if wanted not in known:
                        hint = did_you_mean(wanted, known - {""})
                        yield LintWarning(
                            written.origin(("outcome_table", "table", at)),
                            f"{rule} never comes to {wanted!r}; {hint}",
                        )
