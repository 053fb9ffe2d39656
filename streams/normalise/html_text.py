"""The readable text of an HTML field."""

from __future__ import annotations

import html
import re

_UNSEEN = re.compile(r"<!--|<(script|style|head|title)\b", re.IGNORECASE)
_BREAKS = re.compile(
    r"<\s?/?(?:br|p|div|li|ul|ol|tr|table|h[1-6]|section|article|blockquote)\b[^<>]*>",
    re.IGNORECASE,
)
_TAG = re.compile(r"<[/!]?[A-Za-z][^<>]*>")
_BLANKS = re.compile(r"[ \t\r\f\v\u00a0]+")
_LINES = re.compile(r" ?\n[ \n]*")


def plain_text(markup: str) -> str:
    """Text without tags, scripts and entities; block elements begin a new line.

    Linear in the length of the text: a description of megabytes is valid input. Text that is no
    HTML comes back with its blanks collapsed ("5 < 6" stays).
    """
    text = markup
    if "<" in text:
        text = _without_unseen(text)
        text = _BREAKS.sub("\n", text)
        text = _TAG.sub("", text)
    if "&" in text:
        text = html.unescape(text)
    text = _BLANKS.sub(" ", text)
    return _LINES.sub("\n", text).strip()


def _without_unseen(text: str) -> str:
    """The text without comments and without elements that a browser does not show."""
    kept: list[str] = []
    at = 0
    lowered = text.lower()
    if len(lowered) != len(text):  # some capitals grow when lowered; places must agree
        lowered = text
    while found := _UNSEEN.search(text, at):
        kept.append(text[at : found.start()])
        element = found.group(1)
        end = f"</{element.lower()}" if element else "-->"
        closed = lowered.find(end, found.end())
        if closed < 0:  # never closed: a browser shows nothing of the rest either
            return " ".join(kept)
        at = lowered.find(">", closed) + 1 or len(text)
    kept.append(text[at:])
    return " ".join(kept)
