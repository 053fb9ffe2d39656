"""Bringing an installation to what its files declare: tables, topics, rules, connectors.

Every step compares first and changes only what differs, so it may be repeated at any time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from connectors.kafka.topics import Action, TopicChange, apply_changes, broker_topics, difference
from connectors.postgres.migrations import upgrade
from connectors.postgres.pool import transaction
from connectors.postgres.rule_versions import active_version
from deploy.local.progress import Progress, StepProgress, silent
from schemas.tenants import Tenant, captured_tables
from schemas.topics import Topic, catalogue
from workers.capture_control import (
    CapturePlan,
    SourceToCapture,
    apply_captures,
    opened_connect,
    sources_of,
)
from workers.context import WorkerContext, kafka_client_options, worker_context
from workers.normalise import apply_packs
from workers.rule_cache import PLATFORM, activate, tenant_rules
from workers.settings import Settings
from workers.tenants import TenantFileError, load_tenants, packs_in_use


def declared_topics(tenants: Mapping[str, Tenant]) -> tuple[Topic, ...]:
    """Every topic that an installation of these tenants needs."""
    return catalogue(captured_tables(tenants.values()), packs_in_use(tenants.values()))


async def topic_changes(
    settings: Settings, tenants: Mapping[str, Tenant]
) -> tuple[TopicChange, ...]:
    """What must change on the broker. Raises Retryable while it is away."""
    broker = await broker_topics(kafka_client_options(settings.kafka))
    return difference(declared_topics(tenants), broker)


async def apply_topics(settings: Settings, tenants: Mapping[str, Tenant]) -> int:
    """Brings the broker's topics to the catalogue; returns how many differed."""
    changes = [
        one
        for one in await topic_changes(settings, tenants)
        if one.action is not Action.KEEP_PARTITIONS
    ]
    await apply_changes(
        kafka_client_options(settings.kafka),
        changes,
        replication_factor=settings.kafka.replication_factor,
    )
    return len(changes)


async def apply_installation(settings: Settings, progress: Progress = silent) -> list[str]:
    """Everything that workers need is there. Returns what is left for a person to do, in words."""
    tenants = load_tenants(settings.config.directory)
    progress(StepProgress("tables", 0, 1, "migrating"))
    await asyncio.to_thread(upgrade, settings.database.dsn.get_secret_value())
    async with worker_context("apply", settings) as context:
        await apply_packs(context.pool, tenants)
        progress(StepProgress("tables", 1, 1, f"{len(tenants)} tenants"))
        progress(StepProgress("topics", 0, 1, "comparing"))
        changed = await apply_topics(settings, tenants)
        progress(StepProgress("topics", 1, 1, f"{changed} changed"))
        await activate_first_rules(context, tenants)
        left = await _apply_sources(context, tenants, progress)
        await context.relay.flush()  # last: a new topic takes nothing for a second or two
        return left


async def activate_first_rules(context: WorkerContext, tenants: Mapping[str, Tenant]) -> None:
    """Every tenant has rules in force; versions that people activated are left alone (CFG-8)."""
    directory = context.settings.config.directory
    for name, tenant in tenants.items():
        for pack, choice in tenant.packs.items():
            async with transaction(context.pool) as opened:
                if await active_version(opened, name, pack) is None:
                    await activate(
                        opened,
                        context.outbox,
                        context.clock,
                        tenant=name,
                        effective=tenant_rules(directory, name, pack, choice.rules),
                        author=PLATFORM,
                        note="first rules of the tenant",
                    )


async def _apply_sources(
    context: WorkerContext, tenants: Mapping[str, Tenant], progress: Progress
) -> list[str]:
    """Captures every source whose address is set; says what stands in the way of the others."""
    targets = sources_of(tenants)
    done: list[str] = []

    def tell(target: SourceToCapture) -> None:
        done.append(str(target))
        progress(StepProgress("sources", len(done), len(targets), ", ".join(done)))

    progress(StepProgress("sources", 0, len(targets), ", ".join(map(str, targets))))
    left: list[str] = []
    async with opened_connect(context) as client:
        for target, found in zip(
            targets, await apply_captures(context, client, targets, tell), strict=True
        ):
            match found:
                case CapturePlan():
                    left += [f"{target}: {finding}" for finding in found.blocking]
                case TenantFileError():
                    left.append(str(found))
                case _:
                    raise found
    if left:
        progress(StepProgress("sources", len(targets), len(targets), f"{len(left)} left"))
    return left
