"""One platform for all tests of this folder.

Two tenants of one pack, one of another pack, and one with a real Odoo's rows where they are there.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.sample.csp import CspWorld
from deploy.sample.generate import SampleWorld
from deploy.sample.load import create_databases
from tests.e2e.real_odoo import REAL_ODOO, create_real_sources, real_tenant
from tests.e2e.worlds import AS_OF, neighbouring_worlds
from tests.stack import own_stack
from tests.whole_platform import WholePlatform

collect_ignore = [] if REAL_ODOO.is_dir() else ["test_real_odoo.py"]

HOME, SECOND, HARBOUR, REAL = "home", "second", "harbour", "real"
SHIPPED = Path(__file__).parents[2] / "deploy" / "sample" / "config" / "tenants" / "harbour.yaml"


@pytest.fixture(scope="session")
def worlds() -> Mapping[str, SampleWorld]:
    """What the sources of the first two tenants hold."""
    return neighbouring_worlds((HOME, SECOND))


@pytest.fixture(scope="session")
def reseller() -> CspWorld:
    """What the sources of the other pack's tenant hold."""
    return CspWorld.build(7, AS_OF, background=12)


@pytest.fixture(scope="session")
async def running(
    worlds: Mapping[str, SampleWorld],
    reseller: CspWorld,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[WholePlatform]:
    """The platform with every worker, when it has worked through all that the sources hold."""
    configuration = tmp_path_factory.mktemp("configuration")
    tenants = described_tenants()
    write_tenant_files(configuration, tenants)
    databases = {
        (tenant, source): f"{source}_{tenant}"
        for tenant, described in tenants.items()
        for source in described["sources"]
    }
    with own_stack() as stack:
        platform = WholePlatform(stack, databases, AS_OF, configuration)
        with platform.settings():
            await platform.start()
            for tenant, world in {**worlds, HARBOUR: reseller}.items():
                contents = {databases[tenant, name]: one for name, one in world.sources.items()}
                await create_databases(stack.postgres_dsn("postgres"), contents)
            if REAL in tenants:
                create_real_sources(stack, databases[REAL, "odoo"], databases[REAL, "apn"])
            await platform.capture()
        yield platform


@pytest.fixture
def platform(running: WholePlatform) -> Iterator[WholePlatform]:
    """The running platform, which the settings of this process name meanwhile."""
    with running.settings():
        yield running


def described_tenants() -> dict[str, dict[str, Any]]:
    """What the tenant files say, but for how and where the sources are captured."""
    described = {HOME: sample_tenant(), SECOND: sample_tenant()}
    described[HARBOUR] = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))
    if REAL_ODOO.is_dir():
        described[REAL] = real_tenant()
    return described


def write_tenant_files(configuration: Path, tenants: Mapping[str, dict[str, Any]]) -> None:
    """A file for each tenant; one of them is captured by polling."""
    folder = configuration / "tenants"
    folder.mkdir()
    for tenant, described in tenants.items():
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
