"""`revops demo`: the platform, sample sources and a scripted day in the CRM, decisions as they come."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, date, datetime
from typing import Annotated

import typer

from deploy.local.progress import Progress, StepProgress, shown_on
from deploy.local.stack import LocalStack, StackError
from deploy.sample.day import plan_day
from deploy.sample.execute import run_day
from deploy.sample.generate import SampleSize, SampleWorld
from deploy.sample.load import create_sources
from workers.cli.demo_screen import DecisionFeed, Summary, introduction
from workers.cli.output import console, fail
from workers.local import local_stack
from workers.local_platform import LocalPlatform
from workers.settings import Settings

app = typer.Typer(add_completion=False)

_MARK = "demo"
_TENANT, _PACK = "home", "pod"
_SETTLED_SECONDS = 4.0
_LONGEST_WAIT_SECONDS = 300.0


@app.command()
def demo(
    exit_: Annotated[bool, typer.Option("--exit", help="Stop the stack at the end.")] = False,
    seed: Annotated[int, typer.Option(help="Another seed is another company and day.")] = 7,
    pace: Annotated[float, typer.Option(min=0.1, help="2 plays the day twice as fast.")] = 1.0,
) -> None:
    """Starts everything, plays a day in the CRM and shows each decision with its reason."""
    stack = local_stack()
    started = time.monotonic()
    try:
        _begin_anew(stack)
        world = SampleWorld.build(seed, _today(), SampleSize())
        with shown_on(console) as progress:
            platform = LocalPlatform(stack)
            platform.start(progress)
            _load(stack, world, progress)
            platform.use_local_sources({(_TENANT, "odoo"): "odoo", (_TENANT, "apn"): "apn"})
            left = platform.apply_and_start_workers(progress)
        if left:
            fail("\n".join(left))
        asyncio.run(_play(stack, world, seed, pace, started))
    except StackError as problem:
        fail(str(problem))
    finally:
        if exit_:
            with console.status("stopping"):
                stack.down()


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


def _load(stack: LocalStack, world: SampleWorld, progress: Progress) -> None:
    def show(_: str, done: int, total: int) -> None:
        progress(StepProgress("sample", done, total, f"{done:,} rows"))

    asyncio.run(
        create_sources(
            stack.postgres_dsn("postgres"),
            odoo_database="odoo",
            apn_database="apn",
            world=world,
            if_exists="recreate",
            progress=show,
        )
    )


async def _play(
    stack: LocalStack, world: SampleWorld, seed: int, pace: float, started: float
) -> None:
    settings = Settings.load()
    async with DecisionFeed(settings, f"{_PACK}.decision") as feed:
        with console.status("reading the sources; the first decisions are provisional") as status:
            await feed.settle(
                _SETTLED_SECONDS,
                _LONGEST_WAIT_SECONDS,
                lambda: status.update(f"{len(feed.latest)} pairs decided"),
            )
        introduction(feed, started)
        feed.follow(console)
        plan = plan_day(world, seed)
        reports = await run_day(
            stack.postgres_dsn("odoo"), stack.postgres_dsn("apn"), plan, pace=pace
        )
        await feed.settle(_SETTLED_SECONDS, _LONGEST_WAIT_SECONDS)
        console.print(await Summary.of(settings, feed, len(reports), plan))


def _today() -> date:
    return datetime.now(UTC).date()
