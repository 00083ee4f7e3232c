"""Ids derived from their cause, so that repeating an action gives the same ids."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

_LENGTHS: Final = tuple("\0" * 7 + chr(length) for length in range(128))
"""The lengths of short ASCII texts, as eight bytes."""


def derived_id(*causes: str) -> str:
    """32 hex digits that depend on every cause and on nothing else.

    Each cause is hashed behind its length in UTF-8, eight bytes. A mail has two dozen ids, and most causes are short
    ASCII texts, whose lengths are at hand.
    """
    try:
        text = "".join([_LENGTHS[len(cause)] + cause for cause in causes])
    except IndexError:
        return _derived_of_any(causes)
    return hashlib.sha256(text.encode()).hexdigest()[:32] if text.isascii() else _derived_of_any(causes)


def _derived_of_any(causes: Sequence[str]) -> str:
    parts = list[bytes]()
    for cause in causes:
        part = cause.encode("utf-8", "surrogatepass")
        parts += (len(part).to_bytes(8, "big"), part)
    return hashlib.sha256(b"".join(parts)).hexdigest()[:32]


def id_under(owner: str, *causes: str) -> str:
    """An id that begins with its owner's id, so that everything of one owner is found without a further index."""
    return f"{beginning_under(owner)}{derived_id(*causes)[:16]}"


def beginning_under(owner: str) -> str:
    """The common beginning of all ids that belong to one owner."""
    return f"{owner}-"


def mail_id(inbox: str, source_id: str | None, sha256: str) -> str:
    """The identity of a mail: inbox, source id or none, the exact bytes received."""
    return derived_id("mail", inbox, "" if source_id is None else f"={source_id}", sha256)
