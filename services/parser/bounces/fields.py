"""Reads the per-recipient fields of a delivery report (RFC 3464 section 2.3), in any part or text.

Takes the text of a message/delivery-status part, or any text that holds such fields, because many gateways put
them into plain text, drop the address type, or write blocks without the blank line between them.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from typing import Final

from services.parser.bounces import codes
from services.parser.bounces.addresses import first_address
from shared.lazy_dataclass import dataclass
from shared.lazy_pattern import lazy_compile

MAX_CHARS: Final = 1_000_000
MAX_LINES: Final = 20_000
MAX_FIELD: Final = 4_000
MAX_ADDRESS: Final = 320
_USER: Final = lazy_compile(r"<?([A-Za-z0-9][\w.+-]{0,63})>?")
_ESCAPED: Final = lazy_compile(r"\\x\{([0-9A-Fa-f]{2,6})\}")
"""A character of an address of the type `utf-8` (RFC 6533 section 3)."""
_FIELD: Final = lazy_compile(r"[ \t]{0,4}([A-Za-z][A-Za-z0-9-]{2,40})[ \t]{0,4}:[ \t]*(.*)")
_WANTED: Final = frozenset(
    ("final-recipient", "original-recipient", "x-actual-recipient", "action", "status", "diagnostic-code")
)
_RECIPIENT: Final = ("original-recipient", "final-recipient", "x-actual-recipient")
_SUCCESS: Final = frozenset(("delivered", "relayed", "expanded"))


@dataclass(frozen=True, slots=True)
class ReportedRecipient:
    """One recipient and its delivery status, from the fields of a report; `action` in lower case without comments.

    `address`: of a mailbox; else the path, the program or the X.400 name to which a server delivers for it.
    """

    address: str
    action: str | None
    status: str | None
    diagnostic: str | None

    @property
    def is_mailbox(self) -> bool:
        """Whether `address` is a mail address, or a user of the server."""
        return "@" in self.address or bool(_USER.fullmatch(self.address))

    @property
    def succeeded(self) -> bool:
        """Whether this recipient got the mail."""
        return self.action in _SUCCESS


def read(text: str) -> tuple[ReportedRecipient, ...]:
    """All recipients that fields report in `text`, in order, each address once."""
    found: dict[str, ReportedRecipient] = {}
    for block in _blocks(_unfolded(text)):
        if recipient := _recipient_from(block):
            key = recipient.address.lower()
            if key not in found or found[key].succeeded:
                found[key] = recipient
    return tuple(found.values())


def _unfolded(text: str) -> Iterator[str]:
    """Lines with their continuation lines joined; an empty string ends a block."""
    held = ""
    for line in text[:MAX_CHARS].splitlines()[:MAX_LINES]:
        if not line.strip():
            yield held
            yield ""
            held = ""
        elif line[0] in " \t" and held and _field(line) is None:
            held = f"{held} {line.strip()}"[:MAX_FIELD] if len(held) < MAX_FIELD else held
        else:
            yield held
            held = line[:MAX_FIELD]
    yield held


def _field(line: str) -> tuple[str, str] | None:
    """Name and value of a field that matters here."""
    match = _FIELD.match(line)
    if match is None or (name := match[1].lower()) not in _WANTED:
        return None
    return name, match[2].strip()


def _blocks(lines: Iterable[str]) -> Iterator[dict[str, str]]:
    """Fields of one recipient each; a repeated field, or a recipient after a blank line, starts a new block."""
    block: dict[str, str] = {}
    blank = False
    for line in lines:
        if (field := _field(line)) is None:
            blank = blank or not line
            continue
        name, value = field
        if name in block or (blank and name in _RECIPIENT and not block.keys().isdisjoint(_RECIPIENT)):
            yield block
            block = {}
        block[name] = value
        blank = False
    yield block


def _recipient_from(block: dict[str, str]) -> ReportedRecipient | None:
    if block.keys().isdisjoint(("action", "status", "diagnostic-code")) or block.keys().isdisjoint(_RECIPIENT):
        return None
    address = next(filter(None, (_typed(block.get(name, "")) for name in _RECIPIENT)), None)
    action = re.match(r"[a-z]+", block.get("action", "").lower())
    return ReportedRecipient(
        address=address or _unaddressed(block),
        action=_ACTIONS.get(action[0], action[0]) if action else None,
        status=codes.status_field(block.get("status", "")),
        diagnostic=_typed_text(block.get("diagnostic-code", "")) or None,
    )


_ACTIONS: Final = {
    "fail": "failed",
    "failure": "failed",
    "error": "failed",
    "delay": "delayed",
    "deliverable": "delivered",
}


def _typed(value: str) -> str | None:
    """The address of `rfc822; <user@host>`, unescaped (RFC 6533); the type may be missing or odd (`LOCAL;`)."""
    address = value.split(";", 1)[-1][:MAX_FIELD]
    return first_address(_ESCAPED.sub(_unescaped, address) if "\\x{" in address else address)


def _unescaped(escaped: re.Match[str]) -> str:
    """The character that an escape stands for; the escape itself when it stands for none that can be printed."""
    code = int(escaped[1], 16)
    return char if code <= sys.maxunicode and (char := chr(code)).isprintable() else escaped[0]


def _unaddressed(block: dict[str, str]) -> str:
    """A recipient without a mail address: a server's own user, a path, a program."""
    value = next(filter(None, (block.get(name, "") for name in reversed(_RECIPIENT[:2]))), "")
    recipient = value.split(";", 1)[-1].strip()
    return user[1] if (user := _USER.fullmatch(recipient)) else recipient[:MAX_ADDRESS]


def _typed_text(value: str) -> str:
    head, sep, tail = value.partition(";")
    return tail.strip() if sep and re.fullmatch(r"[\w.\-]{1,20}", head.strip()) else value.strip()
