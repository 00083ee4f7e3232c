"""Finds what the sender wrote now, without what he quotes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.contracts.mail import Address


def new_text(text: str, html: str | None, *, is_reply: bool) -> str:
    """The new part of `text`."""
    return text.strip()


def forwarded_from(text: str, subject: str) -> Address | None:
    """The original sender of a forwarded mail."""
    return None
