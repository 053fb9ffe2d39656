"""Which waiting texts make up the next batch of the encoder (EMB-5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

CHARACTERS_PER_TOKEN = 3
"""Errs high for Latin script and low for CJK; what bounds memory is the encoder's own count."""

SPECIAL_TOKENS = 2


@dataclass(frozen=True, slots=True)
class BatchingPolicy:
    """When a batch is full, and how long it may wait to become so.

    `token_budget` bounds texts x longest text, which is what a padded batch costs in memory, so that
    long texts shrink the batch (X-15).
    """

    most_texts: int = 32
    token_budget: int = 16_384
    linger_seconds: float = 0.050


@dataclass(frozen=True, slots=True)
class WaitingText:
    """A text in the queue: how long it probably is, and since when it waits (seconds)."""

    tokens: int
    waiting_since: float


@dataclass(frozen=True, slots=True)
class Batch:
    """Encode these now: indices into the queue, shortest text first."""

    members: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class WaitUntil:
    """Not yet: more may come until this moment (seconds); None when nothing waits."""

    moment: float | None


def next_batch(
    waiting: Sequence[WaitingText], now: float, policy: BatchingPolicy
) -> Batch | WaitUntil:
    """The batch that is due at `now`, or until when to wait for one.

    The oldest text is always in, so none starves; the others join in order of arrival as far as
    there is room. A batch is due when it is full, when a text found no room in it, or when its
    oldest text has lingered. A text over the budget by itself is a batch by itself.
    """
    if not waiting:
        return WaitUntil(None)
    queue = sorted(range(len(waiting)), key=lambda index: (waiting[index].waiting_since, index))
    members: list[int] = []
    longest = 0
    overflowed = False
    for index in queue:
        if len(members) == policy.most_texts:
            break
        longest_with = max(longest, waiting[index].tokens)
        if members and (len(members) + 1) * longest_with > policy.token_budget:
            overflowed = True
            continue
        members.append(index)
        longest = longest_with
    full = len(members) == policy.most_texts or longest >= policy.token_budget
    deadline = waiting[queue[0]].waiting_since + policy.linger_seconds
    if full or overflowed or now >= deadline:
        return Batch(tuple(sorted(members, key=lambda index: (waiting[index].tokens, index))))
    return WaitUntil(deadline)


def estimated_tokens(text: str, most_tokens: int) -> int:
    """About how many tokens the encoder will read of `text`."""
    return min(len(text) // CHARACTERS_PER_TOKEN + SPECIAL_TOKENS, most_tokens)
