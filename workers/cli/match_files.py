"""`revops match`: match two files, train the matcher's weights, measure them on labelled pairs."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from streams.match.model import MatcherModel, ModelError
from workers.file_matching.matching import (
    COMPANY_COLUMNS,
    DEAL_COLUMNS,
    Matching,
    match_sides,
    records_of,
)
from workers.file_matching.matching import Progress as Report
from workers.file_matching.model_files import load_model, save_model
from workers.file_matching.tables import Table, TableError, read_table, write_rows

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Match two files; train and measure weights."
)
_notes = Console(stderr=True)


class ProfileName(StrEnum):
    """What is matched: companies, or deals (opportunities) of companies."""

    COMPANY = "company"
    DEAL = "deal"


class Shape(StrEnum):
    """How results are printed."""

    TABLE = "table"
    JSON = "json"


ProfileOption = Annotated[ProfileName, typer.Option(help="company or deal")]
ModelOption = Annotated[Path | None, typer.Option(help="Weights; default: the shipped ones.")]
OutputOption = Annotated[Shape, typer.Option("--output", "-o", help="table or json")]


@app.command()
def files(
    left: Annotated[Path, typer.Argument(help="CSV or Parquet: id,name,domain,city,country ...")],
    right: Annotated[Path, typer.Argument(help="CSV or Parquet with the same columns.")],
    out: Annotated[
        Path, typer.Option(help="Pairs found: left_id,right_id,score (CSV or Parquet).")
    ],
    profile: ProfileOption = ProfileName.COMPANY,
    evidence: Annotated[
        bool, typer.Option("--evidence", help="Add the reason and every comparison's share.")
    ] = False,
    candidates: Annotated[
        Path | None, typer.Option(help="Also write every pair considered with its score.")
    ] = None,
    model: ModelOption = None,
    output: OutputOption = Shape.TABLE,
) -> None:
    """Match the rows of two files.

    The score is a calibrated probability: 0.5 and more means match. Every pair from 0.05 up is
    written, a left row's best pair first.
    """
    with _told(), _without_collector(), _progress() as report:
        wanted = COMPANY_COLUMNS if profile is ProfileName.COMPANY else DEAL_COLUMNS
        weights = load_model(model)
        tables = [read_table(path, needs_one_of=wanted) for path in (left, right)]
        lefts = records_of(tables[0], "left", report)
        rights = records_of(tables[1], "right", report)
        matching = match_sides(lefts, rights, weights, profile.value, report)
        written = _write(matching, out, evidence)
        if candidates is not None:
            write_rows(candidates, _PAIR_COLUMNS, matching.scored())
    _summary(matching, tables, written, out, output)


@app.command()
def evaluate(
    folders: Annotated[list[Path], typer.Argument(help="Folders with left, right, truth files.")],
    profile: ProfileOption = ProfileName.COMPANY,
    model: ModelOption = None,
    threshold: Annotated[float, typer.Option(min=0, max=1, help="From here up is a match.")] = 0.5,
    output: OutputOption = Shape.TABLE,
) -> None:
    """Precision, recall, F1, average precision and candidate recall on labelled pairs.

    Sets that the model was trained on are marked: their figures are not those of new data.
    """
    from streams.match.evaluation import evaluate as evaluated
    from workers.file_matching.labelled_sets import read_labelled_set

    figures: dict[str, dict[str, Any]] = {}
    with _told():
        weights = load_model(model)
        seen = weights.training.get(profile.value, {}).get("sets", {})
        for folder in folders:
            labelled = read_labelled_set(folder, profile.value)
            matching = match_sides(labelled.left, labelled.right, weights, profile.value)
            found = evaluated(
                matching.scored(),
                labelled.truth,
                ignored=labelled.ignored,
                threshold=threshold,
                automatic=weights.bands.automatic,
            )
            figures[folder.name] = {**found.to_json(), "trained_on": folder.name in seen}
    _show_figures(figures, weights, output)


@app.command()
def train(
    folders: Annotated[list[Path] | None, typer.Argument(help="Labelled sets.")] = None,
    out: Annotated[Path, typer.Option(help="Where the model file goes.")] = Path("matcher.json"),
    profile: ProfileOption = ProfileName.COMPANY,
    verdicts: Annotated[
        list[Path] | None, typer.Option(help="Reviewers' verdicts, JSON lines; may be repeated.")
    ] = None,
    model: ModelOption = None,
    from_active: Annotated[
        bool, typer.Option("--from-active", help="Move the active weights instead of fresh ones.")
    ] = False,
    version: Annotated[str | None, typer.Option(help="Version of the new model.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Write it though it is worse.")] = False,
    output: OutputOption = Shape.TABLE,
) -> None:
    """Fit the weights to labelled pairs and verdicts; a model that is worse is not written.

    Every set is measured by weights that never saw it. Worse means: F1 or average precision on a
    set falls behind the active model's held-out figure.
    """
    from workers.file_matching.labelled_sets import read_labelled_set, read_verdicts
    from workers.file_matching.model_files import worse_on
    from workers.file_matching.training_run import train as run_training

    if not folders and not verdicts:
        _fail("nothing to learn from: name folders of labelled pairs, or --verdicts FILE", code=2)
    with _told():
        base = load_model(model)
        labelled = [read_labelled_set(folder, profile.value) for folder in folders or []]
        spoken = [read_verdicts(path, profile.value) for path in verdicts or []]
        known = base.profiles.get(profile.value) if from_active else None
        run = run_training(
            labelled,
            profile.value,
            base,
            version or f"{base.version}+{profile.value}",
            verdicts=spoken,
            start=known,
        )
    before = base.training.get(profile.value, {}).get("held_out", {})
    after = {fold.name: fold.to_json() for fold in run.folds}
    reasons = worse_on(before, after)
    _show_figures(after, run.model, output)
    if reasons and not force:
        _fail("not written, it is worse than the active model: " + "; ".join(reasons))
    save_model(run.model, out)
    _notes.print(f"model {run.model.version} ({run.model.weights_hash}) written to {out}")


_PAIR_COLUMNS = ("left_id", "right_id", "score")
_EVIDENCE_COLUMNS = (
    "company_probability",
    "deal_probability",
    "confidence",
    "confidence_method",
    "margin",
    "rival_id",
    "reason",
)


def _write(matching: Matching, out: Path, evidence: bool) -> int:
    least = matching.scorer.model.bands.plausible
    if not evidence:
        return write_rows(out, _PAIR_COLUMNS, matching.scored(least))
    pairs = matching.explained(least)
    names = [comparison.name for comparison in matching.scorer.comparisons]
    rows = (
        (
            pair.left_id,
            pair.right_id,
            chance,
            pair.company_probability,
            "" if pair.deal_probability is None else pair.deal_probability,
            pair.literal.confidence,
            pair.literal.method,
            "" if pair.margin is None else pair.margin,
            pair.best_rival.id if pair.best_rival else "",
            pair.reason,
            *(comparison.contribution for comparison in pair.comparisons),
        )
        for pair, (_, _, chance) in zip(pairs, matching.scored(least), strict=True)
    )
    columns = (*_PAIR_COLUMNS, *_EVIDENCE_COLUMNS, *(f"share_{name}" for name in names))
    return write_rows(out, columns, rows)


def _summary(
    matching: Matching, tables: list[Table], written: int, out: Path, shape: Shape
) -> None:
    bands = matching.scorer.model.bands
    found = {
        "left_rows": len(tables[0].rows),
        "right_rows": len(tables[1].rows),
        "pairs_considered": len(matching.sides),
        "pairs_written": written,
        "matches": int((matching.probabilities >= bands.match).sum()),
        "automatic": int((matching.probabilities >= bands.automatic).sum()),
        "model": matching.scorer.model.version,
        "out": str(out),
        "notes": [note for table in tables for note in table.notes],
    }
    if shape is Shape.JSON:
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    for note in found["notes"]:
        _notes.print(f"note: {note}", highlight=False)
    typer.echo(
        f"{found['left_rows']} x {found['right_rows']} rows, {found['pairs_considered']} pairs "
        f"considered: {found['matches']} matches ({found['automatic']} from "
        f"{bands.automatic:.2f} up), {written} pairs in {out}"
    )


_SHOWN = {
    "f1": "F1",
    "precision": "precision",
    "recall": "recall",
    "average_precision": "AUC-PR",
    "candidate_recall_at_50": "cand@50",
    "calibration_error": "ECE",
    "automatic_precision": "auto P",
    "automatic_share": "auto share",
    "shuffled_labels_f1": "shuffled F1",
    "weights_hash": "weights",
}


def _show_figures(figures: dict[str, dict[str, Any]], model: MatcherModel, shape: Shape) -> None:
    if shape is Shape.JSON:
        typer.echo(
            json.dumps(
                {
                    "model": model.version,
                    "weights_hash": model.weights_hash,
                    "automatic_threshold": model.bands.automatic,
                    "sets": figures,
                },
                indent=1,
            )
        )
        return
    shown = [name for name in _SHOWN if any(name in entry for entry in figures.values())]
    width = max((len(name) for name in figures), default=4) + 10
    typer.echo(" ".join([f"{'set':<{width}}", *(f"{_SHOWN[name]:>11}" for name in shown)]))
    for name, entry in figures.items():
        title = f"{name} (trained)" if entry.get("trained_on") is True else name
        cells = [_cell(entry.get(column)) for column in shown]
        typer.echo(" ".join([f"{title:<{width}}", *(f"{cell:>11}" for cell in cells)]))
    typer.echo(
        f"model {model.version}, weights {model.weights_hash}, "
        f"automatic from {model.bands.automatic:.2f}"
    )


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4f}"
    return "" if value is None else str(value)[:11]


@contextmanager
def _told() -> Iterator[None]:
    """Turn errors of files and models into one line and exit code 1."""
    try:
        yield
    except (TableError, ModelError) as error:
        _fail(str(error))


def _fail(message: str, code: int = 1) -> NoReturn:
    _notes.print(f"[red]error:[/red] {message}", highlight=False, soft_wrap=True)
    raise typer.Exit(code)


@contextmanager
def _without_collector() -> Iterator[None]:
    """Leave out the search for cycles: records and pairs form none and live until the end."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextmanager
def _progress() -> Iterator[Report]:
    """A progress bar on stderr, one line a step."""
    columns = (TextColumn("{task.description:<20}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=_notes, transient=True) as bar:
        steps: dict[str, Any] = {}

        def report(step: str, done: int, total: int) -> None:
            if step not in steps:
                steps[step] = bar.add_task(step, total=total)
            bar.advance(steps[step], done)

        yield report
