"""Finds who wrote a forwarded mail: in the mail attached, or in the fields that a mail program shows above it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from services.parser.bounces.addresses import ADDRESS
from services.parser.quotes import headerblock, markers, words
from shared.contracts.mail import Address
from shared.lazy_pattern import lazy_compile

if TYPE_CHECKING:
    from services.parser.tree import Part

MAX_CHARS: Final = 100_000
MAX_LINES: Final = 2_000
MAX_FIELDS: Final = 12
_MAILBOX: Final = lazy_compile(rf"(?P<addr>{ADDRESS})")
_OPENING: Final = lazy_compile(r"[\[<(]?(?:mailto:)?$")


def sender_attached(root: Part, subject: str) -> Address | None:
    """The sender of the mail that is attached to a forward."""
    if not words.FORWARD_SUBJECT.match(subject):
        return None
    mail = next((part for part in root.children if part.is_mail and part.children), None)
    return _mailbox(mail.children[0].headers.get("from") or "") if mail else None


def sender_shown(text: str, subject: str) -> Address | None:
    """The sender of the mail in the text of a forward."""
    by_subject = bool(words.FORWARD_SUBJECT.match(subject))
    lines = text[:MAX_CHARS].split("\n")[:MAX_LINES]
    for number, line in enumerate(lines):
        if markers.is_forward(line):
            return _below(lines[number + 1 : number + 1 + MAX_FIELDS])
        if by_subject and headerblock.role_of(line) and (block := headerblock.at(lines, number)):
            return _mailbox(block.sender)
    return None


def _below(lines: list[str]) -> Address | None:
    """The sender field among the lines below a marker, quote marks or not."""
    bare = [line.lstrip("> \t") for line in lines]
    number = next((n for n, line in enumerate(bare) if headerblock.role_of(line) == "from"), None)
    return _mailbox(headerblock.value_at(bare, number)) if number is not None else None


def _mailbox(value: str) -> Address | None:
    """Name and address, in the forms that programs use: `Ann <a@b>`, `Ann [mailto:a@b]`, `a@b`."""
    match = _MAILBOX.search(value[:1000])
    if match is None:
        return None
    local, _, domain = match["addr"].removeprefix("mailto:").rpartition("@")
    name = _OPENING.sub("", value[: match.start()].strip()).strip(" \"'*\t<[(")
    return Address(name=name, address=f"{local}@{_ascii(domain)}")


def _ascii(domain: str) -> str:
    """A domain in lower case and ASCII (RFC 5890), unchanged when it cannot be converted."""
    lower = domain.lower()
    try:
        return lower if lower.isascii() else lower.encode("idna").decode("ascii")
    except UnicodeError:
        return lower
