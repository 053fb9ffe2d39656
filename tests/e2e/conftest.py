"""One platform for all tests of this folder: two tenants, and a third with a real Odoo's rows."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.sample.generate import SampleWorld
from deploy.sample.load import create_sources
from tests.e2e.real_odoo import REAL_ODOO, create_real_sources, real_tenant
from tests.e2e.worlds import AS_OF, neighbouring_worlds
from tests.stack import own_stack
from tests.whole_platform import WholePlatform

collect_ignore = [] if REAL_ODOO.is_dir() else ["test_real_odoo.py"]

HOME, SECOND, REAL = "home", "second", "real"


@pytest.fixture(scope="session")
def worlds() -> Mapping[str, SampleWorld]:
    """What the sources of the first two tenants hold."""
    return neighbouring_worlds((HOME, SECOND))


@pytest.fixture(scope="session")
async def running(
    worlds: Mapping[str, SampleWorld], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[WholePlatform]:
    """The platform with every worker, when it has worked through all that the sources hold."""
    configuration = tmp_path_factory.mktemp("configuration")
    tenants = [*worlds, *([REAL] if REAL_ODOO.is_dir() else [])]
    write_tenant_files(configuration, tenants)
    databases = {
        (tenant, source): f"{source}_{tenant}" for tenant in tenants for source in ("odoo", "apn")
    }
    with own_stack() as stack:
        platform = WholePlatform(stack, databases, AS_OF, configuration)
        with platform.settings():
            await platform.start()
            for tenant, world in worlds.items():
                await create_sources(
                    stack.postgres_dsn("postgres"),
                    odoo_database=databases[tenant, "odoo"],
                    apn_database=databases[tenant, "apn"],
                    world=world,
                )
            if REAL in tenants:
                create_real_sources(stack, databases[REAL, "odoo"], databases[REAL, "apn"])
            await platform.capture()
        yield platform


@pytest.fixture
def platform(running: WholePlatform) -> Iterator[WholePlatform]:
    """The running platform, which the settings of this process name meanwhile."""
    with running.settings():
        yield running


def write_tenant_files(configuration: Path, tenants: list[str]) -> None:
    """A file for each tenant; one of them is captured by polling."""
    folder = configuration / "tenants"
    folder.mkdir()
    for tenant in tenants:
        described = real_tenant() if tenant == REAL else sample_tenant()
        described["tenant"] = tenant
        for source, settings in described["sources"].items():
            settings["capture"] = "poll" if tenant == SECOND else "debezium"
            settings["dsn_variable"] = f"REVOPS_SOURCE_{tenant}_{source}_DSN".upper()
        (folder / f"{tenant}.yaml").write_text(yaml.safe_dump(described), encoding="utf-8")


def sample_tenant() -> dict[str, Any]:
    return {
        "sources": {"odoo": {}, "apn": {}},
        "packs": {"pod": {"rules": {"partner_domains": ["@lanternworks.example"]}}},
    }
