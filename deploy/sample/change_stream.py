"""An endless sequence of single changes, each of which alters one decision: for measuring latency."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from deploy.sample.generate import SampleWorld
from deploy.sample.labels import AUTO_APPROVE, AUTO_REJECT, NEEDS_REVIEW
from deploy.sample.tables import Row
from deploy.sample.transactions import AT_START, Expectation, Transaction, Update

UNDISTURBED = "approve_undisturbed"
"""The scenario whose pairs the day leaves alone, so that the stream can also follow the day."""


@dataclass(frozen=True, slots=True)
class _Toggle:
    """A fact that can be set so that the pair is approved no longer, and set back."""

    database: str
    table: str
    off: Row
    on: Row
    outcome: str
    says: str


def change_stream(world: SampleWorld, seed: int = 1) -> Iterator[Transaction]:
    """One transaction after the other, without end; each flips the outcome of the pair it names.

    An approved pair gets a close date outside the window, an origin of AWS, or reopened reporting;
    when its turn comes again, that is taken back. All pairs take their turns in one order, which
    keeps two changes of a pair as far apart as can be: 1.2 s at 20 changes a second. `index` counts
    on, `at` is 0; `expectation` holds the pair and its outcome before and after.
    """
    rng = random.Random(seed)  # noqa: S311  # not a secret
    pairs = [pair for pair in world.pairs if pair.scenario == UNDISTURBED]
    rng.shuffle(pairs)
    keys = {row["apn_id"]: row["id"] for row in world.apn["apn_opportunity"].values()}
    toggled: dict[str, _Toggle] = {}
    index = 0
    while True:
        for pair in pairs:
            back = toggled.pop(pair.apn_id, None)
            toggle = back or rng.choice(_toggles(world, pair.odoo_id, keys[pair.apn_id]))
            if back is None:
                toggled[pair.apn_id] = toggle
            row_id = keys[pair.apn_id] if toggle.database == "apn" else pair.odoo_id
            before, after = (AUTO_APPROVE, toggle.outcome)[:: -1 if back else 1]
            says = f"{toggle.says} taken back" if back else toggle.says
            yield Transaction(
                index=index,
                at=0.0,
                database=toggle.database,
                kind="single_change",
                title=f"{world.odoo['crm_lead'][pair.odoo_id]['partner_name']}: {says}",
                statements=(Update(toggle.table, (row_id,), toggle.on if back else toggle.off),),
                expectation=Expectation(pair.odoo_id, pair.apn_id, after, before, says),
            )
            index += 1


def _toggles(world: SampleWorld, odoo_id: int, ace_key: int) -> tuple[_Toggle, ...]:
    lead, ace = world.odoo["crm_lead"][odoo_id], world.apn["apn_opportunity"][ace_key]

    def in_ace(column: str, value: Any, outcome: str, says: str) -> _Toggle:
        stamp = {"last_modified_date": AT_START}
        return _Toggle(
            "apn",
            "apn_opportunity",
            {column: value, **stamp},
            {column: ace[column], **stamp},
            outcome,
            says,
        )

    reopened = {"completion_status": "in_progress", "completion_date": None}
    stamp = {"write_uid": 2, "write_date": AT_START}
    return (
        in_ace(
            "target_close_date",
            world.as_of + timedelta(days=120),
            NEEDS_REVIEW,
            "close date in 120 days",
        ),
        in_ace("opportunity_ownership", "AWS Referral", AUTO_REJECT, "origin AWS"),
        _Toggle(
            "odoo",
            "crm_lead",
            {**reopened, **stamp},
            {column: lead[column] for column in reopened} | stamp,
            NEEDS_REVIEW,
            "reporting reopened",
        ),
    )
