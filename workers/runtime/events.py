"""From records to events: what every worker that hears events does first."""

from __future__ import annotations

from typing import TypeVar

from pydantic import ValidationError

from schemas.event import Event
from schemas.results import Rejected
from workers.runtime.processor import Incoming

Heard = TypeVar("Heard", bound=Event)


def parsed_event(record: Incoming, model: type[Heard]) -> Heard | Rejected:
    """The event that a record holds; a record that holds no such event is rejected."""
    try:
        return model.model_validate_json(record.value or b"")
    except ValidationError as problem:
        first = problem.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or None
        return Rejected("invalid_event", place, f"no {model.__name__}: {first['msg']}")


def heard_event(record: Incoming, model: type[Heard] | None) -> Heard | Rejected | None:
    """The event of a record on a topic that may hold other kinds too.

    None where there is nothing to hear: a tombstone, another kind of event, a topic without a `model`.
    """
    if record.value is None or model is None:
        return None
    schema = record.header("schema")
    if schema is not None and schema != model.__name__:
        return None
    return parsed_event(record, model)
