"""The vector index port: versioned points in, filtered neighbours out (design.md section 5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol
from uuid import UUID, uuid5

import numpy as np
from numpy.typing import NDArray

Kind = Literal["identity", "context"]
KINDS: tuple[Kind, ...] = ("identity", "context")

FloatArray = NDArray[np.float32]
SparseWeights = Mapping[int, float]
"""Weight by token id."""

_POINT_NAMESPACE = UUID("6f6f1f6e-0f0a-5d0c-9d1e-6a6a1f0b7c52")

RANK_CONSTANT = 60
"""k of reciprocal rank fusion (Cormack, Clarke and Buettcher, SIGIR 2009)."""


@dataclass(frozen=True, slots=True, order=True)
class RecordKey:
    """What a point stands for: one record of one side of a pack of a tenant."""

    tenant: str
    pack: str
    side: str
    id: str

    @property
    def point_id(self) -> UUID:
        """The record's point in every index, for good (EMB-8)."""
        parts = (self.tenant, self.pack, self.side, self.id)
        return uuid5(_POINT_NAMESPACE, "".join(f"{len(part)}:{part}" for part in parts))


@dataclass(frozen=True, slots=True)
class Scope:
    """Where to look: one tenant, pack and side (EMB-10); where `is_open` is given, only such."""

    tenant: str
    pack: str
    side: str
    is_open: bool | None = None


@dataclass(frozen=True, slots=True, eq=False)
class TextVectors:
    """The vectors of one text and the hash of that text (EMB-6)."""

    text_hash: str
    dense: FloatArray
    sparse: SparseWeights | None = None


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The index already holds the vectors of this text; they were not computed again (EMB-6)."""

    text_hash: str


@dataclass(frozen=True, slots=True, eq=False)
class VectorPoint:
    """One record as the index is to hold it; replaces the whole point.

    None for a kind means that the record has no such text. `payload` is small JSON that search
    results carry along (normalised name and domain, expected close ...).
    """

    key: RecordKey
    version: int
    is_open: bool
    identity: TextVectors | Unchanged | None = None
    context: TextVectors | Unchanged | None = None
    payload: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def text(self, kind: Kind) -> TextVectors | Unchanged | None:
        return self.identity if kind == "identity" else self.context


@dataclass(frozen=True, slots=True)
class Stored:
    """The index holds this version of the record, or a newer one written meanwhile."""

    key: RecordKey
    version: int


@dataclass(frozen=True, slots=True)
class Stale:
    """Nothing was written: the index holds something newer, or the record's deletion."""

    key: RecordKey
    version: int
    held_version: int
    held_deleted: bool


@dataclass(frozen=True, slots=True)
class RejectedVector:
    """The point must not be stored, and was not (EMB-7). A dead letter for its record alone.

    `reason` is `wrong_dimension`, `not_finite`, `not_normalised`, `bad_sparse`, `bad_key` or
    `bad_payload`.
    """

    key: RecordKey
    reason: str
    field: str
    detail: str


@dataclass(frozen=True, slots=True)
class MissingText:
    """The point leaned on vectors that the index does not hold: encode these kinds and try again."""

    key: RecordKey
    kinds: tuple[Kind, ...]


UpsertOutcome = Stored | Stale | RejectedVector | MissingText


@dataclass(frozen=True, slots=True)
class Deletion:
    """A record is gone as of `version`; no earlier version comes back."""

    key: RecordKey
    version: int


@dataclass(frozen=True, slots=True)
class HeldPoint:
    """What the index knows of a record beside the vectors; `deleted` leaves the version only."""

    key: RecordKey
    version: int
    deleted: bool
    identity_hash: str | None
    context_hash: str | None

    def text_hash(self, kind: Kind) -> str | None:
        return self.identity_hash if kind == "identity" else self.context_hash


@dataclass(frozen=True, slots=True, eq=False)
class HeldVectors:
    """The vectors of a record, as the index holds them; None where it has no such text or head."""

    key: RecordKey
    version: int
    identity: FloatArray | None
    context: FloatArray | None
    identity_sparse: SparseWeights | None
    context_sparse: SparseWeights | None


@dataclass(frozen=True, slots=True, eq=False)
class DenseQuery:
    """Neighbours by the cosine of dense vectors; scores lie in [-1, 1]."""

    kind: Kind
    vector: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class SparseQuery:
    """Neighbours by the inner product of token weights; only records that share a token."""

    kind: Kind
    weights: SparseWeights


@dataclass(frozen=True, slots=True)
class FusedQuery:
    """Several searches as one by reciprocal rank fusion.

    A record's score is the sum, over the branches that found it, of 1 / (RANK_CONSTANT + rank), the
    best rank being 0. Each branch looks `depth` deep, or as deep as what is asked for.
    """

    branches: tuple[DenseQuery | SparseQuery, ...]
    depth: int = 50


Query = DenseQuery | SparseQuery | FusedQuery


@dataclass(frozen=True, slots=True)
class Hit:
    """One record found; higher scores are nearer."""

    key: RecordKey
    score: float
    version: int
    payload: Mapping[str, Any]


class VectorIndex(Protocol):
    """Holds the vectors of records, one collection per model (EMB-8).

    Guarantees of every implementation, shown by `tests/contract/vectors`: an older version never
    overwrites a newer one; a late write never revives a deleted record; an equal version is written
    again; nothing unfit for search is stored; a search sees one tenant, pack and side only. An index
    that is away raises `Retryable`.
    """

    async def ensure(
        self, model_id: str, dimension: int, *, vocabulary_size: int | None = None
    ) -> None:
        """Make the model's collection where it is missing, and use it from now on.

        `vocabulary_size` bounds the token ids of the sparse head; None makes a collection without
        sparse search. Raises `IndexMisconfigured` with what to do about it.
        """
        ...

    @property
    def collection(self) -> str:
        """Name of the collection in use; it carries the model id."""
        ...

    @property
    def supports_sparse(self) -> bool:
        """Whether the collection in use takes sparse weights and sparse queries."""
        ...

    async def upsert(self, points: Sequence[VectorPoint]) -> list[UpsertOutcome]:
        """What became of each point, in order. One bad point does not hold up the others."""
        ...

    async def delete(self, deletions: Sequence[Deletion]) -> list[Stored | Stale]:
        """Take records out and remember at which version; also of records never seen."""
        ...

    async def search(self, scope: Scope, query: Query, top_k: int) -> list[Hit]:
        """The nearest records, best first, equal scores by id. ValueError for an unfit query."""
        ...

    async def count(self, scope: Scope) -> int:
        """Records within the scope that are not deleted."""
        ...

    async def held(self, keys: Sequence[RecordKey]) -> dict[RecordKey, HeldPoint]:
        """Versions and text hashes of records, deleted ones too; unknown ones are left out."""
        ...

    async def vectors_of(self, keys: Sequence[RecordKey]) -> dict[RecordKey, HeldVectors]:
        """The vectors of records; deleted and unknown ones are left out."""
        ...

    async def maintain(self) -> list[str]:
        """Bring search structures up to what is held; returns what was done. Call now and then."""
        ...

    async def close(self) -> None: ...


class IndexMisconfigured(Exception):  # noqa: N818 - reads as what is the matter
    """The index can be reached but not used as configured; the message names the mend."""
