"""What the companies worker finds marked for it (`ops.dirty`)."""

from __future__ import annotations

import orjson

from connectors.postgres.dirty import DirtyItem
from connectors.postgres.matches import Place

RECORD, MEMBER, MOVED = "record", "member", "moved"
"""A record to be looked at, a member that a person spoke of, a member that came into another company."""


def member_item(place: Place, member: str, reason: str) -> DirtyItem:
    """The mark of a member whose company is to be found anew."""
    return DirtyItem(place.tenant, MEMBER, _id(place.pack, member), reason)


def moved_item(place: Place, member: str, before: str) -> DirtyItem:
    """The mark of a member that was in the company `before`."""
    return DirtyItem(place.tenant, MOVED, _id(place.pack, member, before), "company changed")


def _id(*parts: str) -> str:
    return orjson.dumps(parts).decode()
