"""`revops companies`: which of the companies that records name are one, why, and people's word on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from connectors.postgres.company_queries import find_company, list_companies
from connectors.postgres.matches import Place
from connectors.postgres.pool import connection
from workers.cli.output import (
    Output,
    console,
    fail,
    load_settings,
    run_command,
    show_json,
    show_rows,
)
from workers.cli.platform import (
    OutputOption,
    PackOption,
    TenantOption,
    acting_person,
    one_pack,
    one_tenant,
    opened_database,
)
from workers.company_words import Saying, say
from workers.context import worker_context
from workers.settings import Settings

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Golden records: which of the companies that records name are one.",
)

CompanyArgument = Annotated[
    str, typer.Argument(metavar="ID", help="Id of a company, or any of its members.")
]
MemberArgument = Annotated[str, typer.Argument(help="A member, such as partner:8.")]
OtherArgument = Annotated[str, typer.Argument(help="Another member.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; kept for good.")]

_COLUMNS = ("company_id", "name", "country", "domains", "members", "aliases")


@app.command("list")
def list_command(
    name: Annotated[
        str | None, typer.Option(help="Only where a name or member contains this.")
    ] = None,
    several: Annotated[
        bool, typer.Option("--several", help="Only those that several members make.")
    ] = False,
    tenant: TenantOption = None,
    pack: PackOption = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="So many at most.")] = 50,
    output: OutputOption = Output.TABLE,
) -> None:
    """Lists companies, those of most members first."""
    settings, place = _place(tenant, pack)

    async def work() -> list[dict[str, Any]]:
        async with opened_database(settings) as pool, connection(pool) as borrowed:
            return await list_companies(borrowed, place, name=name, several=several, limit=limit)

    show_rows(run_command(work), _COLUMNS, output)


@app.command()
def show(company: CompanyArgument, tenant: TenantOption = None, pack: PackOption = None) -> None:
    """Shows one company with members, evidence, accounts and history, as JSON."""
    show_json(_find(*_place(tenant, pack), company))


@app.command()
def explain(company: CompanyArgument, tenant: TenantOption = None, pack: PackOption = None) -> None:
    """Tells why the members of a company are one, what was doubted, and what became of it."""
    found = _find(*_place(tenant, pack), company)
    told = Text(", ".join([*found["domains"], *([found["country"]] if found["country"] else [])]))
    if found["deleted"]:
        told = Text("No more: see the end of its history.", "yellow")
    title = Text.assemble((found["name"] or "without a name", "bold"), f"  {found['company_id']}")
    console.print(Panel(told, title=title, title_align="left"))
    console.print(_members(found["members"]))
    if found["accounts"]:
        accounts = ", ".join(one["account_id"] for one in found["accounts"])
        console.print(Text(f"accounts: {accounts}"))
    for doubt in found["doubts"]:
        ends = f"{doubt['first']} and {doubt['second']}"
        console.print(Text(f"not enough to join {ends}: {doubt['reason']}", "yellow"))
    show_rows(
        found["history"], ("at", "kind", "others", "joined", "left"), Output.TABLE, title="history"
    )


@app.command()
def join(
    first: MemberArgument,
    second: OtherArgument,
    reason: ReasonOption,
    tenant: TenantOption = None,
    pack: PackOption = None,
) -> None:
    """Says that two members are one company; spend and rules then treat them so."""
    _say(_place(tenant, pack), "same", (first, second), reason)


@app.command()
def separate(
    first: MemberArgument,
    second: OtherArgument,
    reason: ReasonOption,
    tenant: TenantOption = None,
    pack: PackOption = None,
) -> None:
    """Says that two members are not one company, whatever else speaks for it."""
    _say(_place(tenant, pack), "different", (first, second), reason)


@app.command()
def undo(
    first: MemberArgument,
    second: OtherArgument,
    reason: ReasonOption,
    tenant: TenantOption = None,
    pack: PackOption = None,
) -> None:
    """Takes the last word on two members back."""
    _say(_place(tenant, pack), "undo", (first, second), reason)


def _members(members: Sequence[Mapping[str, Any]]) -> Table:
    """One row a member; what records say is shown as it is: brackets in a name are no markup."""
    table = Table(header_style="bold", expand=False)
    for heading in ("member", "called", "records", "one with", "because"):
        table.add_column(heading, overflow="fold")
    for member in members:
        link = member["evidence"]
        other = ""
        if link:
            other = link["second"] if link["first"] == member["member"] else link["first"]
        table.add_row(
            Text(member["member"]),
            Text(", ".join(member["names"] or ())),
            ", ".join(f"{count} {what}" for what, count in (member["records"] or {}).items()),
            Text(other),
            Text(link["reason"] if link else "it gives the company its id"),
        )
    return table


def _place(tenant: str | None, pack: str | None) -> tuple[Settings, Place]:
    settings = load_settings()
    directory = settings.config.directory
    whose = one_tenant(directory, tenant)
    return settings, Place(whose, one_pack(directory, whose, pack))


def _find(settings: Settings, place: Place, name: str) -> Mapping[str, Any]:
    async def work() -> Mapping[str, Any] | None:
        async with opened_database(settings) as pool, connection(pool) as borrowed:
            return await find_company(borrowed, place, name)

    found = run_command(work)
    if found is None:
        fail(f"no company {name!r}; `revops companies list` names them")
    return found


def _say(
    where: tuple[Settings, Place], saying: Saying, members: tuple[str, str], reason: str
) -> None:
    settings, place = where
    if not reason.strip():
        fail("--reason must say why; it is kept with your word", code=2)
    if members[0] == members[1]:
        fail("name two members", code=2)
    for member in members:
        _find(settings, place, member)
    actor = acting_person()

    async def work() -> bool:
        async with worker_context("cli", settings) as context:
            return await say(context, place, saying, members, reason.strip(), actor)

    if not run_command(work):
        fail(f"nobody said anything of {members[0]} and {members[1]}")
    console.print(f"{saying}: {members[0]}, {members[1]} kept.")
