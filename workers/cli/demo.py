"""`revops demo`: the platform, sample sources and a scripted day in them, decisions as they come."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Annotated

import typer

from deploy.local.progress import Progress, StepProgress, shown_on
from deploy.local.stack import LocalStack, StackError
from deploy.sample.execute import run_transactions
from deploy.sample.load import create_databases
from deploy.sample.shows import SHOWS, Show, Shown
from workers.cli.demo_screen import DecisionFeed, Summary, introduction, outcome_meanings
from workers.cli.output import console, fail
from workers.local import local_stack, save_environment
from workers.local_platform import LocalPlatform
from workers.settings import Settings
from workers.tenants import load_tenants

app = typer.Typer(add_completion=False)

_MARK = "demo"
_SETTLED_SECONDS = 4.0
_LONGEST_WAIT_SECONDS = 300.0


@app.command()
def demo(
    exit_: Annotated[bool, typer.Option("--exit", help="Stop the stack at the end.")] = False,
    seed: Annotated[int, typer.Option(help="Another seed is another company and day.")] = 7,
    pace: Annotated[float, typer.Option(min=0.1, help="2 plays the day twice as fast.")] = 1.0,
    pack: Annotated[
        list[str] | None,
        typer.Option(help=f"Whose sample: {', '.join(SHOWS)}; several for tenants side by side."),
    ] = None,
) -> None:
    """Starts everything, plays a day in the sources and shows each decision with its reason."""
    shows = _chosen(pack or [next(iter(SHOWS))])
    stack = local_stack()
    started = time.monotonic()
    try:
        _begin_anew(stack)
        shown = {show: show.build(seed, _today()) for show in shows}
        with shown_on(console) as progress:
            platform = LocalPlatform(stack)
            platform.start(progress)
            _configure(stack, shows)
            _load(stack, shown.values(), progress)
            platform.use_local_sources(
                {(show.tenant, name): name for show, one in shown.items() for name in one.sources}
            )
            left = platform.apply_and_start_workers(progress)
        if left:
            fail("\n".join(left))
        asyncio.run(_play(stack, shown, pace, started))
    except StackError as problem:
        fail(str(problem))
    finally:
        if exit_:
            with console.status("stopping"):
                stack.down()


def _chosen(packs: Iterable[str]) -> list[Show]:
    """The samples of these packs, each once."""
    named = list(dict.fromkeys(packs))
    unknown = [name for name in named if name not in SHOWS]
    if unknown:
        fail(f"no sample of {', '.join(unknown)}; there are {', '.join(SHOWS)}", code=2)
    return [SHOWS[name] for name in named]


def _begin_anew(stack: LocalStack) -> None:
    """An earlier demo's data makes room; anybody else's is left alone."""
    folder = stack.settings.data_dir
    if folder.is_dir() and any(folder.iterdir()):
        if not (folder / _MARK).is_file():
            fail(
                f"{folder} holds a stack that is no demo's. Take another folder and other ports: "
                "REVOPS_LOCAL__DATA_DIR=.revops-demo REVOPS_LOCAL__PORT_BASE=31000 revops demo"
            )
        with console.status("ending the earlier demo"):
            stack.erase()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _MARK).write_text("The demo may erase this folder.\n", "utf-8")


def _configure(stack: LocalStack, shows: Iterable[Show]) -> None:
    """The samples' tenants are the platform's, for later commands too.

    Where the configured tenants are just these, they stay what they are.
    """
    configured = load_tenants(Settings.load().config.directory)
    if configured.keys() == {show.tenant for show in shows}:
        return
    folder = stack.settings.data_dir / "config"
    (folder / "tenants").mkdir(parents=True)
    for show in shows:
        shutil.copy(show.tenant_file, folder / "tenants")
    found = {"REVOPS_CONFIG__DIRECTORY": str(folder)}
    save_environment(stack, found)
    os.environ.update(found)


def _load(stack: LocalStack, shown: Iterable[Shown], progress: Progress) -> None:
    def show(_: str, done: int, total: int) -> None:
        progress(StepProgress("sample", done, total, f"{done:,} rows"))

    contents = {name: content for one in shown for name, content in one.sources.items()}
    admin = stack.postgres_dsn("postgres")
    asyncio.run(create_databases(admin, contents, if_exists="recreate", progress=show))


async def _play(
    stack: LocalStack, shown: Mapping[Show, Shown], pace: float, started: float
) -> None:
    settings = Settings.load()
    meanings = outcome_meanings(settings.config.directory)
    async with DecisionFeed(settings, [show.pack for show in shown], meanings) as feed:
        with console.status("reading the sources; the first decisions are provisional") as status:
            await feed.settle(
                _SETTLED_SECONDS,
                _LONGEST_WAIT_SECONDS,
                lambda: status.update(f"{len(feed.latest)} pairs decided"),
            )
        introduction(feed, started)
        feed.follow(console)
        days = await asyncio.gather(*(_run(stack, one, pace) for one in shown.values()))
        await feed.settle(_SETTLED_SECONDS, _LONGEST_WAIT_SECONDS)
        expected = {
            (show.tenant, str(left), right): outcome
            for show, one in shown.items()
            for (left, right), outcome in one.day.outcomes.items()
        }
        console.print(await Summary.of(settings, feed, sum(days), expected))


async def _run(stack: LocalStack, shown: Shown, pace: float) -> int:
    """A sample's day; how many transactions it had."""
    dsns = {name: stack.postgres_dsn(name) for name in shown.sources}
    return len(await run_transactions(dsns, shown.day.transactions, pace=pace))


def _today() -> date:
    return datetime.now(UTC).date()
