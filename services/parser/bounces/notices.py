"""Reads delivery notices that a sending service posts as JSON (Amazon SES through SNS).

Separate because nothing in them looks like a report to a person; the names in the JSON are the format.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from services.parser.bounces import codes
from services.parser.bounces.fields import Told

MAX_CHARS: Final = 262_144


@dataclass(frozen=True, slots=True)
class Notice:
    """What happened: `bounce`, `delivery` or `complaint`, and to whom."""

    type: str
    recipients: tuple[Told, ...]


def read(text: str) -> Notice | None:
    """The notice in a JSON body, or None when the body is none."""
    start = text.find("{", 0, 2000)
    if start < 0 or '"' not in text[start : start + 100] or "notificationType" not in text:
        return None
    body = _loaded(text[start : start + MAX_CHARS])
    if isinstance(inner := body.get("Message"), str):
        body = _loaded(inner) or body
    kind = body.get("notificationType") or body.get("eventType")
    return Notice(str(kind).lower(), _recipients(body)) if isinstance(kind, str) else None


def _loaded(text: str) -> dict[str, Any]:
    for candidate in (text, text.replace("\n ", "").replace("\n", "")):
        try:
            value, _ = json.JSONDecoder().raw_decode(candidate)
        except (ValueError, RecursionError):
            continue
        return value if isinstance(value, dict) else {}
    return {}


def _recipients(body: dict[str, Any]) -> tuple[Told, ...]:
    bounce = body.get("bounce")
    entries = bounce.get("bouncedRecipients") if isinstance(bounce, dict) else None
    return tuple(_told(e) for e in entries if isinstance(e, dict)) if isinstance(entries, list) else ()


def _told(entry: dict[str, Any]) -> Told:
    return Told(
        address=str(entry.get("emailAddress", "")),
        action=str(entry.get("action", "failed")).lower(),
        status=codes.status_field(str(entry.get("status", ""))),
        diagnostic=str(entry["diagnosticCode"]).partition(";")[2].strip() if entry.get("diagnosticCode") else None,
    )
