"""Signatures, verified by the reference library of the Standard Webhooks specification."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from streams.actions.signatures import SecretError, read_secrets, signed_headers, written_secret

OLD, NEW = written_secret(bytes(range(24))), written_secret(bytes(range(32)))
BODY = b'{"type":"decision.made","data":{"outcome":"auto_approve"}}'


def headers(*secrets: str, at: datetime | None = None) -> dict[str, str]:
    keys = read_secrets(" ".join(secrets))
    return signed_headers(keys, "msg_1", at or datetime.now(UTC), BODY)


@pytest.mark.parametrize("secret", [OLD, NEW])
def test_each_secret_verifies_while_the_key_is_being_changed(secret: str) -> None:
    assert Webhook(secret).verify(BODY, headers(NEW, OLD))["type"] == "decision.made"


def test_a_message_is_refused_with_another_key_body_id_or_time() -> None:
    receiver = Webhook(OLD)
    good = headers(OLD)
    receiver.verify(BODY, good)
    for body, changed in (
        (BODY, headers(NEW)),
        (BODY.replace(b"approve", b"reject"), good),
        (BODY, good | {"webhook-id": "msg_2"}),
        (BODY, headers(OLD, at=datetime(2020, 1, 1, tzinfo=UTC))),
    ):
        with pytest.raises(WebhookVerificationError):
            receiver.verify(body, changed)


@pytest.mark.parametrize("text", ["", "whsec_", "whsec_AAAA", "whsec_!!!", OLD[6:], f"{OLD} x"])
def test_a_secret_that_cannot_sign_is_refused_and_not_told(text: str) -> None:
    with pytest.raises(SecretError) as refused:
        read_secrets(text)
    assert len(text) < 8 or text not in str(refused.value)
