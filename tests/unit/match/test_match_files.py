"""`revops match`: good files, bad files, hostile files."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from workers.cli.match_files import app

_LEFT = "id,name,domain\n1,Acme Water Ltd,acme.example\n2,Borealis Foods,\n"
_RIGHT = "id,name,domain\na,ACME Water,acme.example\nb,Borealis Foods SA,\nc,Zorro,\n"


def _run(tmp_path: Path, left: str | bytes, right: str | bytes = _RIGHT, *options: str) -> Result:
    for name, content in (("left.csv", left), ("right.csv", right)):
        data = content.encode() if isinstance(content, str) else content
        (tmp_path / name).write_bytes(data)
    arguments = ["files", str(tmp_path / "left.csv"), str(tmp_path / "right.csv")]
    return CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / "out.csv"), *options])


def _pairs(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _found(tmp_path: Path) -> set[tuple[str, str]]:
    return {
        (row["left_id"], row["right_id"])
        for row in _pairs(tmp_path / "out.csv")
        if float(row["score"]) >= 0.5
    }


def test_files_writes_the_pairs_with_scores(tmp_path: Path) -> None:
    result = _run(tmp_path, _LEFT)
    assert result.exit_code == 0, result.output
    assert _found(tmp_path) == {("1", "a"), ("2", "b")}
    assert list(_pairs(tmp_path / "out.csv")[0]) == ["left_id", "right_id", "score"]


def test_files_explains_with_evidence_and_lists_candidates(tmp_path: Path) -> None:
    every = tmp_path / "every.csv"
    result = _run(tmp_path, _LEFT, _RIGHT, "--evidence", "--candidates", str(every))
    assert result.exit_code == 0, result.output
    row = _pairs(tmp_path / "out.csv")[0]
    assert "likely the same company" in row["reason"]
    assert float(row["share_name"]) > 0
    assert len(_pairs(every)) >= len(_pairs(tmp_path / "out.csv"))


def test_files_matches_deals_by_deal_evidence(tmp_path: Path) -> None:
    columns = "id,title,company,amount,currency,amount_period,close_date,contact_names,account_ids"
    left = (
        f"{columns}\nA1,Archive of 300 TB film,Acme Ltd,1000,USD,monthly,2026-12-15,"
        "Kim Berg;Lee Dahl,000000000012\nA2,Contact centre for 40 agents,Acme Ltd,500,USD,monthly,"
        "2027-03-01,Mo Eek,\n"
    )
    right = (
        f"{columns}\n7,Film archive 300 TB,ACME,12000,USD,yearly,2026-12-17,Kim Berg,12\n"
        "8,40 agents call centre,ACME,6000,USD,yearly,2027-02-27,M. Eek,\n"
        "9,Desktops,ACME,90000,USD,yearly,2026-05-01,Uma Fox,\n"
    )
    result = _run(tmp_path, left, right, "--profile", "deal", "--evidence")
    assert result.exit_code == 0, result.output
    assert _found(tmp_path) == {("A1", "7"), ("A2", "8")}
    best = _pairs(tmp_path / "out.csv")[0]
    assert "the same deal" in best["reason"]
    assert float(best["share_amount"]) > 0
    assert float(best["share_accounts"]) > 0


def test_files_reads_and_writes_parquet(tmp_path: Path) -> None:
    import duckdb

    (tmp_path / "left.csv").write_text(_LEFT)
    (tmp_path / "right.csv").write_text(_RIGHT)
    for name in ("left", "right"):
        duckdb.execute(
            f"COPY (SELECT * FROM read_csv('{tmp_path / name}.csv', all_varchar=true)) "
            f"TO '{tmp_path / name}.parquet' (FORMAT parquet)"
        )
    out = tmp_path / "out.parquet"
    arguments = [str(tmp_path / "left.parquet"), str(tmp_path / "right.parquet"), "--out", str(out)]
    result = CliRunner().invoke(app, ["files", *arguments])
    assert result.exit_code == 0, result.output
    rows = duckdb.execute(f"SELECT left_id, right_id, score FROM '{out}'").fetchall()
    assert {(left, right) for left, right, score in rows if score > 0.5} == {("1", "a"), ("2", "b")}


@pytest.mark.parametrize(
    "encoded",
    [
        ("\ufeff" + _LEFT).encode("utf-8"),
        _LEFT.encode("utf-16"),
        _LEFT.replace(",", ";").encode(),
        _LEFT.replace(",", "\t").encode(),
        _LEFT.replace("\n", "\r\n").encode(),
        _LEFT.replace("Foods", "Foods Café").encode("cp1252"),
        _LEFT.replace("id,name", " ID , Name ").encode(),
    ],
    ids=["bom", "utf-16", "semicolons", "tabs", "crlf", "windows-1252", "header"],
)
def test_files_reads_what_spreadsheets_write(tmp_path: Path, encoded: bytes) -> None:
    result = _run(tmp_path, encoded)
    assert result.exit_code == 0, result.output
    assert ("1", "a") in _found(tmp_path)


@pytest.mark.parametrize(
    ("left", "message"),
    [
        (b"", "is empty"),
        (b"id,colour\n1,red\n", "none of the columns"),
        (b"id,name\n1,Acme\n1,Borealis\n", "'1' was used by another row"),
        (b"id,name\n,Acme\n", "no id"),
        (b"id,name,name\n1,a,b\n", "is there twice"),
        (b"id,name\n1,Acme,and,more\n", "cells where the header has 2"),
        (b"\x00\x01\x02binary", "not a text file"),
        (b"\xff\xfe\x00", "save it as UTF-8"),
    ],
)
def test_files_says_what_is_wrong_with_a_file(tmp_path: Path, left: bytes, message: str) -> None:
    result = _run(tmp_path, left)
    assert result.exit_code == 1
    assert message in " ".join(result.output.split())


def test_files_says_which_file_is_missing(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["files", "no.csv", "no2.csv", "--out", str(tmp_path / "o")])
    assert result.exit_code == 1
    assert "no.csv: no such file" in result.output


@pytest.mark.parametrize(
    ("left", "expected"),
    [
        ("id,name\n", set()),
        ("id,name\n1,Acme Water\n", {("1", "a")}),
        ("name\nAcme Water\n", {("1", "a")}),
        ("id,name\n1,Acme Water\n1,Acme Water\n", {("1", "a")}),
        ("id,domain\n1,acme.example\n", {("1", "a")}),
        ("id,name\n1,Ltd.\n2,GmbH & Co. KG\n3,S.A.\n", set()),
        ("id,name\n1,A\n2,X\n", set()),
        ("id,name\n1,🚀\n2,🚀 Acme Water\n", {("2", "a")}),
        ("id,name\n1,\n2,\u202eAcme Water\u202c\n", {("2", "a")}),
    ],
    ids=["header", "one row", "no ids", "twice", "domains", "forms", "letters", "emoji", "rtl"],
)
def test_files_makes_sense_of_odd_rows(
    tmp_path: Path, left: str, expected: set[tuple[str, str]]
) -> None:
    result = _run(tmp_path, left)
    assert result.exit_code == 0, result.output
    assert _found(tmp_path) == expected


def test_files_matches_names_of_other_scripts(tmp_path: Path) -> None:
    left = (
        "id,name\n1,株式会社アクメ電機\n2,北极星食品有限公司\n3,شركة النخيل للمياه\n"
        "4,ООО «Северный Ветер»\n5,아크메 주식회사\n"
    )
    right = (
        "id,name\na,アクメ電機\nb,北极星食品\nc,النخيل للمياه\n"
        "d,Severny Veter LLC\ne,Acme Water\nf,阿克米化学\n"
    )
    result = _run(tmp_path, left, right)
    assert result.exit_code == 0, result.output
    assert _found(tmp_path) == {("1", "a"), ("2", "b"), ("3", "c"), ("4", "d")}


def test_files_survives_cells_of_ten_megabytes(tmp_path: Path) -> None:
    huge = "Acme Water " * 1_000_000
    result = _run(tmp_path, f"id,name,description\n1,{huge},{huge}\n2,Borealis Foods,\n")
    assert result.exit_code == 0, result.output
    assert ("2", "b") in _found(tmp_path)


def test_files_bounds_a_crowd_of_one_name(tmp_path: Path) -> None:
    crowd = "id,name,city\n" + "".join(f"{n},Acme,Town{n}\n" for n in range(20_000))
    result = _run(tmp_path, crowd, crowd, "--output", "json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout.splitlines()[-1])
    assert told["pairs_considered"] <= 100 * 20_000


def _labelled(tmp_path: Path, name: str = "set") -> Path:
    folder = tmp_path / name
    folder.mkdir()
    names = [f"{first} {second}" for first in _FIRST for second in ("Water", "Energy", "Foods")]
    (folder / "left.csv").write_text(
        "id,name\n" + "".join(f"l{n},{text} Ltd\n" for n, text in enumerate(names))
    )
    (folder / "right.csv").write_text(
        "id,name\n" + "".join(f"r{n},{text.upper()}\n" for n, text in enumerate(names[::2]))
    )
    (folder / "truth.csv").write_text(
        "left_id,right_id\n" + "".join(f"l{2 * n},r{n}\n" for n in range(len(names[::2])))
    )
    return folder


_FIRST = ("Acme", "Borealis", "Cobalt", "Dune", "Ember", "Fjord", "Gale", "Harbor", "Iris", "Jade")


def test_evaluate_prints_the_figures(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["evaluate", str(_labelled(tmp_path)), "--output", "json"])
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)["sets"]["set"]
    assert figures["f1"] > 0.9
    assert figures["trained_on"] is False


def test_evaluate_says_what_a_folder_lacks(tmp_path: Path) -> None:
    folder = _labelled(tmp_path)
    (folder / "truth.csv").unlink()
    result = CliRunner().invoke(app, ["evaluate", str(folder)])
    assert result.exit_code == 1
    assert "has no truth.csv" in " ".join(result.output.split())


def test_train_writes_a_model_and_refuses_a_worse_one(tmp_path: Path) -> None:
    one, two = _labelled(tmp_path, "one"), _labelled(tmp_path, "two")
    out = tmp_path / "model.json"
    arguments = ["train", str(one), str(two), "--out", str(out), "--version", "t1"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    model = json.loads(out.read_text())
    assert model["version"] == "t1"
    assert set(model["training"]["company"]["held_out"]) == {"one", "two"}

    wrong = (two / "truth.csv").read_text().splitlines()
    (two / "truth.csv").write_text("\n".join([wrong[0], *(w[:-1] + "1" for w in wrong[1:2])]))
    worse = tmp_path / "worse.json"
    again = [*arguments[:3], "--out", str(worse), "--model", str(out)]
    result = CliRunner().invoke(app, again)
    assert result.exit_code == 1
    assert "worse than the active model" in " ".join(result.output.split())
    assert not worse.exists()
    assert CliRunner().invoke(app, [*again, "--force"]).exit_code == 0


def test_train_needs_something_to_learn_from() -> None:
    result = CliRunner().invoke(app, ["train"])
    assert result.exit_code == 2
    assert "nothing to learn from" in result.output
