"""`revops apply`: brings tables, topics, rules and connectors to what the files declare."""

from __future__ import annotations

import asyncio

import typer

from deploy.local.progress import shown_on
from schemas.results import Retryable
from workers.capture_control import CaptureFailed
from workers.cli.output import console, fail, load_settings
from workers.installation import apply_installation
from workers.tenants import TenantFileError

app = typer.Typer(add_completion=False)


@app.command()
def apply() -> None:
    """Makes everything that the workers need; safe to repeat. Exit status 1 where a source is left."""
    settings = load_settings()
    try:
        with shown_on(console) as progress:
            left = asyncio.run(apply_installation(settings, progress))
    except (Retryable, CaptureFailed, TenantFileError) as problem:
        fail(str(problem))
    for one in left:
        console.print(f"[yellow]left to do[/] {one}", highlight=False)
    if left:
        raise typer.Exit(1)
