"""`revops`: the command line. Each command's module is imported when it is asked for."""

from __future__ import annotations

import importlib
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

GROUPS = {
    "topics": "workers.cli.topics",
    "connectors": "workers.cli.connectors",
    "decisions": "workers.cli.decisions",
    "matches": "workers.cli.matches",
    "companies": "workers.cli.companies",
    "reviews": "workers.cli.reviews",
    "actions": "workers.cli.actions",
    "match": "workers.cli.match_files",
    "spend": "workers.cli.spend",
    "rules": "workers.cli.rules",
    "packs": "workers.cli.packs",
    "audit": "workers.cli.audit",
    "dlq": "workers.cli.dlq",
    "config": "workers.cli.config",
    "docs": "workers.cli.docs",
}
"""Groups of commands, each a Typer application called `app`."""

COMMANDS = {
    "up": "workers.cli.stack",
    "down": "workers.cli.stack",
    "status": "workers.cli.status",
    "apply": "workers.cli.apply",
    "demo": "workers.cli.demo",
    "worker": "workers.cli.main",
}
"""Single commands and the module whose `app` has them."""


class LazyCommands(TyperGroup):
    """Finds commands by name without importing the modules of the others."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [*COMMANDS, *GROUPS]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name == "worker":
            return super().get_command(ctx, cmd_name)
        module = GROUPS.get(cmd_name) or COMMANDS.get(cmd_name)
        if module is None:
            return None
        command: Any = typer.main.get_command(importlib.import_module(module).app)
        if cmd_name in COMMANDS and hasattr(command, "commands"):
            return command.get_command(ctx, cmd_name)
        command.name = cmd_name
        return command


app = typer.Typer(
    cls=LazyCommands,
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    help="Partner operations in near real time: match, decide, explain, audit.",
)


@app.callback()
def _root() -> None:
    """Partner operations in near real time: match, decide, explain, audit."""
    from workers.logs import only_results

    only_results()


@app.command()
def worker(
    name: Annotated[str, typer.Argument(help="normalise, embed, match, decide, audit, timers ...")],
) -> None:
    """Runs one worker process until it is told to stop, as the images do."""
    from workers.cli.output import fail, load_settings
    from workers.process import DRIVERS, run_worker

    if name not in DRIVERS:
        fail(f"no worker {name!r}; there are {', '.join(DRIVERS)}", code=2)
    raise typer.Exit(run_worker(name, load_settings()))


def run() -> None:
    """The entry point of the command `revops`."""
    app()


if __name__ == "__main__":
    run()
