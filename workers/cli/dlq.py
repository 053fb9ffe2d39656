"""`revops dlq`: what was rejected, why, and putting it back."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from schemas.topics import WORKERS
from workers.cli.output import (
    Output,
    console,
    fail,
    load_settings,
    run_command,
    show_json,
    show_rows,
)
from workers.cli.platform import acting_person
from workers.context import worker_context
from workers.dead_letter_office import DeadLetter, dead_letters, replay

app = typer.Typer(
    no_args_is_help=True, help="Records that workers rejected, and putting them back."
)

OutputOption = Annotated[Output, typer.Option("--output", "-o", help="table or json")]
_ID = "WORKER:PARTITION:OFFSET, as `revops dlq list` shows it."
WorkerOption = Annotated[str | None, typer.Option("--worker", help="Only this worker's.")]


@app.command("list")
def list_letters(
    worker: WorkerOption = None,
    replayed: Annotated[bool, typer.Option(help="Also those already put back.")] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Lists dead letters: where each came from and why it was rejected."""
    found = run_command(lambda: _gather(_workers(worker), replayed))
    rows = [_row(one) for one in found]
    show_rows(rows, ("id", "at", "topic", "reason", "field", "detail", "attempts"), output)
    if output is Output.TABLE and not rows:
        console.print("No dead letters.")


@app.command()
def show(identity: Annotated[str, typer.Argument(metavar="ID", help=_ID)]) -> None:
    """Shows one dead letter whole, as JSON."""
    one = _one(identity)
    body = (one.value or b"").decode("utf-8", "replace")
    show_json(_row(one) | {"key": (one.key or b"").decode("utf-8", "replace"), "value": body})


@app.command("replay")
def replay_letters(
    identities: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help=_ID)] = None,
    worker: WorkerOption = None,
    everything: Annotated[bool, typer.Option("--all", help="All of the worker's.")] = False,
) -> None:
    """Puts dead letters back on the topics they came from; do so after mending the cause."""
    if bool(identities) == everything:
        fail("name the dead letters, or say --all (with --worker NAME for one worker's)", code=2)

    async def work() -> int:
        settings = load_settings()
        async with worker_context("cli", settings, wait=False) as context:
            names = (
                _workers(worker) if everything else {one.split(":")[0] for one in identities or ()}
            )
            found = [one for name in sorted(names) for one in await dead_letters(context, name)]
            chosen = [one for one in found if everything or one.identity in (identities or ())]
            missing = set(identities or ()) - {one.identity for one in chosen}
            if missing:
                fail(f"no such dead letter, or already put back: {', '.join(sorted(missing))}")
            actor = acting_person()
            try:
                return await replay(context, chosen, actor=actor)
            except ValueError as problem:
                fail(str(problem))

    console.print(f"{run_command(work)} put back.")


async def _gather(workers: tuple[str, ...], with_replayed: bool) -> list[DeadLetter]:
    async with worker_context("cli", load_settings(), wait=False) as context:
        return [
            one
            for name in workers
            for one in await dead_letters(context, name, with_replayed=with_replayed)
        ]


def _one(identity: str) -> DeadLetter:
    worker = identity.split(":", maxsplit=1)[0]
    found = run_command(lambda: _gather(_workers(worker), True))
    for one in found:
        if one.identity == identity:
            return one
    fail(f"no dead letter {identity}; `revops dlq list` names them")


def _workers(worker: str | None) -> tuple[str, ...]:
    if worker is None:
        return WORKERS
    if worker not in WORKERS:
        fail(f"no worker {worker!r}; there are {', '.join(WORKERS)}", code=2)
    return (worker,)


def _row(one: DeadLetter) -> dict[str, Any]:
    names = ("at", "topic", "partition", "offset", "reason", "field", "detail", "attempts")
    return {"id": one.identity, "replayed": one.replayed} | {
        name: one.about(name) for name in names
    }
