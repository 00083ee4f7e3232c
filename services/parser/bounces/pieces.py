"""Splits a report into its own words, its fields, and the mail that it returns.

Only the parts of this mail are searched. The mails attached to it are not, because their text is not part of the
report.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field
from typing import TYPE_CHECKING, Final

from services.parser.bounces import fields, original
from services.parser.bounces.fields import ReportedRecipient
from services.parser.bounces.prose import Mentions
from shared.lazy_dataclass import dataclass

if TYPE_CHECKING:
    from services.parser.tree import Part

MAX_CHARS: Final = 131_072
MAX_DEPTH: Final = 8
MAX_CHILDREN: Final = 100
_STATUS_TYPES: Final = frozenset(("message/delivery-status", "message/global-delivery-status"))
_RETURNED_TYPES: Final = frozenset(
    ("message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers", "message/partial")
)


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """`text`: the report's own words. `returned`: the mail it returns. `declared`: whether it has a status part.

    `others`: what fields say of paths, programs and the like, to which a server delivers for a mailbox.
    """

    text: str
    recipients: tuple[ReportedRecipient, ...]
    others: tuple[ReportedRecipient, ...]
    declared: bool
    returned: str
    mentions: Mentions = field(repr=False)
    """Finds addresses in `text`."""


def of(root: Part, text: str) -> DeliveryReport:
    """The pieces of a mail; `text` is its best plain text."""
    parts = list(_outer(root))
    status = [_source(part) for part in parts if part.content_type in _STATUS_TYPES]
    returned = [_source(part) for part in parts if part.content_type in _RETURNED_TYPES]
    own, tail = original.split((_own_text(parts) or text or _undivided(root))[:MAX_CHARS])
    stated = fields.read("\n\n".join(status))
    recipients = _mailboxes(stated) or _mailboxes(fields.read(own)) or _reported_in_text(tail)
    others = tuple(each for each in stated if not each.is_mailbox)
    return DeliveryReport(own, recipients, others, bool(status), "\n\n".join([*returned, tail]), Mentions(own))


def _mailboxes(recipients: tuple[ReportedRecipient, ...]) -> tuple[ReportedRecipient, ...]:
    return tuple(each for each in recipients if each.is_mailbox)


def _outer(part: Part, depth: int = 0) -> Iterator[Part]:
    yield part
    if depth < MAX_DEPTH and (part.content_type.startswith("multipart/") or not depth):
        for child in part.children[:MAX_CHILDREN]:
            yield from _outer(child, depth + 1)


def _own_text(parts: list[Part]) -> str:
    return "\n\n".join(part.text for part in parts if part.content_type == "text/plain" and part.text)


def _undivided(root: Part) -> str:
    """The content of a multipart whose delimiters are missing."""
    if root.children or not root.content_type.startswith("multipart/"):
        return ""
    return root.wire[:MAX_CHARS].decode("utf-8", "replace")


def _source(part: Part) -> str:
    """A part as the text it was sent as."""
    return part.text or part.body[:MAX_CHARS].decode("utf-8", "replace")


def _reported_in_text(tail: str) -> tuple[ReportedRecipient, ...]:
    """Fields of a report that came back as the text of another one."""
    return _mailboxes(fields.read(tail)) if "Reporting-MTA:" in tail else ()
