"""Records and the shipped model for the tests of matching."""

from __future__ import annotations

from functools import cache
from typing import Any

from streams.match.model import MatcherModel
from streams.match.records import MatchRecord
from workers.file_matching.model_files import load_model


@cache
def shipped_model() -> MatcherModel:
    """The model that ships with the pack."""
    return load_model(None)


def company(side: str, record_id: str, name: str | None, **fields: Any) -> MatchRecord:
    """A record of a company."""
    return MatchRecord.from_fields(side, record_id, {"name": name, **fields})


def deal(side: str, record_id: str, name: str, title: str, **fields: Any) -> MatchRecord:
    """A record of a deal, open and with usual dates unless said otherwise."""
    usual = {
        "created_at": "2026-09-01T00:00:00Z",
        "expected_close": "2026-12-15",
        "is_open": True,
    }
    return MatchRecord.from_fields(
        side, record_id, {**usual, "company_name": name, "title": title, **fields}
    )
