"""What vectors add: company figures without them, with MiniLM's, with BGE-M3's where weights are.

    python -m tests.benchmarks.match.ablation DATA [--bge-m3 FOLDER] [--output json]

Every variant is fitted and measured like the shipped weights, each set by weights that never saw it;
a variant with vectors has one comparison more, the cosine of the two names' vectors.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streams.embed.texts import identity_text
from streams.match.batch import SidePair
from streams.match.company_comparisons import COMPANY, SEMANTIC
from streams.match.evaluation import evaluate
from streams.match.labelled import labelled_companies
from streams.match.prepared import PreparedRecord
from streams.match.training import LabelledPairs, fit, probabilities
from streams.normalise.company_names import normalised_company
from workers.file_matching.labelled_sets import LabelledSet, read_labelled_set

Encode = Callable[[Sequence[str]], NDArray[np.float32]]
_CHUNK = 512


def ablation(
    sets: Sequence[LabelledSet], encoders: Mapping[str, Encode]
) -> dict[str, dict[str, dict[str, float]]]:
    """Per variant and set: F1, average precision, and recall of pairs by candidates."""
    plain = [_labelled(labelled) for labelled in sets]
    variants = {"without vectors": (plain, COMPANY.expected)}
    with_cosine = {**COMPANY.expected, **{f"semantic.{n}": w for n, w in SEMANTIC.expected.items()}}
    for name, encode in encoders.items():
        measured = [(pairs, _with_cosines(*pairs, encode)) for pairs in plain]
        variants[name] = ([(sides, found) for (sides, _), found in measured], with_cosine)
    return {name: _held_out(sets, *variant) for name, variant in variants.items()}


def _labelled(labelled: LabelledSet) -> tuple[SidePair, LabelledPairs]:
    sides = SidePair(labelled.left, labelled.right)
    return sides, labelled_companies(labelled.name, sides, labelled.truth, labelled.ignored)


def _held_out(
    sets: Sequence[LabelledSet],
    pairs: Sequence[tuple[SidePair, LabelledPairs]],
    expected: Mapping[str, float],
) -> dict[str, dict[str, float]]:
    rows: dict[str, dict[str, float]] = {}
    for source, (sides, held_out) in zip(sets, pairs, strict=True):
        weights = fit([found for _, found in pairs if found is not held_out], expected)
        chances = probabilities(held_out, weights).tolist()
        left = [sides.left[index].record.id for index in sides.left_index.tolist()]
        right = [sides.right[index].record.id for index in sides.right_index.tolist()]
        found = evaluate(
            zip(left, right, chances, strict=True), source.truth, ignored=source.ignored
        )
        rows[source.name] = {"F1": round(found.f1, 4), "AUC-PR": round(found.average_precision, 4)}
    return rows


def _with_cosines(sides: SidePair, pairs: LabelledPairs, encode: Encode) -> LabelledPairs:
    left, right = (_vectors(side, encode) for side in (sides.left, sides.right))
    cosines = np.concatenate(
        [
            np.einsum("ij,ij->i", left[sides.left_index[part]], right[sides.right_index[part]])
            for part in sides.slices()
        ]
    )
    column = np.maximum(cosines.astype(np.float64) - 0.4, 0.0) / 0.6
    return replace(
        pairs,
        columns=(*pairs.columns, "semantic.identity"),
        evidence=np.concatenate([pairs.evidence, column[:, None]], axis=1),
    )


def _vectors(records: Sequence[PreparedRecord], encode: Encode) -> NDArray[np.float32]:
    """The vector of each record's identity text, laid out as the platform does."""
    laid_out = [identity_text(_fields(record)) for record in records]
    texts = [found.text if found else "" for found in laid_out]
    distinct = sorted(set(texts), key=len)
    chunks = [distinct[at : at + _CHUNK] for at in range(0, len(distinct), _CHUNK)]
    vectors = np.concatenate([encode(chunk) for chunk in chunks])
    place = {text: at for at, text in enumerate(distinct)}
    return vectors[[place[text] for text in texts]]


def _fields(record: PreparedRecord) -> dict[str, str | None]:
    return {
        "company_name": record.record.name,
        "normalized_company": normalised_company(record.record.name),
        "normalized_domain": next(iter(record.record.domains), None),
    }


def encoders_at_hand(cache: Path, bge_m3: str | None) -> dict[str, Encode]:
    """MiniLM, which ships with the install, and BGE-M3 where a folder with its weights is given."""
    from connectors.encoders.minilm import MiniLmEncoder, MiniLmSettings

    minilm = MiniLmEncoder(cache, MiniLmSettings())
    found: dict[str, Encode] = {"MiniLM": lambda texts: minilm.encode(texts).dense}
    if bge_m3 is not None:
        from connectors.encoders.bge_m3 import BgeM3Encoder, BgeM3Settings

        large = BgeM3Encoder.open(BgeM3Settings(model=bge_m3, with_sparse=False))
        found["BGE-M3"] = lambda texts: large.encode(texts).dense
    return found


def run() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder of labelled company sets")
    parser.add_argument("--bge-m3", help="folder with BGE-M3's weights")
    parser.add_argument("--output", choices=("table", "json"), default="table")
    arguments = parser.parse_args()
    sets = [read_labelled_set(folder, "company") for folder in sorted(arguments.data.iterdir())]
    with tempfile.TemporaryDirectory() as cache:
        found = ablation(sets, encoders_at_hand(Path(cache), arguments.bge_m3))
    if arguments.output == "json":
        print(json.dumps(found, indent=2))
        return 0
    for variant, rows in found.items():
        for name, values in rows.items():
            told = "  ".join(f"{title} {value:.4f}" for title, value in values.items())
            print(f"{variant:<18} {name:<22} {told}")
    return 0


if __name__ == "__main__":
    sys.exit(run())
