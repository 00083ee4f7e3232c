"""Reads the per-recipient fields of a delivery report (RFC 3464 section 2.3), wherever they stand.

Takes the text of a message/delivery-status part, or any text that holds such fields, because many gateways put
them into plain text, drop the address type, or write blocks without the blank line between them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from services.parser.bounces import codes
from services.parser.bounces.addresses import first_address

MAX_LINES: Final = 20_000
_FIELD: Final = re.compile(r"[ \t]{0,4}([A-Za-z][A-Za-z0-9-]{2,40})[ \t]{0,4}:[ \t]*(.*)")
_WANTED: Final = frozenset(
    ("final-recipient", "original-recipient", "x-actual-recipient", "action", "status", "diagnostic-code")
)
_RECIPIENT: Final = ("original-recipient", "final-recipient", "x-actual-recipient")
_SUCCESS: Final = frozenset(("delivered", "relayed", "expanded"))


@dataclass(frozen=True, slots=True)
class Told:
    """One recipient as the fields tell it; `action` in lower case without comments."""

    address: str
    action: str | None
    status: str | None
    diagnostic: str | None

    @property
    def succeeded(self) -> bool:
        """Whether this recipient got the mail."""
        return self.action in _SUCCESS


def read(text: str) -> tuple[Told, ...]:
    """All recipients told by fields in `text`, in order, each address once."""
    found: dict[str, Told] = {}
    for block in _blocks(_unfolded(text)):
        if told := _told(block):
            key = told.address.lower()
            if key not in found or found[key].succeeded:
                found[key] = told
    return tuple(found.values())


def _unfolded(text: str) -> Iterator[str]:
    """Lines with their continuation lines joined; an empty string ends a block."""
    held = ""
    for line in text.splitlines()[:MAX_LINES]:
        if not line.strip():
            yield held
            yield ""
            held = ""
        elif line[0] in " \t" and held and not _is_wanted(line):
            held = f"{held} {line.strip()}" if len(held) < 4000 else held
        else:
            yield held
            held = line[:4000]
    yield held


def _is_wanted(line: str) -> bool:
    field = _FIELD.match(line)
    return bool(field) and field[1].lower() in _WANTED if field else False


def _blocks(lines: Iterable[str]) -> Iterator[dict[str, str]]:
    """Fields of one recipient each; a second recipient or a repeated action starts a new block."""
    block: dict[str, str] = {}
    blank = False
    for line in lines:
        field = _FIELD.match(line) if line else None
        name = field[1].lower() if field else ""
        if name not in _WANTED or field is None:
            blank = blank or not line
            continue
        if name in block or (blank and name in _RECIPIENT and _has_recipient(block)):
            yield block
            block = {}
        block[name] = field[2].strip()
        blank = False
    yield block


def _has_recipient(block: dict[str, str]) -> bool:
    return any(name in block for name in _RECIPIENT)


def _told(block: dict[str, str]) -> Told | None:
    address = next(filter(None, (_typed(block.get(name, "")) for name in _RECIPIENT)), None)
    if address is None or not ("action" in block or "status" in block or "diagnostic-code" in block):
        return None
    action = re.match(r"[a-z]+", block.get("action", "").lower())
    return Told(
        address=address,
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
    """The address of `rfc822; <user@host>`; the type may be missing or odd (`LOCAL;`)."""
    return first_address(value.split(";", 1)[-1])


def _typed_text(value: str) -> str:
    head, sep, tail = value.partition(";")
    return tail.strip() if sep and re.fullmatch(r"[\w.\-]{1,20}", head.strip()) else value.strip()
