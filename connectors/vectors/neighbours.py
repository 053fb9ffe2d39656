"""The neighbours of a record in a vector index, and the cosines to any other records."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from connectors.vectors.port import (
    KINDS,
    DenseQuery,
    FloatArray,
    HeldVectors,
    RecordKey,
    Scope,
    VectorIndex,
)

Cosines = tuple[float | None, float | None]
"""Cosine of the identity texts and of the context texts; None where one side has no such text."""


@dataclass(slots=True)
class Neighbourhood:
    """What the index says around one record. `hits` are ids of near records of the other side."""

    index: VectorIndex | None
    side: str
    own: HeldVectors | None
    hits: frozenset[str] = frozenset()

    @classmethod
    def none(cls) -> Neighbourhood:
        """Of a record without vectors, or where no index is in use."""
        return cls(None, "", None)

    async def evidence(self, ids: Sequence[str]) -> dict[str, Cosines]:
        """Cosines between the record and others by id; those without vectors are left out."""
        if self.index is None or self.own is None or not ids:
            return {}
        own = self.own
        keys = [RecordKey(own.key.tenant, own.key.pack, self.side, one) for one in ids]
        held = await self.index.vectors_of(keys)
        return {
            key.id: (
                _cosine(own.identity, vectors.identity),
                _cosine(own.context, vectors.context),
            )
            for key, vectors in held.items()
        }


async def neighbourhood(
    index: VectorIndex, key: RecordKey, other_side: str, *, top_k: int, least_cosine: float
) -> Neighbourhood:
    """The record's vectors, and the ids of the `top_k` nearest of each kind on the other side.

    Raises Retryable while the index is away.
    """
    own: Mapping[RecordKey, HeldVectors] = await index.vectors_of([key])
    if key not in own:
        return Neighbourhood.none()
    scope = Scope(key.tenant, key.pack, other_side)
    vectors = {"identity": own[key].identity, "context": own[key].context}
    rankings = await asyncio.gather(
        *(
            index.search(scope, DenseQuery(kind, vector), top_k)
            for kind in KINDS
            if (vector := vectors[kind]) is not None
        )
    )
    found = {hit.key.id for hits in rankings for hit in hits if hit.score >= least_cosine}
    return Neighbourhood(index, other_side, own[key], frozenset(found))


def _cosine(left: FloatArray | None, right: FloatArray | None) -> float | None:
    return None if left is None or right is None else float(left @ right)
