"""Labelled sets on disk: a folder with left, right, truth and maybe ignore tables; verdict files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import log
from pathlib import Path

import numpy as np

from streams.match.company_comparisons import COMPANY
from streams.match.deal_comparisons import DEAL
from streams.match.evaluation import Pair
from streams.match.prepared import PreparedRecord
from streams.match.scored_pair import ScoredPair
from streams.match.scoring import COMPANY_LOG_ODDS, deal_columns, numbered
from streams.match.training import LabelledPairs
from workers.file_matching.matching import COMPANY_COLUMNS, DEAL_COLUMNS, records_of
from workers.file_matching.tables import TableError, read_table

_COMPANY_SCALE = 6.0


@dataclass(frozen=True, slots=True)
class LabelledSet:
    """Two sides, the true pairs with their slices, and the pairs nobody could judge."""

    name: str
    left: list[PreparedRecord]
    right: list[PreparedRecord]
    truth: dict[Pair, str]
    ignored: frozenset[Pair]


def read_labelled_set(folder: Path, profile: str) -> LabelledSet:
    """The labelled set of a folder: left, right, truth and maybe ignore, each .csv or .parquet.

    Raises `TableError` where a file is missing or a true pair names an unknown id.
    """
    wanted = DEAL_COLUMNS if profile == "deal" else COMPANY_COLUMNS
    left = records_of(read_table(_file(folder, "left"), needs_one_of=wanted), "left")
    right = records_of(read_table(_file(folder, "right"), needs_one_of=wanted), "right")
    truth = _pairs(_file(folder, "truth"))
    unknown = (
        {pair[0] for pair in truth} - {record.record.id for record in left},
        {pair[1] for pair in truth} - {record.record.id for record in right},
    )
    for name, ids in zip(("left", "right"), unknown, strict=True):
        if ids:
            raise TableError(
                f"{folder}: truth names {name} id {min(ids)!r}, which the {name} table lacks"
            )
    ignored = _optional(folder, "ignore")
    return LabelledSet(
        folder.name, left, right, truth, frozenset(_pairs(ignored)) if ignored else frozenset()
    )


def read_verdicts(path: Path, profile: str) -> LabelledPairs:
    """Reviewers' verdicts as labelled pairs: JSON lines with a scored pair and its verdict.

    Each line is `{"pair": <scored pair>, "verdict": "confirm" | "reject" | null}`; pairs without
    a verdict stand as rivals only. Raises `TableError` for a line that is not of this form.
    """
    pairs: list[ScoredPair] = []
    labels: list[bool] = []
    counted: list[bool] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
            pairs.append(ScoredPair.from_json(entry["pair"]))
            verdict = entry.get("verdict")
        except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
            raise TableError(f"{path}, line {number}: not a verdict ({error!r})") from error
        labels.append(verdict == "confirm")
        counted.append(verdict in ("confirm", "reject"))
    columns = deal_columns(DEAL) if profile == "deal" else COMPANY.columns
    evidence = np.array([_evidence(pair, columns) for pair in pairs], dtype=np.float64)
    return LabelledPairs(
        name=path.stem,
        columns=columns,
        evidence=evidence.reshape(len(pairs), len(columns)),
        left=numbered(pair.left for pair in pairs),
        right=numbered(pair.right for pair in pairs),
        left_kin=numbered(pair.left_kin for pair in pairs),
        labels=np.array(labels, dtype=bool),
        counted=np.array(counted, dtype=bool),
        true_pairs=sum(labels),
    )


def _evidence(pair: ScoredPair, columns: tuple[str, ...]) -> list[float]:
    known = {
        f"{comparison.name}.{feature}": value
        for comparison in pair.comparisons
        for feature, value in comparison.features.items()
    }
    chance = min(max(pair.company_probability, 1e-5), 1 - 1e-5)
    scaled = log(chance / (1 - chance)) / _COMPANY_SCALE
    known[COMPANY_LOG_ODDS] = min(max(scaled, -1.0), 1.0)
    return [known.get(column, 0.0) for column in columns]


def _optional(folder: Path, name: str) -> Path | None:
    for ending in (".csv", ".parquet"):
        if (folder / f"{name}{ending}").is_file():
            return folder / f"{name}{ending}"
    return None


def _file(folder: Path, name: str) -> Path:
    found = _optional(folder, name)
    if found is None:
        raise TableError(f"{folder} has no {name}.csv or {name}.parquet")
    return found


def _pairs(path: Path) -> dict[Pair, str]:
    table = read_table(path, needs_one_of=("left_id",))
    if "right_id" not in table.columns:
        raise TableError(f"{path} has no column right_id")
    return {(row["left_id"], row["right_id"]): row.get("slice", "") for row in table.rows}
