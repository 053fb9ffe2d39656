"""Batches of texts of like length under a budget of padded tokens (EMB-5, X-15)."""

from __future__ import annotations

from collections.abc import Sequence


def length_batches(
    lengths: Sequence[int], *, token_budget: int, most_rows: int, pad_to: int = 1
) -> list[list[int]]:
    """Indices into `lengths`, grouped into batches; longest texts first.

    A batch costs rows x longest row, the longest rounded up to a multiple of `pad_to`; the cost
    stays within `token_budget` and the rows within `most_rows`. A text that is over the budget by
    itself is a batch by itself. Longest first, so that running out of memory shows in the first
    batch and the allocator's blocks fit all later ones.
    """
    order = sorted(range(len(lengths)), key=lambda index: (-lengths[index], index))
    batches: list[list[int]] = []
    width = 0
    for index in order:
        batch = batches[-1] if batches else None
        if (
            batch is not None
            and len(batch) < most_rows
            and (len(batch) + 1) * width <= token_budget
        ):
            batch.append(index)
            continue
        width = padded_length(lengths[index], pad_to)
        batches.append([index])
    return batches


def padded_length(length: int, pad_to: int) -> int:
    """`length` rounded up to a multiple of `pad_to`: few shapes keep kernels and caches warm."""
    return -(-length // pad_to) * pad_to
