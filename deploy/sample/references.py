"""The foreign keys of the sample schemas, read from their scripts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib import resources

_KEY = re.compile(
    r"ADD FOREIGN KEY \((\w+)\) REFERENCES (\w+) \(id\) ON DELETE (SET NULL|CASCADE|RESTRICT)"
)


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """`table.column` points to `referenced.id`; `on_delete` is SET NULL, CASCADE or RESTRICT."""

    table: str
    column: str
    referenced: str
    on_delete: str


@cache
def foreign_keys(database: str) -> tuple[ForeignKey, ...]:
    """All foreign keys of the `odoo` or the `apn` database."""
    text = resources.files("deploy.sample").joinpath(f"{database}.sql").read_text(encoding="utf-8")
    return tuple(
        ForeignKey(table, *found)
        for table, body in re.findall(r"ALTER TABLE (\w+)\s+(ADD FOREIGN KEY.*?);", text, re.DOTALL)
        for found in _KEY.findall(body)
    )
