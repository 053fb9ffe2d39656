"""What is said of the workers' topics, beside what the workers themselves read."""

from __future__ import annotations

import importlib
import inspect
import shutil
from pathlib import Path

from tests.platform import platform_database
from tests.stack import RunningStack
from workers.embed import EmbedProcessor
from workers.process import DRIVERS, SERVICE
from workers.snapshot_notices import SnapshotNotices
from workers.subscriptions import subscriptions
from workers.tenants import load_tenants

DEPLOY = Path(__file__).parents[3] / "deploy"
TENANTS = ("config/tenants/home.yaml", "sample/config/tenants/harbour.yaml")


async def test_subscriptions_are_what_the_workers_read(stack: RunningStack, tmp_path: Path) -> None:
    (tmp_path / "tenants").mkdir()
    for one in TENANTS:
        shutil.copy(DEPLOY / one, tmp_path / "tenants")
    read = {
        "embed": frozenset(EmbedProcessor.topics),  # built, it would fetch its encoder
        "poll": frozenset(SnapshotNotices.topics),
    }
    async with platform_database(stack, "subscriptions") as database:
        for name in sorted({one for one, kind in DRIVERS.items() if kind != SERVICE} - read.keys()):
            context = database.context(name)
            context.settings.config.directory = tmp_path
            built = importlib.import_module(f"workers.{name}").build(context)
            processor = await built if inspect.isawaitable(built) else built
            read[name] = frozenset(processor.topics)
    told = subscriptions(load_tenants(tmp_path))
    assert len(told["review"]) > 4, "more than one pack is in use"
    assert told == read
