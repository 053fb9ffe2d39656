"""People's word on companies: two members are one company, or are not (CORE-5)."""

from __future__ import annotations

from typing import Literal
from uuid import uuid4

from connectors.postgres.company_evidence import Word, forget_word, keep_word
from connectors.postgres.dirty import mark_dirty
from connectors.postgres.matches import Place
from connectors.postgres.outbox import message
from connectors.postgres.pool import transaction
from schemas.events import AuditRecorded
from schemas.topics import AUDIT_EVENT
from workers.company_marks import member_item
from workers.context import WorkerContext

Saying = Literal["same", "different", "undo"]
_ACTIONS: dict[Saying, str] = {
    "same": "companies.joined",
    "different": "companies.separated",
    "undo": "companies.word_undone",
}


async def say(
    context: WorkerContext,
    place: Place,
    saying: Saying,
    members: tuple[str, str],
    reason: str,
    actor: str,
) -> bool:
    """Keeps a person's word, audits it and has both members' companies found anew.

    False where there was no word to take back; nothing is changed then.
    """
    first, second = members
    async with transaction(context.pool) as connection:
        if saying == "undo":
            if not await forget_word(connection, place, first, second):
                return False
        else:
            await keep_word(connection, place, Word(first, second, saying, actor, reason))
        marks = [member_item(place, member, f"{actor} says {saying}") for member in members]
        await mark_dirty(connection, "companies", marks)
        now = context.clock.wall()
        audited = AuditRecorded(
            tenant=place.tenant,
            pack=place.pack,
            emitted_at=now,
            event_id=str(uuid4()),
            at=now,
            actor=actor,
            action=_ACTIONS[saying],
            subject=f"company/{first}",
            reason=reason,
            payload={"members": list(members)},
        )
        await context.outbox.put(connection, [message(AUDIT_EVENT, audited, state=False)])
    await context.relay.flush()
    return True
