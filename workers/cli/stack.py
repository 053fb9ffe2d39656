"""`revops up` and `revops down`: the local stack, with workers."""

from __future__ import annotations

from typing import Annotated

import typer

from deploy.local.progress import shown_on
from deploy.local.stack import StackError
from workers.cli.output import console, fail
from workers.local import local_stack
from workers.local_platform import LocalPlatform

app = typer.Typer(add_completion=False)


@app.command()
def up(
    ui: Annotated[bool, typer.Option("--ui", help="Also a Kafka UI in the browser.")] = False,
    workers: Annotated[
        bool, typer.Option(help="Also the workers of the configured tenants.")
    ] = True,
) -> None:
    """Starts Kafka, Kafka Connect with Debezium, PostgreSQL and the workers; what runs is left alone."""
    stack = local_stack()
    platform = LocalPlatform(stack)
    try:
        with shown_on(console) as progress:
            platform.start(progress)
            if workers:
                platform.apply_and_start_workers(progress)
            if ui:
                console.print(f"Kafka UI: {stack.up_kafka_ui(progress)}")
    except StackError as problem:
        fail(str(problem))
    console.print(
        f"Kafka {stack.bootstrap_servers}   Connect {stack.connect_url}   "
        f"PostgreSQL 127.0.0.1:{stack.settings.ports.postgres}\n"
        "Next: [bold]revops status[/], [bold]revops decisions follow[/], [bold]revops down[/]"
    )


@app.command()
def down() -> None:
    """Stops everything of the local stack; its data stays."""
    try:
        with console.status("stopping"):
            local_stack().down()
    except StackError as problem:
        fail(str(problem))
    console.print("Nothing of the stack runs any more.")
