"""`revops rules`: check, test, compare, simulate, activate and roll back rules, without a developer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from streams.decide.cases import CaseRun, run_cases
from streams.decide.comparing_versions import Difference, differences
from streams.decide.documents import parse_document
from streams.decide.lint import lint
from streams.packs import load_pack
from workers.cli import rules_life, rules_simulate
from workers.cli.output import Output, console, show_json, show_rows
from workers.cli.platform import OutputOption, PackOption, TenantOption
from workers.cli.rule_options import RulesArgument, files_desk, named_rules, run_on_rules
from workers.rules_desk import ACTIVE

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Rule sets: test, simulate, activate, roll back.",
)


@app.command("lint")
def check(
    rules: RulesArgument = "configured",
    tenant: TenantOption = None,
    pack: PackOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Checks rules: errors and doubts, each with file, line and suggestion."""
    desk = files_desk(tenant, pack)

    async def work() -> list[dict[str, Any]]:
        found = lint(await named_rules(desk, rules))
        return [{"where": str(one.origin), "warning": one.message} for one in found]

    warnings = run_on_rules(work())
    show_rows(warnings, ("where", "warning"), output) if warnings or output is Output.JSON else None
    if output is Output.TABLE and not warnings:
        console.print(f"[green]{rules}: no errors, no doubts.[/]")


@app.command("test")
def judge_cases(
    rules: RulesArgument = "configured",
    cases: Annotated[
        Path | None, typer.Option(help="A case file; the pack's own where none is given.")
    ] = None,
    tenant: TenantOption = None,
    pack: PackOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Judges the cases beside the rules and compares with what they expect; 1 where one fails."""
    desk = files_desk(tenant, pack)

    async def work() -> CaseRun:
        effective = await named_rules(desk, rules)
        text = (
            cases.read_text(encoding="utf-8") if cases else load_pack(desk.pack).file("cases.yaml")
        )
        name = str(cases) if cases else f"packs/{desk.pack}/cases.yaml"
        return run_cases(parse_document(name, text), effective)

    run = run_on_rules(work())
    rows = [
        {
            "case": one.name,
            "passed": one.passed,
            "outcome": one.outcome,
            "expected": one.expected,
            "problems": list(one.problems),
            "where": str(one.origin),
        }
        for one in run.results
    ]
    if output is Output.JSON:
        show_json({"cases": rows, "not_exercised": run.not_exercised})
    else:
        for one in run.failed:
            console.print(f"[red]failed[/] {one.name} [dim]({one.origin})[/]", highlight=False)
            for problem in one.problems:
                console.print(f"    {problem}", highlight=False)
        passed = len(run.results) - len(run.failed)
        colour = "red" if run.failed else "green"
        console.print(f"[{colour}]{passed} of {len(run.results)} cases as expected.[/]")
        for one in run.not_exercised:
            console.print(f"[yellow]no case leads to[/] {one}", highlight=False)
    if run.failed:
        raise typer.Exit(1)


@app.command()
def diff(
    before: RulesArgument = ACTIVE,
    after: RulesArgument = "configured",
    tenant: TenantOption = None,
    pack: PackOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Shows every value in which two versions differ, and where it was written."""
    desk = files_desk(tenant, pack)

    async def work() -> list[Difference]:
        return differences(await named_rules(desk, before), await named_rules(desk, after))

    found = run_on_rules(work())
    rows = [
        {"value": one.path, "before": one.before, "after": one.after, "written_in": one.origin}
        for one in found
    ]
    show_rows(rows, ("value", "before", "after", "written_in"), output)
    if output is Output.TABLE and not rows:
        console.print(f"{before} and {after} judge alike.")


@app.command()
def show(
    rules: RulesArgument = ACTIVE,
    find: Annotated[str, typer.Option(help="Only values whose path holds this text.")] = "",
    tenant: TenantOption = None,
    pack: PackOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Shows the effective parameters and rules, with the file and line of every value (CFG-4)."""
    desk = files_desk(tenant, pack)
    effective = run_on_rules(named_rules(desk, rules))
    if output is Output.JSON:
        show_json({"data": effective.written.data, "origins": effective.origins()})
        return
    rows = [
        {"parameter": name, "value": one.value, "unit": one.unit, "meaning": one.meaning,
         "written_in": str(effective.written.origin(("parameters", name, "value")))}
        for name, one in effective.document.parameters.items()
        if find in name
    ]  # fmt: skip
    show_rows(rows, ("parameter", "value", "unit", "meaning", "written_in"), output)
    rows = [
        {"rule": name, "title": one.title, "critical": one.critical, "enabled": one.enabled,
         "when_missing": one.when_missing,
         "written_in": str(effective.written.origin(("rules", name)))}
        for name, one in effective.document.rules.items()
        if find in name
    ]  # fmt: skip
    columns = ("rule", "title", "critical", "enabled", "when_missing", "written_in")
    show_rows(rows, columns, output)


for _command in (
    rules_simulate.simulate,
    rules_life.activate,
    rules_life.rollback,
    rules_life.versions,
    rules_life.reevaluate,
):
    app.command()(_command)
