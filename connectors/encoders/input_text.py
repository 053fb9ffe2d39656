"""What a tokenizer gets to see of a text: bounded, and free of what cannot be UTF-8."""

from __future__ import annotations

CHARACTERS_PER_TOKEN = 64
"""A text is cut to this many characters a token before tokenising: it bounds time, not meaning."""


def tokenizer_input(text: str, max_tokens: int) -> tuple[str, bool]:
    """The part of `text` worth tokenising for `max_tokens`, and whether anything was cut off.

    Lone surrogates, which JSON can carry and UTF-8 cannot, become question marks.
    """
    limit = max_tokens * CHARACTERS_PER_TOKEN
    bounded = text[:limit]
    return bounded.encode("utf-8", errors="replace").decode("utf-8"), len(text) > limit
