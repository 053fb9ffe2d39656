"""The life of rule versions: found by name, activated, rolled back, asked again (CFG-7, CFG-8, WF-9)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from connectors.postgres.decisions import open_pairs
from connectors.postgres.dirty import mark_dirty
from connectors.postgres.outbox import message
from connectors.postgres.pool import Pool, connection, transaction
from connectors.postgres.rule_versions import active_version, read_version
from schemas.events import AuditRecorded
from schemas.pair_inputs import PairKey
from schemas.topics import AUDIT_EVENT
from streams.decide.rule_files import EffectiveRules, effective_rules, rules_from_body
from workers.context import WorkerContext
from workers.decide_touches import dirty_pair
from workers.rule_cache import activate, file_rules, pack_document, tenant_rules
from workers.tenants import load_tenants

ACTIVE = "active"


class UnknownRules(LookupError):  # noqa: N818 - it tells the person what there is
    """Nothing is known under the name that a person gave."""


@dataclass(frozen=True, slots=True)
class Desk:
    """Whose rules are worked on, and where the files are."""

    directory: Path
    tenant: str
    pack: str

    def configured(self) -> EffectiveRules:
        """What the tenant's files say now. Raises RulesRefusedError and RuleFileError."""
        tenants = load_tenants(self.directory)
        known = tenants.get(self.tenant)
        choices: Mapping[str, Any] = {}
        if known is not None and self.pack in known.packs:
            choices = known.packs[self.pack].rules
        return tenant_rules(self.directory, self.tenant, self.pack, choices)

    def file(self, path: Path) -> EffectiveRules:
        """What a rule file comes to, with all that it extends. Raises UnknownRules."""
        if not path.is_file():
            raise UnknownRules(
                f"'{path}' is neither a file nor a version number, active, configured or pack"
            )
        return file_rules(path, self.pack, self.directory)

    async def named(self, pool: Pool | None, name: str) -> EffectiveRules:
        """Rules by name: `active`, a version number, `pack`, `configured`, or a file.

        `pool` is None for commands without a database. Raises UnknownRules.
        """
        if name == "pack":
            return effective_rules(pack_document(self.pack))
        if name == "configured":
            return self.configured()
        if name == ACTIVE or name.isdecimal():
            if pool is None:
                raise UnknownRules(f"{name!r} needs the database: is REVOPS_DATABASE__DSN set?")
            async with connection(pool) as reading:
                return await self._stored(reading, None if name == ACTIVE else int(name))
        return self.file(Path(name))

    async def _stored(self, reading: Any, version: int | None) -> EffectiveRules:
        if version is None:
            active = await active_version(reading, self.tenant, self.pack)
            if active is None:
                raise UnknownRules(
                    f"{self.tenant} has no active rules of {self.pack} yet: `revops rules activate`"
                )
            version = active.version
        stored = await read_version(reading, self.tenant, self.pack, version)
        if stored is None:
            raise UnknownRules(f"there is no version {version}: see `revops rules versions`")
        return rules_from_body(self.pack, stored.body)

    async def activate(
        self,
        context: WorkerContext,
        effective: EffectiveRules,
        *,
        author: str,
        note: str,
        expected: int | None = None,
    ) -> int:
        """Lets rules judge from now on; every worker reads them in its next transaction.

        Raises RulesRefusedError and VersionConflict.
        """
        async with transaction(context.pool) as writing:
            version = await activate(
                writing,
                context.outbox,
                context.clock,
                tenant=self.tenant,
                effective=effective,
                author=author,
                note=note,
                expected=expected,
            )
        await context.relay.flush()
        return version

    async def roll_back(
        self, context: WorkerContext, version: int, *, author: str, note: str
    ) -> int:
        """Lets the rules of an older version judge again, under a new number. Raises UnknownRules."""
        async with transaction(context.pool) as writing:
            effective = await self._stored(writing, version)
            restored = await activate(
                writing,
                context.outbox,
                context.clock,
                tenant=self.tenant,
                effective=effective,
                author=author,
                note=note or f"back to version {version}",
                restores=version,
            )
        await context.relay.flush()
        return restored

    async def reevaluate(
        self, context: WorkerContext, *, outcome: str | None, author: str, note: str
    ) -> int:
        """Has standing decisions judged again by the active rules; returns how many pairs (WF-9).

        What keeps its day is judged by it; what somebody acted on can only drift.
        """
        async with transaction(context.pool) as writing:
            pairs = await open_pairs(writing, self.tenant, self.pack, outcome)
            marks = [
                dirty_pair(PairKey(self.tenant, self.pack, left, right), f"asked by {author}")
                for left, right in pairs
            ]
            await mark_dirty(writing, "decide", marks)
            now = context.clock.wall()
            event = AuditRecorded(
                tenant=self.tenant,
                pack=self.pack,
                emitted_at=now,
                event_id=str(uuid4()),
                at=now,
                actor=author,
                action="decisions.reevaluated",
                subject=f"rules/{self.pack}",
                reason=note,
                payload={"outcome": outcome, "pairs": len(pairs)},
            )
            await context.outbox.put(writing, [message(AUDIT_EVENT, event, state=False)])
        await context.relay.flush()
        return len(pairs)
