"""The whole platform with every worker on a stack of its own, over sample sources."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from deploy.local.identity import ProcessIdentity
from deploy.local.stack import LocalStack
from deploy.sample.generate import SampleWorld
from deploy.sample.load import create_sources
from tests.stack import own_stack
from workers.local_platform import LocalPlatform
from workers.settings import Settings

TENANT, PACK = "home", "pod"
DATABASES = ("odoo", "apn")


@asynccontextmanager
async def started_platform(world: SampleWorld) -> AsyncIterator[LocalStack]:
    """The platform right after its workers started: nothing of the sources is read yet.

    The environment names it meanwhile, so that `Settings.load()` gives its settings.
    """
    before = dict(os.environ)
    try:
        with own_stack() as stack:
            await asyncio.to_thread(stack.up_infrastructure, owner=ProcessIdentity.own())
            os.environ["REVOPS_LOCAL__DATA_DIR"] = str(stack.settings.data_dir)
            os.environ["REVOPS_LOCAL__PORT_BASE"] = str(stack.settings.port_base)
            platform = LocalPlatform(stack)
            await asyncio.to_thread(platform.start)
            await create_sources(
                stack.postgres_dsn("postgres"),
                odoo_database=DATABASES[0],
                apn_database=DATABASES[1],
                world=world,
            )
            sources = {(TENANT, name): name for name in DATABASES}
            await asyncio.to_thread(platform.use_local_sources, sources)
            left = await asyncio.to_thread(platform.apply_and_start_workers)
            if left:
                raise RuntimeError("\n".join(left))
            yield stack
    finally:
        os.environ.clear()
        os.environ.update(before)


def platform_settings() -> Settings:
    """The settings of the platform that is started."""
    return Settings.load()
