"""Makes the shipped matcher weights: `python -m tests.benchmarks.match.fit_shipped DATA OUT`.

DATA is a folder of labelled company sets, each with left, right and truth tables. Companies are
fitted on all of them, deals on generated sets; every set is measured by weights that never saw it.
The file holds coefficients and figures only.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from streams.match.model import MatcherModel
from tests.benchmarks.match.deal_sets import fitting_sets
from workers.file_matching.labelled_sets import read_labelled_set
from workers.file_matching.model_files import save_model
from workers.file_matching.training_run import TrainingRun, empty_model, train


def fit_shipped(data: Path, version: str) -> tuple[TrainingRun, TrainingRun]:
    """The runs of the company and of the deal profile; the second's model holds both."""
    companies = [read_labelled_set(folder, "company") for folder in sorted(data.iterdir())]
    company_run = train(companies, "company", empty_model(version), version)
    deal_run = train(fitting_sets(), "deal", company_run.model, version)
    bands = replace(deal_run.model.bands, automatic=company_run.model.bands.automatic)
    return company_run, replace(deal_run, model=_with_bands(deal_run.model, bands))


def _with_bands(model: MatcherModel, bands: object) -> MatcherModel:
    return replace(model, bands=bands)


def main() -> None:
    """Fit, print the figures, write the file."""
    data, out, version = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    company_run, deal_run = fit_shipped(data, version)
    for run in (company_run, deal_run):
        for fold in run.folds:
            figures = fold.figures
            print(
                f"{fold.name:<24} F1 {figures.f1:.4f}  P {figures.precision:.4f}  "
                f"R {figures.recall:.4f}  AUC-PR {figures.average_precision:.4f}  "
                f"ECE {figures.calibration_error:.4f}  auto {figures.automatic_precision:.4f} "
                f"({figures.automatic_share:.2f})  shuffled {fold.shuffled_f1:.3f}  "
                f"weights {fold.weights_hash} fitted on {', '.join(fold.trained_on)}"
            )
        print(f"pooled calibration error {run.pooled_calibration_error:.4f}")
    save_model(deal_run.model, out)
    print(f"{out}: {deal_run.model.version}, weights {deal_run.model.weights_hash}")


if __name__ == "__main__":
    main()
