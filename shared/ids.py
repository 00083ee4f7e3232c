"""Ids derived from their cause, so that doing a thing again names the same thing."""

from __future__ import annotations

import hashlib


def derived_id(*causes: str) -> str:
    """32 hex digits that depend on every cause and on nothing else."""
    digest = hashlib.sha256()
    for cause in causes:
        part = cause.encode("utf-8", "surrogatepass")
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()[:32]


def id_under(owner: str, *causes: str) -> str:
    """An id that begins with its owner's: all that one owner has lies together, and needs no index to be found."""
    return f"{beginning_under(owner)}{derived_id(*causes)[:16]}"


def beginning_under(owner: str) -> str:
    """How the ids of all that one owner has begin."""
    return f"{owner}-"


def mail_id(inbox: str, source_id: str | None, sha256: str) -> str:
    """The identity of a mail: inbox, source id or none, the exact bytes received."""
    return derived_id("mail", inbox, "" if source_id is None else f"={source_id}", sha256)
