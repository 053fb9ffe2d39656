"""How commands show things: a table for people, JSON for programs."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, NoReturn, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from schemas.results import Retryable
from workers.settings import Settings, SettingsMissing

console = Console()
errors = Console(stderr=True)

Result = TypeVar("Result")


class Output(StrEnum):
    """`--output` of every command that lists something."""

    TABLE = "table"
    JSON = "json"


def show_rows(
    rows: Sequence[Mapping[str, Any]], columns: Sequence[str], output: Output, *, title: str = ""
) -> None:
    """Prints rows as a table of `columns`, or all of them as a JSON array."""
    if output is Output.JSON:
        show_json(list(rows))
        return
    table = Table(title=title or None, title_justify="left", header_style="bold", expand=False)
    for column in columns:
        table.add_column(column.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(_cell(row.get(column)) for column in columns))
    console.print(table)


def show_json(value: Any) -> None:
    """Prints a value as JSON; times as ISO 8601, decimals as text."""
    sys.stdout.write(json.dumps(value, indent=2, default=str, ensure_ascii=False) + "\n")


def fail(message: str, *, code: int = 1) -> NoReturn:
    """Says what is wrong and what to do next, and ends the command."""
    errors.print(f"[bold red]error[/]: {message}", highlight=False)
    raise typer.Exit(code)


def run_command(work: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
    """Runs a command's coroutine; a dependency that is away is an error message, not a traceback."""
    try:
        return asyncio.run(work())
    except Retryable as problem:
        fail(f"{problem}. Is the stack up? See `revops status`.")


def load_settings() -> Settings:
    """The settings of this command, those of the local stack where none are given."""
    from workers.local import find_local_stack

    find_local_stack()
    try:
        return Settings.load()
    except SettingsMissing as problem:
        fail(str(problem), code=2)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Iterable) and not isinstance(value, str):
        return ", ".join(str(one) for one in value)
    return str(value)
