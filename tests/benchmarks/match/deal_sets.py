"""Labelled sets of deals: the sample's generator with seeds for fitting and seeds for judging.

The seeds of the two never meet. Fitting also sees sparse sets, in which columns are blank, so that
no weight rests on a column that a tenant may not have.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from deploy.sample.deal_pairs import deal_pairs
from streams.match.prepared import PreparedRecord
from streams.match.records import MatchRecord
from workers.file_matching.labelled_sets import LabelledSet

ACES, LEADS = 360, 1080
FIT_SEEDS = (101, 102, 103)
SPARSE_ACES, SPARSE_LEADS = 120, 360
JUDGED_SEEDS = (1, 2, 3, 4, 5)


@dataclass(frozen=True, slots=True)
class Blanked:
    """Which columns a sparse set lacks, and the name it goes by."""

    name: str
    columns: frozenset[str]


WHOLE = Blanked("", frozenset())
_DETAILS = frozenset(
    {
        "description",
        "products",
        "city",
        "country",
        "amount",
        "currency",
        "amount_period",
        "stage",
        "contact_names",
        "contact_emails",
        "owner",
        "account_ids",
        "external_ids",
    }
)
_DATES = frozenset({"created_date", "close_date"})
SPARSE = (
    Blanked("-titles-and-dates", _DETAILS | {"domain"}),
    Blanked("-titles-and-amounts", (_DETAILS | _DATES) - {"amount", "currency", "amount_period"}),
    Blanked("-titles-only", _DETAILS | _DATES),
    Blanked("-no-texts", frozenset({"description", "products"})),
    Blanked("-no-people", frozenset({"contact_names", "contact_emails", "owner"})),
    Blanked("-no-dates", _DATES),
    Blanked("-no-ids", frozenset({"account_ids", "external_ids", "domain", "city", "country"})),
    Blanked("-no-amounts", frozenset({"amount", "currency", "amount_period"})),
)


def deal_set(
    seed: int, blanked: Blanked = WHOLE, aces: int = ACES, leads: int = LEADS
) -> LabelledSet:
    """The generated deals of a seed as a labelled set, with some columns blank."""
    made = deal_pairs(seed, aces, leads)
    return LabelledSet(
        name=f"deals-{seed}{blanked.name}",
        left=_prepared("left", made.aces, blanked),
        right=_prepared("right", made.leads, blanked),
        truth={(pair.left_id, pair.right_id): pair.slice for pair in made.truth},
        ignored=frozenset(),
    )


def fitting_sets() -> list[LabelledSet]:
    """The sets that the shipped deal weights are fitted on."""
    sparse = [
        deal_set(200 + at, blank, SPARSE_ACES, SPARSE_LEADS) for at, blank in enumerate(SPARSE)
    ]
    return [*(deal_set(seed) for seed in FIT_SEEDS), *sparse]


def _prepared(
    side: str, rows: Iterable[Mapping[str, str]], blanked: Blanked
) -> list[PreparedRecord]:
    return [
        PreparedRecord.from_record(
            MatchRecord.from_fields(
                side,
                row["id"],
                {name: value for name, value in row.items() if name not in blanked.columns},
            )
        )
        for row in rows
    ]
