"""A sample mail for an inbox: what a person writes to make, or to change, records by name of field (IV-43).

Pure. What it writes is what `body` reads, with the inbox's separator, marker and unique key. Fed to the inbox as it is,
it makes the records that it shows. A header, which only people read, says how to change a record.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from shared.config.model import INCIDENT, Inbox, RecordType

EXAMPLES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "text": ("some text", "SOME TEXT", "1"),
        "number": ("1", "2"),
        "date": ("2026-11-20", "20261120"),
        "boolean": ("yes", "on", "1"),
    }
)
"""Values of a kind; the first that does not hold the record marker is shown."""
LEAD: Final = "Text before the first field goes to the record as it is. Protected fields are set by analysts."
NO_FIELDS: Final = "The whole text goes to the record; this inbox has no separator for fields."


def sample_mail(inbox: Inbox, type_: RecordType) -> str:
    """A mail to this inbox about records of this type, as a user may write it."""
    parts = [_part(inbox, type_)] * (2 if _has_parts(inbox, type_) else 1)
    body = f"\n{inbox.record_marker}\n".join(parts)
    return "\n".join([*_head(inbox, type_), "", body, ""])


def _head(inbox: Inbox, type_: RecordType) -> Iterator[str]:
    yield "From: Your Name <you@example.com>"
    yield f"To: {inbox.address}"
    yield f"Subject: {_subject(inbox, type_)}"
    if _has_fields(inbox, type_) and not inbox.update_only:
        yield f"Comments: to change a record, put its number into its part: {_key(inbox, type_)}"
    yield "MIME-Version: 1.0"
    yield "Content-Type: text/plain; charset=utf-8"
    yield "Content-Transfer-Encoding: 8bit"


def _key(inbox: Inbox, type_: RecordType) -> str:
    return f"{type_.number_field}{inbox.field_separator}{type_.prefix}12"


def _has_fields(inbox: Inbox, type_: RecordType) -> bool:
    return bool(inbox.field_separator) and type_.name != INCIDENT


def _has_parts(inbox: Inbox, type_: RecordType) -> bool:
    """The marker separates records of every type but incidents (IV-33); an update is shown once."""
    return bool(inbox.record_marker) and type_.name != INCIDENT and not inbox.update_only


def _subject(inbox: Inbox, type_: RecordType) -> str:
    """An update names its record in the subject, so that the mail finds it without fields too (IV-35)."""
    return f"[{type_.label} - {type_.prefix}12]" if inbox.update_only else f"A new {type_.label.lower()}"


def _part(inbox: Inbox, type_: RecordType) -> str:
    if not _has_fields(inbox, type_):
        return NO_FIELDS
    lines = [f"{name}{inbox.field_separator}{value}" for name, value in _fields(inbox, type_)]
    return "\n".join([LEAD, *([_key(inbox, type_)] if inbox.update_only else []), *lines])


def _fields(inbox: Inbox, type_: RecordType) -> Iterator[tuple[str, str]]:
    yield "Status", type_.statuses.open[0]
    for name, kind in type_.fields.items():
        known = EXAMPLES[kind]
        yield (
            name,
            next((value for value in known if not inbox.record_marker or inbox.record_marker not in value), known[0]),
        )
