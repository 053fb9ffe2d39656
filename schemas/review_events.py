"""Events of reviews and actions: people's commands, the queue, and who was told (WF-1..WF-9, ACT-4)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Literal

from pydantic import AwareDatetime

from schemas.event import Event


class ReviewCommanded(Event):
    """A person acts on a decision, or asks for a new judgement. Topic `command.review`.

    `reevaluate` judges the pair again by today's rules (WF-9); `seen_version` is the version of the
    decision that the person saw (WF-3).
    """

    command_id: str
    verdict: Literal["approve", "reject", "override", "appeal", "assign", "reevaluate"]
    left: str
    right: str
    actor: str
    reason: str = ""
    seen_version: int | None = None
    assignee: str | None = None

    def key_parts(self) -> dict[str, str]:
        return {"left": self.left, "right": self.right}


class ReviewUpdated(Event):
    """An entry of the review queue changed. Topic `<pack>.review`.

    `value` in `unit` is what is at stake, `deadline` until when. A `breached` entry is over its time
    and the leads' concern; nothing is ever approved by time alone.
    """

    entry_id: str
    kind: Literal["review", "appeal", "drift", "override"]
    change: Literal[
        "opened", "renewed", "withdrawn", "assigned", "warned", "breached", "proposed", "answered"
    ]
    left: str
    right: str
    decision_id: str
    decision_version: int
    reasons: tuple[str, ...] = ()
    value: Decimal | None = None
    unit: str = ""
    deadline: date | None = None
    owner: str | None = None
    opened_at: AwareDatetime
    due_at: AwareDatetime
    assignee: str | None = None
    actor: str = ""
    verdict: Literal["approve", "reject"] | None = None
    reason: str = ""

    def key_parts(self) -> dict[str, str]:
        return {"left": self.left, "right": self.right}


class ReviewCommandAnswered(Event):
    """What became of a person's command; `code` is `done` or why nothing changed. Topic `<pack>.review`."""

    command_id: str
    verdict: str
    left: str
    right: str
    actor: str
    code: str
    message: str = ""

    def key_parts(self) -> dict[str, str]:
        return {"left": self.left, "right": self.right}


class ActionTaken(Event):
    """Somebody outside was told, or could not be told. Topic `<pack>.action`.

    `detail` says why it failed; a `dead` delivery is tried no more until somebody says so.
    """

    delivery_id: str
    decision_id: str
    left: str
    right: str
    channel: Literal["webhook", "mail", "draft"]
    target: str
    type: str
    status: Literal["delivered", "dead"]
    attempts: int
    detail: str = ""

    def key_parts(self) -> dict[str, str]:
        return {"left": self.left, "right": self.right}
