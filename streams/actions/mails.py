"""Notices as e-mails: subject and text (ACT-1)."""

from __future__ import annotations

from streams.actions.notices import Notice

REPORT, TEST = "decision.report", "test"
_WHAT = {
    "review.opened": "A decision waits for review",
    "review.warned": "A review nears its time",
    "review.breached": "A review is over its time",
    "review.proposed": "An answer waits for a second person",
    "review.answered": "A review was answered",
    "review.withdrawn": "A review is no longer needed",
    "review.assigned": "A review was assigned",
    "review.renewed": "A review has a newer decision",
    "decision.made": "A decision was made",
    "decision.superseded": "A decision no longer stands",
}


def subject(notice: Notice) -> str:
    """The subject of the mail about a notice."""
    if notice.type == REPORT:
        return f"What was decided until {notice.at:%Y-%m-%d %H:%M} UTC ({notice.pack})"
    if notice.type == TEST:
        return "This is a test"
    kind = notice.data.get("kind")
    what = _WHAT[notice.type]
    if kind in {"appeal", "drift", "override"}:
        what += f" ({kind})"
    return f"{what}: {notice.left} ↔ {notice.right}"


def text(notice: Notice) -> str:
    """The text of the mail: what happened, why, what is at stake, and what to do."""
    data = notice.data
    if notice.type in {REPORT, TEST}:
        return str(data["text"])
    lines = [subject(notice), ""]
    if data.get("summary"):
        lines.append(str(data["summary"]))
    lines += [f"- {reason}" for reason in data.get("reasons", ())]
    if data.get("value") is not None:
        until = f", to be won until {data['deadline']}" if data.get("deadline") else ""
        lines.append(f"At stake: {data['value']} {data.get('unit', '')}{until}.")
    for label, name in (("Owner", "owner"), ("Assigned to", "assignee"), ("By", "actor")):
        if data.get(name):
            lines.append(f"{label}: {data[name]}.")
    if data.get("reason"):
        lines.append(f"Reason: {data['reason']}")
    if notice.type.startswith("review.") and data.get("due_at"):
        lines.append(f"An answer is due by {data['due_at']}.")
    pair = f"{notice.left}:{notice.right}"
    lines += ["", f"revops decisions explain {pair}", f"revops reviews show {pair}"]
    return "\n".join(lines) + "\n"
