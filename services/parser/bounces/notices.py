"""Reads delivery notices that a sending service posts as JSON (Amazon SES through SNS).

Separate because they share no format with reports in mail: they are defined by the names of their JSON fields.
"""

from __future__ import annotations

import json
from typing import Any, Final

from services.parser.bounces import codes
from services.parser.bounces.addresses import first_address
from services.parser.bounces.fields import ReportedRecipient
from shared.lazy_dataclass import dataclass

MAX_CHARS: Final = 262_144


@dataclass(frozen=True, slots=True)
class Notice:
    """What happened: `bounce`, `delivery` or `complaint`, and to whom."""

    type: str
    recipients: tuple[ReportedRecipient, ...]


def read(text: str) -> Notice | None:
    """The notice in a JSON body, or None when the body is something else."""
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


def _recipients(body: dict[str, Any]) -> tuple[ReportedRecipient, ...]:
    bounce = body.get("bounce")
    entries = bounce.get("bouncedRecipients") if isinstance(bounce, dict) else None
    if not isinstance(entries, list):
        return ()
    recipients = (_recipient_from(entry) for entry in entries if isinstance(entry, dict))
    return tuple(filter(None, recipients))


def _recipient_from(entry: dict[str, Any]) -> ReportedRecipient | None:
    address = first_address(_word(entry, "emailAddress"))
    if address is None:
        return None
    return ReportedRecipient(
        address=address,
        action=_word(entry, "action").lower() or "failed",
        status=codes.status_field(_word(entry, "status")),
        diagnostic=_word(entry, "diagnosticCode").removeprefix("smtp;").strip() or None,
    )


def _word(entry: dict[str, Any], name: str) -> str:
    """A text of the notice; escapes of half a character (RFC 8259 section 8.2) become question marks."""
    value = entry.get(name)
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""
