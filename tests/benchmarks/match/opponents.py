"""Other ways to match two files, set up as their documentation advises: Splink and a rapidfuzz loop.

    python -m tests.benchmarks.match.opponents splink LEFT.csv RIGHT.csv OUT.csv
    python -m tests.benchmarks.match.opponents rapidfuzz LEFT.csv RIGHT.csv OUT.csv [ROWS]

Each runs in a process of its own, from the files to the pairs, as `revops match files` does. Both get
names that our normaliser cleaned, which favours their quality. Benchmark-only dependencies.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from streams.normalise.company_names import normalised_company
from streams.normalise.domains import registrable_domain
from workers.file_matching.tables import Row, read_table, write_rows

Scored = list[tuple[str, str, float]]
_OPTIONAL = ("domain", "country", "city")


def rapidfuzz_loop(left: Sequence[Row], right: Sequence[Row]) -> Scored:
    """Each left name's best right name by WRatio, or an equal domain: what most scripts do."""
    from rapidfuzz import fuzz, process

    names = [normalised_company(row["name"]) for row in right]
    by_domain = {domain: row["id"] for row in right if (domain := _domain(row))}
    pairs: Scored = []
    for row in left:
        domain = _domain(row)
        if domain in by_domain:
            pairs.append((row["id"], by_domain[domain], 1.0))
            continue
        found = process.extractOne(
            normalised_company(row["name"]), names, scorer=fuzz.WRatio, score_cutoff=70
        )
        if found is not None:
            pairs.append((row["id"], right[found[2]]["id"], found[1] / 100.0))
    return pairs


def splink_pairs(left: Sequence[Row], right: Sequence[Row]) -> Scored:
    """Splink's match probabilities: blocking, u by sampling, m by EM, term frequencies.

    Comparisons: name at Jaro-Winkler thresholds with term frequencies, the rest after the first
    word, and web domain, country and city where both sides have them.
    """
    import pyarrow
    import splink.comparison_library as compare
    from splink import Linker, SettingsCreator, block_on
    from splink.internals.duckdb.database_api import DuckDBAPI

    tables = [[_splink_row(side, row) for row in rows] for side, rows in zip("lr", (left, right))]  # noqa: B905
    optional = [
        column for column in _OPTIONAL if all(any(r[column] for r in table) for table in tables)
    ]
    settings = SettingsCreator(
        link_type="link_only",
        comparisons=[
            compare.JaroWinklerAtThresholds("name", [0.95, 0.9, 0.8]).configure(
                term_frequency_adjustments=True
            ),
            compare.JaroWinklerAtThresholds("rest", [0.9, 0.7]),
            *(compare.ExactMatch(column) for column in optional),
        ],
        blocking_rules_to_generate_predictions=[
            block_on("first_word"),
            block_on("substr(name, 1, 6)"),
            block_on("sorted_words"),
            *([block_on("domain")] if "domain" in optional else []),
        ],
    )
    database = DuckDBAPI()
    frames = [
        database.register(pyarrow.Table.from_pylist(table), dataset_display_name=side)
        for side, table in zip(("one_side", "other_side"), tables, strict=True)
    ]
    linker = Linker(frames, settings, log_level="ERROR")
    linker.training.estimate_probability_two_random_records_match(["l.name = r.name"], recall=0.8)
    linker.training.estimate_u_using_random_sampling(max_pairs=1e8)
    for rule in (block_on("first_word"), block_on("substr(name, 1, 6)")):
        linker.training.estimate_parameters_using_expectation_maximisation(rule)
    found = linker.inference.predict(threshold_match_probability=0.05).as_record_list()
    return [_pair(found_row) for found_row in found]


def _pair(row: dict[str, Any]) -> tuple[str, str, float]:
    left, right = sorted((row["unique_id_l"], row["unique_id_r"]))
    return left[2:], right[2:], row["match_probability"]


def _splink_row(side: str, row: Row) -> dict[str, str | None]:
    name = normalised_company(row["name"])
    words = name.split() or [""]
    return {
        "unique_id": f"{side}:{row['id']}",
        "name": name,
        "first_word": words[0],
        "rest": " ".join(words[1:]) or None,
        "sorted_words": " ".join(sorted(words)),
        "domain": _domain(row),
        "country": row.get("country") or None,
        "city": row.get("city") or None,
    }


def _domain(row: Row) -> str | None:
    return registrable_domain(row["domain"]) if row.get("domain") else None


def main(arguments: Sequence[str]) -> None:
    """Match the two files with the named opponent and write its pairs."""
    name, *paths = arguments
    left, right = (read_table(Path(path)).rows for path in paths[:2])
    if len(paths) > 3:
        left = left[: int(paths[3])]
    pairs = splink_pairs(left, right) if name == "splink" else rapidfuzz_loop(left, right)
    write_rows(Path(paths[2]), ("left_id", "right_id", "score"), pairs)


if __name__ == "__main__":
    main(sys.argv[1:])
