"""Drafts as files: a request to the other system for each approved pair, for a person to send (ACT-2)."""

from __future__ import annotations

import asyncio
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
import yaml

from connectors.postgres.deliveries import Delivery
from connectors.postgres.pair_fields import pair_fields
from connectors.postgres.pool import connection
from schemas.pair_inputs import PairKey
from streams.actions.drafts import Draft, fill
from streams.decide.rule_files import effective_rules
from streams.decide.standing import SUPERSEDED
from streams.packs import load_pack
from streams.review.at_risk import won_states
from workers.context import WorkerContext
from workers.rule_cache import pack_document

TEMPLATE, SCHEMA = "draft.yaml", "draft.schema.json"


def wants_draft(pack: str, state: str) -> bool:
    """Whether a decision in this state is one that a draft is prepared for."""
    return load_pack(pack).has_file(TEMPLATE) and state in _approved_states(pack)


@cache
def _approved_states(pack: str) -> frozenset[str]:
    document = effective_rules(pack_document(pack)).document
    return frozenset(won_states(document)) - {SUPERSEDED}


async def write_draft(context: WorkerContext, delivery: Delivery) -> str:
    """Writes the draft of an approved pair; says what a person still has to complete.

    A whole request is `<left>-<right>-v<version>.json`, one that lacks something `.incomplete.json`.
    Raises LookupError where no folder is set.
    """
    folder = context.settings.actions.drafts_directory
    if folder is None:
        raise LookupError("REVOPS_ACTIONS__DRAFTS_DIRECTORY is not set")
    pack = load_pack(delivery.pack)
    pair = effective_rules(pack_document(delivery.pack)).document.catalogue.pair
    key = PairKey(delivery.tenant, delivery.pack, delivery.left, delivery.right)
    async with connection(context.pool) as reading:
        fields = await pair_fields(reading, key, pair.kind, (pair.left, pair.right))
    decided: dict[str, Any] = orjson.loads(delivery.notice)["data"]
    draft = fill(
        yaml.safe_load(pack.file(TEMPLATE)),
        orjson.loads(pack.file(SCHEMA)),
        fields,
        {name: str(decided[name]) for name in ("decision_id", "left", "right", "as_of")},
    )
    name = quote(f"{delivery.left}-{delivery.right}-v{decided['version']}", safe="")
    ending = "incomplete.json" if draft.problems else "json"
    path = folder / delivery.tenant / delivery.pack / f"{name}.{ending}"
    await asyncio.to_thread(_write, path, draft)
    return "; ".join((path.name, *draft.problems))


def _write(path: Path, draft: Draft) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(orjson.dumps(draft.request, option=orjson.OPT_INDENT_2) + b"\n")
