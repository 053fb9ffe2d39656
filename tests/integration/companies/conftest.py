"""A database of its own, fed through the normalise processor, with the companies worker on it."""

from __future__ import annotations

import pytest

from tests.integration.companies.company_bench import CompanyBench
from tests.integration.normalise.bench import NormaliseBench
from tests.integration.normalise.conftest import bench, database, template
from tests.platform import PlatformDatabase
from tests.stack import RunningStack

__all__ = ["bench", "database", "template"]


@pytest.fixture
def companies(stack: RunningStack, database: str, bench: NormaliseBench) -> CompanyBench:
    return CompanyBench(bench, PlatformDatabase(stack, database, bench.pool))
