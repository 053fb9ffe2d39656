"""Signatures of webhooks by the Standard Webhooks specification, version v1 (HMAC-SHA256)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from datetime import datetime

PREFIX = "whsec_"
LEAST_BYTES, MOST_BYTES = 24, 64


class SecretError(ValueError):
    """A secret cannot sign; the message says what one looks like, never what it is."""


def read_secrets(text: str) -> tuple[bytes, ...]:
    """The keys of a list of secrets, separated by white space, the newest first.

    While a key is being changed both are there, and every message carries a signature of each. Raises
    SecretError.
    """
    keys = tuple(_key(one) for one in text.split())
    if not keys:
        raise SecretError("no secret is given; `revops actions secret` makes one")
    return keys


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error as problem:
        raise SecretError(f"a secret is {PREFIX} and base64; this one is not") from problem
    if not secret.startswith(PREFIX) or not LEAST_BYTES <= len(key) <= MOST_BYTES:
        raise SecretError(
            f"a secret is {PREFIX} and base64 of {LEAST_BYTES} to {MOST_BYTES} bytes; "
            "`revops actions secret` makes one"
        )
    return key


def written_secret(key: bytes) -> str:
    """The secret as both sides keep it."""
    return PREFIX + base64.b64encode(key).decode()


def signed_headers(
    keys: tuple[bytes, ...], message_id: str, at: datetime, body: bytes
) -> dict[str, str]:
    """The headers of one attempt: id, time of the attempt, and a signature of each key."""
    timestamp = str(int(at.timestamp()))
    content = b".".join([message_id.encode(), timestamp.encode(), body])
    signatures = [
        "v1," + base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode() for key in keys
    ]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(signatures),
    }
