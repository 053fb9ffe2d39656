"""A database of its own, fed with billing through the normalise processor."""

from __future__ import annotations

from tests.integration.normalise.conftest import bench, database, template

__all__ = ["bench", "database", "template"]
