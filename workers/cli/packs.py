"""`revops packs`: which packs are installed, and the files of a new one."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape

from streams.packs import PackError, installed_packs, load_pack, use_own_packs
from workers.cli.output import Output, console, fail, show_rows
from workers.cli.platform import OutputOption, config_directory
from workers.pack_skeleton import write_skeleton
from workers.tenants import own_packs

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Packs: what is matched, by which mapping, and what is decided about it.",
)


@app.command("list")
def list_packs(output: OutputOption = Output.TABLE) -> None:
    """Lists the installed packs with their sides and sources: those that ship, and your own."""
    use_own_packs(own_packs(config_directory()))
    manifests = [load_pack(name).manifest for name in installed_packs()]
    rows = [
        {"pack": one.name, "title": one.title, "sides": one.sides, "sources": tuple(one.sources)}
        for one in manifests
    ]
    show_rows(rows, ("pack", "title", "sides", "sources"), output)


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Small letters, digits and _; topics begin with it.")],
    title: Annotated[
        str | None, typer.Option(help="For people; the name where none is given.")
    ] = None,
    left: Annotated[
        str, typer.Option(help="The side that knows the customer, and its source.")
    ] = "crm",
    right: Annotated[str, typer.Option(help="The other side, and its source.")] = "vendor",
) -> None:
    """Writes the files of a new pack beside your tenants: mapping, facts, rules and cases that pass."""
    folder = own_packs(config_directory())
    use_own_packs(folder)
    try:
        for path in write_skeleton(folder, name, title or name, (left, right)):
            console.print(f"wrote {path}", highlight=False, soft_wrap=True)
        load_pack(name).plan()
    except PackError as problem:
        fail(escape(str(problem)), code=2)
    except OSError as problem:
        fail(
            f"the folder of packs cannot be written ({problem}): "
            "name one that you own by REVOPS_CONFIG__DIRECTORY"
        )
    console.print(f"Try it: revops rules test pack --pack {name}")
