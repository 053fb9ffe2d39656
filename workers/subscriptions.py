"""Which topics each worker reads: what `revops status` measures the workers' lag by."""

from __future__ import annotations

from collections.abc import Mapping

from schemas.tenants import Tenant
from schemas.topics import (
    AUDIT_EVENT,
    CAPTURE_NOTIFICATION,
    COMMAND_MATCH,
    COMMAND_REVIEW,
    CONFIG_RULES,
    CORE_ACCOUNT,
    CORE_BILLING_MONTH,
    CORE_COMPANY,
    CORE_OPPORTUNITY,
    CORE_SPEND_MONTHLY,
    EMBED_DONE,
    MATCH_RESULT,
    OPS_HEALTH,
    TIMER_DUE,
)
from workers.capture_control import sources_of
from workers.tenants import packs_in_use


def subscriptions(tenants: Mapping[str, Tenant]) -> dict[str, frozenset[str]]:
    """Names of the topics by worker, as the tenants' sources and packs make them.

    It names them apart from the processors, for that a command need not load what those work with.
    """
    packs = packs_in_use(tenants.values())
    decisions = {f"{pack}.decision" for pack in packs}
    reviews = {f"{pack}.review" for pack in packs}
    captured = {topic for source in sources_of(tenants) for topic in source.topics}
    return {
        "normalise": frozenset(captured),
        "embed": frozenset({CORE_OPPORTUNITY}),
        "companies": frozenset({CORE_COMPANY, CORE_ACCOUNT, CORE_OPPORTUNITY, MATCH_RESULT}),
        "match": frozenset({CORE_OPPORTUNITY, EMBED_DONE, COMMAND_MATCH, OPS_HEALTH, TIMER_DUE}),
        "decide": frozenset(
            {
                MATCH_RESULT,
                CORE_OPPORTUNITY,
                CORE_ACCOUNT,
                CORE_SPEND_MONTHLY,
                CORE_BILLING_MONTH,
                OPS_HEALTH,
                TIMER_DUE,
                CONFIG_RULES,
                COMMAND_REVIEW,
            }
        ),
        "review": frozenset({*decisions, COMMAND_REVIEW, TIMER_DUE, AUDIT_EVENT}),
        "act": frozenset({*decisions, *reviews, TIMER_DUE}),
        "audit": frozenset({*decisions, AUDIT_EVENT}),
        "spend": frozenset({CONFIG_RULES}),
        "poll": frozenset({CAPTURE_NOTIFICATION}),
    }
