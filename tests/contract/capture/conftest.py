"""The contract runs on real sources: the fixtures are those of the integration tests."""

from tests.integration.capture.conftest import capture_platform, new_bench

__all__ = ["capture_platform", "new_bench"]
