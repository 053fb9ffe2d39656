"""Tables from CSV and Parquet files as rows of text, and back; what is wrong is said plainly."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

MAXIMUM_CELL = 64 * 1024 * 1024
_BYTE_ORDER_MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_DELIMITERS = ",;\t|"

Row = Mapping[str, str]


class TableError(ValueError):
    """A file that cannot be used; the message says what is wrong and what to do."""


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of a file, each with its id under "id"; `notes` tell what was taken care of."""

    path: Path
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]


def read_table(path: Path, *, needs_one_of: Sequence[str] = ()) -> Table:
    """The table of a CSV or Parquet file, column names in lower case without outer spaces.

    CSV may be UTF-8 (with or without byte order mark), UTF-16 with one, or else is read as
    Windows-1252; the delimiter is found among comma, semicolon, tab and bar. A file without an
    `id` column gets its row numbers as ids. Raises `TableError` for a missing or empty file, one
    without any of the columns `needs_one_of`, a torn row, or an id that two different rows share.
    """
    if not path.is_file():
        raise TableError(f"{path}: no such file")
    if path.stat().st_size == 0:
        raise TableError(
            f"{path} is empty: it needs a header row, e.g. id,name,domain,city,country"
        )
    columns, rows, notes = (
        _read_parquet(path) if path.suffix.casefold() == ".parquet" else _read_csv(path)
    )
    if needs_one_of and not set(columns) & set(needs_one_of):
        raise TableError(
            f"{path} has none of the columns {', '.join(needs_one_of)} to match by; it has "
            f"{', '.join(columns) or 'no columns'}. Rename its columns"
        )
    rows, more = _with_ids(path, columns, rows)
    return Table(path, columns, tuple(rows), (*notes, *more))


def write_rows(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
    """Write rows to a CSV file, or to Parquet where the name ends in .parquet; how many."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix.casefold() == ".parquet":
        return _write_parquet(path, columns, rows)
    count = 0
    with path.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(columns)
        for row in rows:
            writer.writerow(row)
            count += 1
    return count


def _read_csv(path: Path) -> tuple[tuple[str, ...], list[dict[str, str]], list[str]]:
    text, notes = _decoded(path)
    csv.field_size_limit(MAXIMUM_CELL)
    lines = text.splitlines(keepends=True)
    reader = csv.reader(lines, delimiter=_delimiter(lines[0]) if lines else ",")
    try:
        header = next(reader, [])
        columns = tuple(name.strip().casefold() for name in header)
        twice = [name for name, count in Counter(columns).items() if count > 1 and name]
        if twice:
            raise TableError(f"{path}: column {twice[0]!r} is there twice; rename one of them")
        rows: list[dict[str, str]] = []
        for row in reader:
            if not any(row):
                continue
            if len(row) > len(columns):
                raise TableError(
                    f"{path}, line {reader.line_num}: {len(row)} cells where the header has "
                    f"{len(columns)}; put cells that hold the delimiter into double quotes"
                )
            rows.append(dict(zip(columns, row, strict=False)))
    except csv.Error as error:
        raise TableError(
            f"{path}, line {reader.line_num}: not readable as CSV ({error})"
        ) from error
    return columns, rows, notes


def _decoded(path: Path) -> tuple[str, list[str]]:
    data = path.read_bytes()
    for mark, encoding in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            try:
                return data.decode(encoding), []
            except UnicodeDecodeError as error:
                raise TableError(
                    f"{path} begins like {encoding} but is not ({error}); save it as UTF-8"
                ) from error
    if b"\x00" in data[:4096]:
        raise TableError(f"{path} is not a text file; save it as CSV in UTF-8 or as Parquet")
    try:
        return data.decode("utf-8"), []
    except UnicodeDecodeError:
        text = data.decode("cp1252", errors="replace")
        return text, [f"{path} is not UTF-8; read as Windows-1252. Save it as UTF-8 to be sure"]


def _delimiter(header: str) -> str:
    counts = {delimiter: header.count(delimiter) for delimiter in _DELIMITERS}
    return max(counts, key=lambda delimiter: counts[delimiter])


def _read_parquet(path: Path) -> tuple[tuple[str, ...], list[dict[str, str]], list[str]]:
    import duckdb

    try:
        with duckdb.connect() as database:
            found = database.execute("SELECT * FROM read_parquet(?)", [str(path)])
            columns = tuple(str(entry[0]).strip().casefold() for entry in found.description or ())
            rows = [dict(zip(columns, map(_cell, row), strict=True)) for row in found.fetchall()]
    except duckdb.Error as error:
        raise TableError(f"{path} is not readable as Parquet: {error}") from error
    return columns, rows, []


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return ";".join(str(item) for item in value)
    return str(value)


def _with_ids(
    path: Path, columns: Sequence[str], rows: list[dict[str, str]]
) -> tuple[list[dict[str, str]], list[str]]:
    if "id" not in columns:
        for number, row in enumerate(rows, start=1):
            row["id"] = str(number)
        return rows, [f"{path} has no column id; row numbers stand for it"] if rows else []
    kept: dict[str, dict[str, str]] = {}
    repeated = 0
    for number, row in enumerate(rows, start=2):
        row["id"] = row.get("id", "").strip()
        if not row["id"]:
            raise TableError(f"{path}, row {number}: no id; every row needs one")
        before = kept.setdefault(row["id"], row)
        if before is row:
            continue
        if before != row:
            raise TableError(
                f"{path}, row {number}: id {row['id']!r} was used by another row before; "
                "ids must be unique, or leave the column out to use row numbers"
            )
        repeated += 1
    notes = [f"{path}: {repeated} rows were there twice; each is used once"] if repeated else []
    return list(kept.values()), notes


def _write_parquet(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
    import duckdb

    data = [tuple(row) for row in rows]
    kinds = ", ".join(
        f'"{name}" {"DOUBLE" if data and isinstance(data[0][at], float) else "VARCHAR"}'
        for at, name in enumerate(columns)
    )
    with duckdb.connect() as database:
        database.execute(f"CREATE TABLE pairs ({kinds})")
        if data:
            marks = ", ".join("?" for _ in columns)
            database.executemany(f"INSERT INTO pairs VALUES ({marks})", data)
        database.execute(
            f"COPY pairs TO '{str(path).replace(chr(39), chr(39) * 2)}' (FORMAT parquet)"
        )
    return len(data)
