"""When two texts give the same vector (EMB-6)."""

from __future__ import annotations

from hashlib import sha256


def text_hash(text: str, instruction: str, model_id: str) -> str:
    """64 hex digits that are equal exactly when text, instruction and model are.

    Each part goes in with its length, so that no two splits of the same characters agree.
    """
    digest = sha256()
    for part in (text, instruction, model_id):
        encoded = part.encode("utf-8")
        digest.update(len(encoded).to_bytes(8, "big"))
        digest.update(encoded)
    return digest.hexdigest()


def instructed(text: str, instruction: str) -> str:
    """What the encoder reads: the instruction, where there is one, then the text (EMB-3, AM-15)."""
    return f"{instruction} {text}" if instruction else text
