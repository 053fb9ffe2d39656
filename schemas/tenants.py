"""What a tenant file says: who the tenant is, where its sources are and how each is captured.

Files lie in `<config directory>/tenants/<tenant>.yaml`. They name environment variables, never hosts,
users or passwords (SAFE-2).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,30}$")]
"""A tenant, source or pack: it becomes part of topic, slot and connector names."""

VariableName = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]*$")]
Role = Literal["reviewer", "lead"]
SqlName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_$]{0,62}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CaptureMode(StrEnum):
    """How changes of a source are captured (STR-11)."""

    DEBEZIUM = "debezium"
    """From the write-ahead log, through Kafka Connect: needs a role with REPLICATION."""

    POLL = "poll"
    """By polling row versions: needs SELECT alone, sees a deletion a little later."""


class Source(_Strict):
    """One source database of a tenant.

    `dsn_variable` names the environment variable with `postgresql://role:password@host:port/database`
    of the capture role. Where the connector reaches the database under another address than we do,
    `connect_dsn_variable` names its own. `connect_password`, such as `${env:CRM_PASSWORD}`, is resolved
    by Kafka Connect itself, so that the password is not kept in the connector's configuration.
    """

    capture: CaptureMode
    dsn_variable: VariableName
    connect_dsn_variable: VariableName | None = None
    connect_password: str | None = None
    db_schema: SqlName = Field(default="public", alias="schema")
    tables: tuple[SqlName, ...] = ()
    without: dict[SqlName, frozenset[SqlName]] = Field(default_factory=dict)
    publication: SqlName = "revops_capture"
    connector: dict[str, str] = Field(
        default_factory=dict, description="Further settings of the Debezium connector."
    )

    @model_validator(mode="after")
    def _tables_are_named_once(self) -> Self:
        twice = sorted({name for name in self.tables if self.tables.count(name) > 1})
        if twice:
            raise ValueError(f"tables named twice: {', '.join(twice)}")
        return self


class PackChoice(_Strict):
    """A pack that the tenant uses, with what it sets otherwise than the pack's files do."""

    rules: dict[str, Any] = Field(default_factory=dict, description="Rule parameters (CFG-1..3).")
    mapping: dict[str, Any] = Field(default_factory=dict, description="Field mapping (CFG-9).")
    spend: dict[str, Any] = Field(
        default_factory=dict, description="How spend is watched; products' names (BILL-6)."
    )


class Webhook(_Strict):
    """An address that is told by Standard Webhooks.

    Both variables are named, never their values. `secrets_variable` may hold several secrets, the newest
    first: every message is signed with each while a key is being changed.
    """

    url_variable: VariableName
    secrets_variable: VariableName
    events: tuple[str, ...] = ("decision.*", "review.*")
    packs: tuple[Name, ...] = Field(default=(), description="Empty means all.")


class Mail(_Strict):
    """People who are told by e-mail; `to_variable` holds their addresses, separated by commas."""

    to_variable: VariableName
    events: tuple[str, ...] = ("review.breached", "review.warned", "review.proposed")
    digest_hours: int | None = Field(
        default=None, ge=1, le=24 * 31, description="Also a report, after each so many hours (UTC)."
    )
    packs: tuple[Name, ...] = Field(default=(), description="Empty means all.")


class Actions(_Strict):
    """What is done about decisions and reviews; nothing, unless it is named here (ACT-4)."""

    webhooks: dict[Name, Webhook] = Field(default_factory=dict[Name, Webhook])
    mail: dict[Name, Mail] = Field(default_factory=dict[Name, Mail])
    drafts: bool = Field(
        default=False, description="A file for each approved pair, for a person to send."
    )

    @model_validator(mode="after")
    def _names_are_of_one_target(self) -> Self:
        twice = sorted(self.webhooks.keys() & self.mail.keys())
        if twice:
            raise ValueError(f"a webhook and a mail of one name: {', '.join(twice)}")
        return self


class Tenant(_Strict):
    """One tenant of the platform."""

    tenant: Name
    title: str = ""
    sources: dict[Name, Source] = Field(min_length=1)
    packs: dict[Name, PackChoice] = Field(default_factory=dict)
    people: dict[Role, frozenset[str]] = Field(
        default_factory=dict[Role, frozenset[str]],
        description="Who answers reviews; `*` is everybody (WF-3, WF-5).",
    )
    actions: Actions = Field(default_factory=Actions)

    def with_tables(self, declared: Mapping[str, Mapping[str, Sequence[str]]]) -> Tenant:
        """The tenant with every source's tables named; `declared` is pack -> source -> tables.

        Raises ValueError for a source whose tables neither the file nor a pack names.
        """
        sources = {name: self._with_tables(name, declared) for name in self.sources}
        return self.model_copy(update={"sources": sources})

    def _with_tables(
        self, name: str, declared: Mapping[str, Mapping[str, Sequence[str]]]
    ) -> Source:
        source = self.sources[name]
        if source.tables:
            return source
        tables: dict[str, None] = {}
        for pack in self.packs:
            tables.update(dict.fromkeys(declared.get(pack, {}).get(name, ())))
        if not tables:
            raise ValueError(
                f"source {name} of tenant {self.tenant}: none of its packs "
                f"({', '.join(self.packs) or 'it has none'}) declares tables of a source of this "
                "name; name them in the tenant file under `tables`"
            )
        return source.model_copy(update={"tables": tuple(tables)})


def captured_tables(tenants: Iterable[Tenant]) -> dict[str, tuple[str, ...]]:
    """The captured tables of each source name, over all tenants: what topics must exist (STR-1)."""
    found: dict[str, dict[str, None]] = {}
    for tenant in tenants:
        for name, source in tenant.sources.items():
            found.setdefault(name, {}).update(dict.fromkeys(source.tables))
    return {name: tuple(tables) for name, tables in found.items()}
