"""Billing exports read and summed by DuckDB: one pass over the rows, whatever their number.

Rows are summed by their keys as they are written; keys are read once for each sum, not for each row.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import duckdb

from connectors.billing_exports import statements
from connectors.billing_exports.columns import ExportColumns, ExportError, columns_of
from streams.normalise.transforms import Flagged, account_id

_MEMORY = "1400MB"
_HASHED_AT_ONCE = 1024 * 1024
_ENDING = re.compile(r"\.(csv(\.gz|\.zst)?|parquet)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ReadingRules:
    """How an export is read. `month`: rows of other months are rejected; `amount`: its cost column."""

    month: date | None = None
    amount: str | None = None
    with_tax: bool = False

    def text(self) -> str:
        return f"{self.month}/{self.amount}/{self.with_tax}"


@dataclass(slots=True)
class Reading:
    """What was found in the files: rows in all, rejected by reason, taken, and notes on accounts."""

    standard: str
    rows: int = 0
    taken: int = 0
    tax_rows: int = 0
    rejected: dict[str, int] = field(default_factory=dict[str, int])
    notes: list[str] = field(default_factory=list[str])

    @property
    def rejected_rows(self) -> int:
        return sum(self.rejected.values())


def fingerprint(paths: Sequence[Path], read_as: str) -> str:
    """SHA-256 over the contents of files, in the order of their contents, and how they are read.

    Raises ExportError where two of them are the same: their rows would count twice.
    """
    by_hash: dict[str, Path] = {}
    for path in checked(paths):
        if same := by_hash.get(contents := _hash(path)):
            raise ExportError(f"{same} and {path} hold the same; name one of them")
        by_hash[contents] = path
    hashes = sorted(by_hash)
    return hashlib.sha256("\n".join([*hashes, read_as]).encode()).hexdigest()


def _hash(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(_HASHED_AT_ONCE):
            digest.update(part)
    return digest.hexdigest()


class ExportReader:
    """Sums of billing exports, in a database of its own that goes with it."""

    def __init__(self, paths: Sequence[Path], rules: ReadingRules, folder: Path) -> None:
        self._rules = rules
        self._folder = folder
        self.database = duckdb.connect(
            config={
                "memory_limit": _MEMORY,
                "temp_directory": str(folder),
                "preserve_insertion_order": "false",
            }
        )
        self._paths = checked(paths)
        self.columns = self._find_columns()

    def close(self) -> None:
        self.database.close()

    def read(self) -> Reading:
        """Reads all files; the sums are then in the table `cells`. Raises ExportError."""
        with _plainly(self._paths):
            self.database.execute(statements.sums(self._paths, self.columns))
        reading = Reading(self.columns.standard)
        rules = self._rules
        self.database.execute(statements.judged(rules.month, with_tax=rules.with_tax))
        self._read_accounts(reading)
        self.database.execute(statements.CELLS)
        self._count(reading)
        self._look_for_overlap(reading)
        return reading

    def months(self) -> list[date]:
        """The months that have rows, in order."""
        found = self.database.execute("select distinct month from cells order by 1").fetchall()
        return [month for (month,) in found]

    def month_file(self, month: date) -> Path:
        """A CSV file with the month's lines: an account a row, in PostgreSQL's array notation."""
        path = self._folder / f"{month}.csv"
        self.database.execute(
            f"copy ({statements.MONTH_LINES}) to '{statements.quoted(path)}' (format csv, header false)",
            [month],
        )
        return path

    def rejected_rows(self, most: int) -> tuple[list[str], list[tuple[object, ...]]]:
        """Rows that were rejected, with file and reason: column names, and `most` of them."""
        statement = statements.rejects(self._paths, self.columns, self._rules.month)
        result = self.database.execute(statement, [most])
        return [column[0] for column in result.description or ()], result.fetchall()

    def _find_columns(self) -> ExportColumns:
        first: tuple[Path, ExportColumns] | None = None
        for path in self._paths:
            with _plainly([path]):
                result = self.database.execute(f"select * from {statements.source([path])} limit 0")
                names = [column[0] for column in result.description or ()]
            try:
                columns = columns_of(names, amount=self._rules.amount)
            except ExportError as problem:
                raise ExportError(f"{path}: {problem}") from problem
            if first is not None and columns.standard != first[1].standard:
                raise ExportError(
                    f"{path} is {columns.standard} and {first[0]} is {first[1].standard}: "
                    "import them by themselves, as exports of their own"
                )
            first = first or (path, columns)
            if columns.invoice is None and first[1].invoice is not None:
                first = (path, columns)  # what one file lacks is not known of all
        if first is None:
            raise ExportError("no file is named")
        return first[1]

    def _read_accounts(self, reading: Reading) -> None:
        """Reads account ids as the captured ones are read: lost leading zeros come back."""
        texts = self.database.execute(
            "select account_text from judged union select payer_text from judged"
        ).fetchall()
        known = {text: account_id(text) for (text,) in texts if text}
        rows = [
            (text, one.value if isinstance(one, Flagged) else one, _flag(one))
            for text, one in known.items()
        ]
        self.database.execute("create table accounts (text varchar, id varchar, flag varchar)")
        columns = [list(column) for column in zip(*rows, strict=True)] or [[], [], []]
        self.database.execute(
            "insert into accounts select unnest(?::varchar[]), unnest(?::varchar[]), unnest(?::varchar[])",
            columns,
        )
        for flag, told in (
            ("repaired", "account ids had lost leading zeros or held separators"),
            ("malformed", "account ids are not 12 digits; they are kept as they are"),
        ):
            if count := sum(row[2] == flag for row in rows):
                reading.notes.append(f"{count} {told}")

    def _count(self, reading: Reading) -> None:
        database = self.database
        for reason, count in database.execute(
            "select problem, sum(rows)::bigint from judged where problem is not null group by 1 order by 1"
        ).fetchall():
            reading.rejected[reason] = count
        unpriced = _one(
            database,
            "select sum(rows - priced)::bigint from judged where problem is null and not tax",
        )
        if unpriced:
            reading.rejected["amount is no number"] = unpriced
        reading.taken = _one(database, "select sum(rows)::bigint from cells")
        reading.rows = _one(database, "select sum(rows)::bigint from judged")
        reading.tax_rows = _one(database, "select sum(rows)::bigint from judged where tax")

    def _look_for_overlap(self, reading: Reading) -> None:
        """Notes line items that stand in several files; a provider does not promise that each has one id."""
        if len(self._paths) == 1 or self.columns.line is None:
            return
        statement = statements.in_several_files(self._paths, self.columns)
        row = self.database.execute(statement).fetchone()
        if row and row[0]:
            reading.notes.append(
                f"{row[0]:,} line items stand in more than one file and count in each, some in {row[1]} and "
                f"{row[2]}: if one of these delivers the other again, import it by itself"
            )


def files_in(paths: Iterable[Path]) -> list[Path]:
    """The files named, and those of folders: CSV and Parquet at any depth, as exports are delivered.

    Raises ExportError for a folder without any.
    """
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        of_folder = [one for one in sorted(path.rglob("*")) if _ENDING.search(one.name)]
        if not of_folder:
            raise ExportError(f"{path}: there is no CSV or Parquet file in this folder")
        found += of_folder
    return found


def checked(paths: Iterable[Path]) -> list[Path]:
    """The files, which are there, not empty and of one kind. Raises ExportError."""
    found = list(paths)
    for path in found:
        if not path.is_file():
            raise ExportError(f"{path}: no such file")
        if path.stat().st_size == 0:
            raise ExportError(f"{path} is empty")
    kinds = {statements.is_parquet(path) for path in found}
    if len(kinds) > 1:
        raise ExportError("CSV and Parquet files are imported by themselves")
    return found


def _flag(one: object) -> str | None:
    return one.flag if isinstance(one, Flagged) else None


def _one(database: duckdb.DuckDBPyConnection, statement: str) -> int:
    row = database.execute(statement).fetchone()
    return int(row[0] or 0) if row else 0


@contextmanager
def _plainly(paths: Sequence[Path]) -> Iterator[None]:
    """Says which file cannot be read, and nothing of it is imported."""
    try:
        yield
    except duckdb.Error as problem:
        told = str(problem).splitlines()[0]
        names = ", ".join(str(path) for path in paths)
        raise ExportError(
            f"{names}: cannot be read to the end ({told}); nothing was imported. Fetch it again"
        ) from problem
