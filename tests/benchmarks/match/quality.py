"""How good the matches are: every company set by weights that never saw it, deals by new seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from streams.match.evaluation import Figures, evaluate
from tests.benchmarks.figures import Figure, at_least, at_most
from tests.benchmarks.match.deal_sets import ACES, JUDGED_SEEDS, LEADS, deal_set
from workers.file_matching.labelled_sets import read_labelled_set
from workers.file_matching.matching import match_sides
from workers.file_matching.model_files import load_model
from workers.file_matching.training_run import Fold, TrainingRun, empty_model, train

#: The least F1 of the sets that figures are agreed for, and of any other set.
LEAST_F1 = {"sec_listings": 0.975, "listings_apac_amer": 0.970, "os_cloud": 0.860}
LEAST_RECALL_AT_50 = {"os_cloud": 0.97}
_F1, _RECALL_AT_50 = 0.86, 0.99
_AUTOMATIC_PRECISION, _AUTOMATIC_SHARE, _CALIBRATION = 0.98, 0.60, 0.05
_DEAL_PRECISION, _DEAL_RECALL = 0.98, 0.95
#: What shuffled labels may reach; more would say that the figures come from elsewhere.
_SHUFFLED_F1 = 0.2


@dataclass(frozen=True, slots=True)
class Quality:
    """The figures to judge, and the folds and deal sets that they were taken from."""

    figures: list[Figure]
    companies: TrainingRun | None
    deals: Mapping[str, Figures]


def quality(data: Path | None) -> Quality:
    """Companies of the labelled sets in `data` (left out without any), and generated deals."""
    run = None
    if data is not None:
        sets = [read_labelled_set(folder, "company") for folder in sorted(data.iterdir())]
        run = train(sets, "company", empty_model("held-out"), "held-out")
    deals = {f"deals-{seed}": _deals(seed) for seed in JUDGED_SEEDS}
    companies = [figure for fold in run.folds for figure in _of_fold(fold)] if run else []
    if run:
        companies.append(
            at_most("calibration error, held out", run.pooled_calibration_error, _CALIBRATION)
        )
    return Quality([*companies, *_of_deals(list(deals.values()))], run, deals)


def _of_fold(fold: Fold) -> list[Figure]:
    name, found = fold.name, fold.figures
    recall = LEAST_RECALL_AT_50.get(name, _RECALL_AT_50)
    return [
        at_least(f"{name}, F1", found.f1, LEAST_F1.get(name, _F1)),
        at_least(f"{name}, candidate recall@50", found.candidate_recall_at_50, recall),
        at_least(f"{name}, automatic precision", found.automatic_precision, _AUTOMATIC_PRECISION),
        at_least(f"{name}, automatic share", found.automatic_share, _AUTOMATIC_SHARE),
        at_most(f"{name}, F1 of shuffled labels", fold.shuffled_f1, _SHUFFLED_F1),
    ]


def _deals(seed: int) -> Figures:
    """The shipped weights on deals of a seed that no fit saw."""
    model = load_model(None)
    labelled = deal_set(seed)
    found = match_sides(labelled.left, labelled.right, model, "deal")
    return evaluate(found.scored(), labelled.truth, automatic=model.bands.automatic)


def _of_deals(found: Sequence[Figures]) -> list[Figure]:
    slices = sorted({name for figures in found for name in figures.recall_by_slice})
    name = f"deals {ACES} x {LEADS}, worst of {len(found)} seeds"
    return [
        at_least(f"{name}, precision", min(f.precision for f in found), _DEAL_PRECISION),
        at_least(f"{name}, recall", min(f.recall for f in found), _DEAL_RECALL),
        *(
            Figure(
                f"deals, recall of {part.replace('_', ' ')}",
                sum(f.recall_by_slice[part] for f in found) / len(found),
                "share",
            )
            for part in slices
        ),
    ]
