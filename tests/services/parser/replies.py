"""A reply as the tests of reply trimming write one: what is new in it, what it answers, and what is read of it."""

from __future__ import annotations

from services.parser import reply

NEW = "It still prints nothing.\nPlease send somebody."
OLD = "Have you tried another tray?\nThe lower one works."
QUOTED = "> Have you tried another tray?\n> The lower one works."


def new_text(text: str, html: str | None = None) -> str:
    """What the sender of this reply wrote, as the parser reads it."""
    return reply.read(text, html, is_reply=True).new_text
