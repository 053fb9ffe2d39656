"""What all events share: whose they are, what caused them, and the key of their topic."""

from __future__ import annotations

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from schemas.cdc import canonical_key


class Event(BaseModel):
    """What all events share: whose they are, what caused them and when the source committed that."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    tenant: str
    pack: str
    correlation_id: str = ""
    source_committed_at: AwareDatetime | None = Field(
        default=None, description="Commit time of the newest source change behind this event."
    )
    emitted_at: AwareDatetime

    def key_parts(self) -> dict[str, str]:
        """The fields that make the topic key, beside the tenant."""
        raise KeyError(f"{type(self).__name__} names no key")

    def key(self) -> bytes:
        """Canonical JSON key: sorted key parts, then the tenant (STR-12)."""
        parts = canonical_key(self.key_parts())
        tenant = canonical_key({"_": self.tenant})[5:-1]
        return f'{parts[:-1]}{"," if len(parts) > 2 else ""}"tenant":{tenant}}}'.encode()

    def to_bytes(self) -> bytes:
        return self.model_dump_json().encode()
