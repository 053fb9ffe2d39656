"""The compiled rules of every version in use, and the effective rules of a tenant's files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from connectors.postgres.outbox import Outbox, message
from connectors.postgres.pool import Connection
from connectors.postgres.rule_versions import activate_version, active_version, read_version
from schemas.events import AuditRecorded, RulesActivated
from schemas.topics import AUDIT_EVENT, CONFIG_RULES
from streams.decide.documents import Document, Reader, parse_document, read_chain
from streams.decide.rule_files import (
    EffectiveRules,
    canonical_json,
    effective_rules,
    pack_rules,
    rules_from_body,
)
from streams.decide.rule_sets import CompiledRules, compile_rules
from streams.packs import load_pack
from workers.runtime.clock import Clock

PLATFORM = "platform"
"""The author of a version that nobody wrote: the pack's own rules, at a tenant's first use."""


class RuleCache:
    """Compiled rules by tenant, pack and version; a version never changes, so it is kept."""

    def __init__(self, outbox: Outbox, clock: Clock) -> None:
        self._outbox = outbox
        self._clock = clock
        self._compiled: dict[tuple[str, str, int], CompiledRules] = {}

    async def rules(
        self, connection: Connection, tenant: str, pack: str, version: int
    ) -> CompiledRules:
        """The rules of a version. Raises LookupError where there is no such version."""
        known = self._compiled.get((tenant, pack, version))
        if known is None:
            stored = await read_version(connection, tenant, pack, version)
            if stored is None:
                raise LookupError(f"{tenant} has no version {version} of the rules of {pack}")
            known = compile_rules(rules_from_body(pack, stored.body))
            self._compiled[tenant, pack, version] = known
        return known

    async def version_in_force(
        self, connection: Connection, tenant: str, pack: str, seen: int | None
    ) -> int:
        """The version that judges; a tenant without one gets the pack's own rules as the first."""
        if seen is not None:
            return seen
        active = await active_version(connection, tenant, pack)
        if active is not None:
            return active.version
        return await activate(
            connection,
            self._outbox,
            self._clock,
            tenant=tenant,
            effective=effective_rules(pack_document(pack)),
            author=PLATFORM,
            note="the pack's own rules",
        )


async def activate(
    connection: Connection,
    outbox: Outbox,
    clock: Clock,
    *,
    tenant: str,
    effective: EffectiveRules,
    author: str,
    note: str = "",
    restores: int | None = None,
    expected: int | None = None,
) -> int:
    """Lets rules judge from this transaction on: stored, published, audited (CFG-7, CFG-8, AUD-5).

    Returns the version; rules equal to the active ones keep theirs. Raises RulesRefusedError for rules
    that do not compile and VersionConflict where another version came in between.
    """
    compile_rules(effective)
    pack = effective.document.pack
    version, is_new = await activate_version(
        connection,
        tenant=tenant,
        pack=pack,
        hash=effective.hash,
        body=effective.body,
        origins=effective.origins(),
        author=author,
        note=note,
        restores=restores,
        expected=expected,
    )
    if not is_new:
        return version
    now = clock.wall()
    activated = RulesActivated(
        tenant=tenant,
        pack=pack,
        emitted_at=now,
        version=version,
        hash=effective.hash,
        author=author,
        note=note,
        restores=restores,
    )
    audited = AuditRecorded(
        tenant=tenant,
        pack=pack,
        emitted_at=now,
        event_id=f"rules/{tenant}/{pack}/{version}",
        at=now,
        actor=author,
        action="rules.rolled_back" if restores else "rules.activated",
        subject=f"rules/{pack}",
        reason=note,
        payload={"version": version, "restores": restores, "body": effective.body},
        rule_set_version=str(version),
        config_hash=effective.hash,
    )
    await outbox.put(
        connection,
        [
            message(CONFIG_RULES, activated, state=True),
            message(AUDIT_EVENT, audited, state=False),
        ],
    )
    return version


def pack_document(pack: str) -> Document:
    """The rules, facts and outcomes that the pack's folder holds, as one document."""
    folder = load_pack(pack)
    rules, facts, outcomes = (
        parse_document(f"packs/{pack}/{name}", folder.file(name))
        for name in ("rules.yaml", "facts.yaml", "outcomes.yaml")
    )
    return pack_rules(rules, facts, outcomes)


def tenant_rules(
    directory: Path, tenant: str, pack: str, choices: Mapping[str, Any] | None = None
) -> EffectiveRules:
    """The effective rules of a tenant: the pack's own, then its rule file, then its tenant file.

    The rule file is `customers/<tenant>/<pack>.yaml` or `customers/<tenant>.yaml`, with all that it
    extends (CFG-2); without one `<pack>_rules.yaml` holds for everybody. `choices` are the rule
    parameters of the tenant file. Raises RulesRefusedError and RuleFileError.
    """
    read = folder_reader(directory)
    names = (f"customers/{tenant}/{pack}.yaml", f"customers/{tenant}.yaml", f"{pack}_rules.yaml")
    overlays: list[Document] = []
    for name in names:
        if (directory / name).is_file():
            overlays = read_chain(name, read)
            break
    if choices:
        overlays.append(_chosen(directory, tenant, pack, choices))
    return effective_rules(pack_document(pack), overlays)


def _chosen(directory: Path, tenant: str, pack: str, choices: Mapping[str, Any]) -> Document:
    """The rule parameters of a tenant file, with their lines and with decimals as they are written."""
    name = f"tenants/{tenant}.yaml"
    path = ("packs", pack, "rules")
    if (directory / name).is_file():
        written = parse_document(name, folder_reader(directory)(name))
        found: Any = written.data
        for part in path:
            found = found.get(part, {}) if isinstance(found, dict) else {}
        origins = {
            ("overrides", *place[3:]): origin
            for place, origin in written.origins.items()
            if place[:3] == path
        }
        return Document(name, {"overrides": found}, origins)
    return Document(name, {"overrides": dict(choices)})


def file_rules(path: Path, pack: str | None, directory: Path) -> EffectiveRules:
    """The effective rules that a file outside or inside the configuration folder comes to."""
    inside = path.resolve().is_relative_to(directory.resolve())
    folder = directory if inside else path.parent
    chain = read_chain(str(path.resolve().relative_to(folder.resolve())), folder_reader(folder))
    named = next((one.data["pack"] for one in reversed(chain) if one.data.get("pack")), None)
    roots = [one.data.get("extends", "") for one in chain]
    based = next(
        (str(one).removeprefix("pack:") for one in roots if str(one).startswith("pack:")), None
    )
    return effective_rules(pack_document(str(pack or named or based or "")), chain)


def folder_reader(directory: Path) -> Reader:
    """Reads files of the configuration folder, and no other: a link that leads out is refused."""
    root = directory.resolve()

    def read(name: str) -> str:
        path = (root / name).resolve()
        if not path.is_relative_to(root) or not path.is_file():
            raise FileNotFoundError(name)
        return path.read_text(encoding="utf-8")

    return read


def same_rules(left: EffectiveRules, right: EffectiveRules) -> bool:
    """Whether two sets of rules judge alike, whatever files they come from."""
    return canonical_json(left.written.data) == canonical_json(right.written.data)
