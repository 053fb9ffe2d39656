"""The receiver that docs/rules.md shows takes what is genuine and nothing else."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from deploy.local.settings import CHECKOUT
from streams.actions.signatures import read_secrets, signed_headers, written_secret

SECRET, OTHER = written_secret(bytes(range(32))), written_secret(bytes(range(1, 33)))
BODY = b'{"type":"decision.made"}'


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setenv("WEBHOOK_SECRET", SECRET)
    page = (CHECKOUT / "docs" / "rules.md").read_text("utf-8")
    [code] = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names: dict[str, Any] = {"__name__": "receiver"}
    exec(code, names)
    return names


def signed(*secrets: str, at: datetime | None = None) -> dict[str, str]:
    keys = read_secrets(" ".join(secrets))
    return signed_headers(keys, "msg_1", at or datetime.now(UTC), BODY)


def test_the_receiver_of_the_docs_verifies_webhooks(receiver: dict[str, Any]) -> None:
    is_genuine = receiver["is_genuine"]
    assert is_genuine(signed(SECRET), BODY)
    assert is_genuine(signed(OTHER, SECRET), BODY)
    assert not is_genuine(signed(OTHER), BODY)
    assert not is_genuine(signed(SECRET), BODY + b" ")
    assert not is_genuine(signed(SECRET, at=datetime.now(UTC) - timedelta(hours=1)), BODY)
