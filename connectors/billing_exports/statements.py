"""The statements that DuckDB reads billing exports by.

`sums` holds rows summed by their keys as they are written, in one pass over the files; `judged` the keys
as they are read, and what keeps a sum out; the view `cells` is what is imported.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from connectors.billing_exports.columns import ExportColumns

_AMOUNT = "DECIMAL(38, 18)"
_LONGEST_LINE = 16 * 1024 * 1024
_CSV = f"""all_varchar = true, header = true, delim = ',', quote = '"', escape = '"', union_by_name = true,
 nullstr = ['NULL', ''], allow_quoted_nulls = true, max_line_size = {_LONGEST_LINE}"""
_ORDER = "order by product_code, line_type, currency, unit"


def is_parquet(path: Path) -> bool:
    """Whether a file is Parquet, by its name; AWS compresses within the file."""
    return ".parquet" in path.suffixes


def source(paths: Sequence[Path], *, filename: bool = False) -> str:
    """The files as a table; every column of CSV is text."""
    names = ", ".join(f"'{quoted(path)}'" for path in paths)
    named = ", filename = true" if filename else ""
    if is_parquet(paths[0]):
        return f"read_parquet([{names}], union_by_name = true{named})"
    return f"read_csv([{names}], {_CSV}{named})"


def sums(paths: Sequence[Path], columns: ExportColumns) -> str:
    """Makes `sums`. `priced` counts the rows whose amount is a number, `invoiced` those with an invoice."""
    c = columns
    return f"""
create table sums as
select {_account(c)} as account_text, {_month(c)} as month, {_text(c.currency)} as currency,
       {_text(c.product)} as product_code, {_text(c.line_type)} as line_type, {_text(c.unit)} as unit,
       {_text(c.payer)} as payer_text, {_text(c.product_name)} as product_name,
       sum({_number(c.amount)}) as amount, sum({_number(c.quantity)}) as quantity,
       count({_number(c.amount)}) as priced, count(nullif({_text(c.invoice)}, '')) as invoiced,
       count(*) as rows
  from {source(paths)} group by all"""


def judged(month: date | None, *, with_tax: bool) -> str:
    """Makes `judged`: trimmed keys, `tax` for rows that are left out, and the `problem` of each sum."""
    tax = "false" if with_tax else "coalesce(lower(trim(line_type)) = 'tax', false)"
    return f"""
create table judged as
select nullif(trim(account_text), '') as account_text, nullif(trim(payer_text), '') as payer_text,
       month, trim(currency) as currency, coalesce(trim(product_code), '') as product_code, product_name,
       lower(trim(line_type)) as line_type, trim(unit) as unit, amount, quantity, priced, rows,
       invoiced = rows as final, {tax} as tax, case when not {tax} then {_problem(month)} end as problem
  from sums"""


CELLS = """
create view cells as
select a.id as account_id, p.id as payer, month, product_code, product_name, line_type, currency, unit,
       amount, quantity, priced as rows, final
  from judged j join accounts a on a.text = j.account_text left join accounts p on p.text = j.payer_text
 where problem is null and not tax and priced > 0"""


def rejects(paths: Sequence[Path], columns: ExportColumns, month: date | None) -> str:
    """Reads rows that were kept out, with file and reason; its parameter is how many at most."""
    c = columns
    return f"""
with lines as (
  select filename as file, nullif(trim({_account(c)}), '') as account_text, {_text(c.month)} as month_text,
         {_month(c)} as month, trim({_text(c.currency)}) as currency, {_text(c.amount)} as amount_text,
         {_text(c.product)} as product_code, {_text(c.line_type)} as line_type,
         {_number(c.amount)} as amount
    from {source(paths, filename=True)}),
told as (
  select *, coalesce({_problem(month)}, case when amount is null then 'amount is no number' end) as reason
    from lines)
select reason, file, account_text as account, month_text as month, product_code as product, line_type,
       amount_text as amount, currency
  from told where reason is not null limit ?"""


def in_several_files(paths: Sequence[Path], columns: ExportColumns) -> str:
    """Reads how many line items stand in more than one file, and two files that have one in common."""
    return f"""
with lines as (
  select min(filename) as first, max(filename) as last from {source(paths, filename=True)}
   where {_text(columns.line)} is not null
   group by hash({_text(columns.line)}, {_text(columns.interval)}))
select count(*), any_value(first), any_value(last) from lines where first <> last"""


def _quoted_text(column: str) -> str:
    """Text as an element of PostgreSQL's notation of an array."""
    return rf"""'"' || replace(replace({column}, '\', '\\'), '"', '\"') || '"'"""


def _decimal(column: str) -> str:
    """A decimal without the zeros that only fill its scale."""
    return f"rtrim(rtrim({column}::varchar, '0'), '.')"


_ELEMENTS = {
    "product_code": _quoted_text("product_code"),
    "product_name": _quoted_text("product_name"),
    "line_type": _quoted_text("line_type"),
    "currency": _quoted_text("currency"),
    "amount": _decimal("amount"),
    "quantity": _decimal("quantity"),
    "unit": _quoted_text("unit"),
    "rows": "rows::varchar",
}
_LINE = ", ".join(f"{name}: coalesce({value}, 'NULL')" for name, value in _ELEMENTS.items())
_ARRAYS = ", ".join(
    f"'{{' || array_to_string([line.{name} for line in lines], ',') || '}}'" for name in _ELEMENTS
)

MONTH_LINES = f"""
with accounts_lines as (
  select account_id, max(payer) as payer, bool_and(final) as final, list({{{_LINE}}} {_ORDER}) as lines
    from cells where month = ? group by account_id)
select account_id, payer, final, {_ARRAYS} from accounts_lines order by account_id"""


def quoted(path: Path) -> str:
    """A path within the quotes of SQL."""
    return str(path).replace("'", "''")


def _account(columns: ExportColumns) -> str:
    """The account a row is for: the payer's own where the row names no other (FOCUS)."""
    return f"coalesce(nullif({_text(columns.account)}, ''), {_text(columns.payer)})"


def _month(columns: ExportColumns) -> str:
    """The first day of the month that a time or date is in; null where it is neither."""
    return f"date_trunc('month', try_cast(left({_text(columns.month)}, 10) as date))::date"


def _text(column: str | None) -> str:
    return "null::varchar" if column is None else f"{_identifier(column)}::varchar"


def _number(column: str | None) -> str:
    """A number, or null. The cast stands apart from the column, or the CSV reader would do it: strictly."""
    return f"try_cast(nullif({_text(column)}, '') as {_AMOUNT})"


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _problem(month: date | None) -> str:
    """What keeps a row out, as its keys are written; null where nothing does."""
    other = "" if month is None else f"when month <> date '{month}' then 'another month'"
    return f"""case when nullif(trim(account_text), '') is null then 'no account'
    when month is null then 'month is no date' {other}
    when not coalesce(regexp_full_match(trim(currency), '[A-Z]{{3}}'), false) then 'no currency' end"""
