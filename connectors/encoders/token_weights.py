"""Lexical weights of texts from the weights of their tokens (BGE-M3's sparse head)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from connectors.encoders.port import FloatArray, SparseVector


def weights_by_token(
    rows: Sequence[Sequence[int]], token_weights: FloatArray, unweighted: frozenset[int]
) -> list[SparseVector]:
    """For each row of token ids the largest weight of each token, positive ones only.

    `token_weights` is float32 [rows, width], row by row for the ids and padding behind them;
    `unweighted` ids are left out. One sort for all rows instead of a loop over every token.
    """
    lengths = np.array([len(row) for row in rows], dtype=np.int64)
    tokens = np.concatenate([np.asarray(row, dtype=np.int64) for row in rows])
    owners = np.repeat(np.arange(len(rows)), lengths)
    width = token_weights.shape[1]
    weights = token_weights[np.arange(width)[None, :] < lengths[:, None]]
    counted = (weights > 0) & ~np.isin(tokens, np.fromiter(unweighted, dtype=np.int64))
    tokens, owners, weights = tokens[counted], owners[counted], weights[counted]
    order = np.lexsort((weights, tokens, owners))
    tokens, owners, weights = tokens[order], owners[order], weights[order]
    # The last of each run of one owner and token carries its largest weight.
    last = np.ones(len(tokens), dtype=bool)
    last[:-1] = (tokens[1:] != tokens[:-1]) | (owners[1:] != owners[:-1])
    tokens, owners, weights = tokens[last], owners[last], weights[last]
    ends = np.searchsorted(owners, np.arange(len(rows)), side="right").tolist()
    ids, values = tokens.tolist(), weights.astype(np.float64).tolist()
    starts = [0, *ends[:-1]]
    return [
        dict(zip(ids[start:end], values[start:end], strict=True))
        for start, end in zip(starts, ends, strict=True)
    ]
