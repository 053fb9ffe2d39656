"""Making transactions overlap: some commit late, after others that began later than they did."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from deploy.sample.transactions import Transaction

LATE_SHARE = 0.12
LATE_BY = (1, 1, 2, 2, 3, 4, 6, 10, 25)
"""How many transactions that begin after a late one commit before it."""
MOST_OPEN_AT_ONCE = 4
"""So many late transactions at most hold a connection at a time."""


def with_late_commits(transactions: Sequence[Transaction], rng: random.Random) -> list[Transaction]:
    """The same transactions, about one in eight of them committing late.

    Nothing that begins after a late one and no later than the one it waits for touches its rows, so
    that transactions which begin in their order can never wait for one another.
    """
    result = list(transactions)
    targets: set[int] = set()
    for late in transactions[:-1]:
        still_open = sum(target >= late.index for target in targets)
        target = late.index + rng.choice(LATE_BY)
        if (
            rng.random() > LATE_SHARE
            or late.index in targets
            or still_open >= MOST_OPEN_AT_ONCE
            or target >= len(result) - 1
        ):
            continue
        meanwhile = transactions[late.index + 1 : target + 1]
        if not any(late.index in transaction.after for transaction in meanwhile):
            result[late.index] = replace(late, commit_after=(target,))
            targets.add(target)
    return result
