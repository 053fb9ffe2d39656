"""The default sample world, built once for all tests of this folder."""

from datetime import date

import pytest

from deploy.sample.expected import Judge
from deploy.sample.generate import SampleWorld


@pytest.fixture(scope="session")
def world() -> SampleWorld:
    return SampleWorld.build(seed=7, as_of=date(2026, 11, 20))


@pytest.fixture(scope="session")
def judge(world: SampleWorld) -> Judge:
    return Judge(world.odoo, world.apn, world.as_of)
