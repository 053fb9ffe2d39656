"""What a pack says about matching: which records are subjects, and how far to look (MATCH-2, MATCH-3)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, cast

import yaml
from pydantic import BaseModel, ConfigDict, Field

from streams.match.candidates import Prefilter
from streams.match.records import MatchRecord


class MatchingPolicy(BaseModel):
    """`matching.yaml` of a pack.

    `accepts` names, per side, the values that fields must have for a record to be a subject.
    `neighbours` is how many neighbours of each text are asked of the vector index, of which those
    with a cosine of at least `neighbour_cosine` become candidates.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    subject: str = "opportunity"
    accepts: dict[str, dict[str, tuple[str, ...]]] = Field(default_factory=dict)
    external_id_fields: tuple[str, ...] = ("partner_crm_id",)
    account_fields: tuple[str, ...] = ("account_ids",)
    created_apart_at_most_days: int = Field(365, ge=0)
    won_kept_days: int = Field(90, ge=0)
    neighbours: int = Field(50, ge=0, le=500)
    neighbour_cosine: float = Field(0.55, ge=-1, le=1)

    @classmethod
    def parse(cls, text: str) -> MatchingPolicy:
        """The policy of a file's text. Raises pydantic's ValidationError for an invalid one."""
        return cls.model_validate(cast("object", yaml.safe_load(text)))

    @property
    def prefilter(self) -> Prefilter:
        return Prefilter(self.created_apart_at_most_days, self.won_kept_days)

    def admits(self, side: str, fields: Mapping[str, Any]) -> bool:
        """Whether a core record is a subject of matching at all."""
        wanted = self.accepts.get(side, {})
        return all(str(fields.get(name)) in values for name, values in wanted.items())

    def record(
        self, side: str, record_id: str, fields: Mapping[str, Any], partner_domains: Collection[str]
    ) -> MatchRecord:
        """The matcher's view of a core record."""
        return MatchRecord.from_fields(
            side,
            record_id,
            fields,
            partner_domains=partner_domains,
            external_id_fields=self.external_id_fields,
            account_fields=self.account_fields,
        )
