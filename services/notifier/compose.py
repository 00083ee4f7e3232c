"""Builds an outgoing mail as RFC 5322 bytes: same input, same bytes, so that a retry sends the same mail again.

Header lines are written here and not by the standard library, which encodes long message ids as words and so
breaks the threads that they make. Every value is cleaned of control characters before it is used: nothing that
came from outside can add a header. The body is made in `body`.
"""

from __future__ import annotations

import ipaddress
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from datetime import datetime
from email.utils import format_datetime
from typing import Literal

from services.notifier import body
from services.notifier.body import Body, File
from shared.config.model import MailServer
from shared.contracts.errors import Misconfigured, PostroomError
from shared.contracts.mail import Address
from shared.lazy_dataclass import dataclass
from shared.lazy_pattern import lazy_compile
from shared.mail_network.connection import InvalidHost, host_name

LOOP_HEADER = "X-Postroom-Loop"
REFERENCES = 100
"""Most ids in References: the first and the newest ones (RFC 5322, 3.6.4 sets no limit; servers do)."""
_WIDTH = 78
_WORD_BYTES = 33
"""Bytes of UTF-8 in one encoded word, so that it and our longest header name fit a line of 76 (RFC 2047, 2)."""
_CONTROL = lazy_compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_SURROGATE = lazy_compile(r"[\ud800-\udfff]")
_LOCAL = lazy_compile(r"[^\s\x00-\x1f\x7f-\x9f()<>\[\]:;@\\,\"]{1,64}")
_QUOTED = lazy_compile(r'"([ !#-\[\]-~]|\\[ -~]){1,62}"')
_PHRASE = lazy_compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]*")
_MSG_ID = lazy_compile(r"<[^<>\s\x00-\x1f\x7f-\uffff]{1,900}>")

Automatic = Literal["auto-replied", "auto-generated"]


class BadAddress(PostroomError):
    """A text that is not a valid mail address."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A mail to be sent. `message_id` (with its angle brackets) and `date` are given: a retry repeats them.

    `automatic` is the value of Auto-Submitted (RFC 3834), None for what a person wrote. `loop` names this
    desk, so that it recognises its own mail. `sender` None: the mail server's `from_address`. `html` None: plain text
    only; `images` are those that the HTML names. `left`: the recipients to whom it goes
    now, when others have it already.
    """

    message_id: str
    date: datetime
    to: tuple[Address, ...]
    subject: str
    text: str
    cc: tuple[Address, ...] = ()
    bcc: tuple[Address, ...] = ()
    sender: Address | None = None
    reply_to: Address | None = None
    in_reply_to: str | None = None
    references: tuple[str, ...] = ()
    automatic: Automatic | None = "auto-generated"
    loop: str = ""
    html: str | None = None
    images: Mapping[str, str] = field(default_factory=dict)
    embedded_images: Literal["cid", "inline"] = "cid"
    files: tuple[File, ...] = ()
    left: tuple[str, ...] = ()


def build(outgoing: Outgoing, server: MailServer) -> bytes:
    """The mail with CRLF line ends. Bcc is not in it. Raises `BadAddress` or `Misconfigured`."""
    head = "".join(fold(name, value) for name, value in _headers(outgoing, server) if value)
    return head.encode() + body.message(_body(outgoing), outgoing.message_id).as_bytes()


def _body(outgoing: Outgoing) -> Body:
    return Body(outgoing.text, outgoing.html, outgoing.images, outgoing.embedded_images, outgoing.files)


def _headers(outgoing: Outgoing, server: MailServer) -> Iterable[tuple[str, str]]:
    """Names and values; a value is safe to be written."""
    yield "Date", format_datetime(outgoing.date)
    yield "From", written(sender_of(outgoing, server))
    yield "Reply-To", written(outgoing.reply_to) if outgoing.reply_to else ""
    yield "To", _list(outgoing.to) or "undisclosed-recipients:;"
    yield "Cc", _list(outgoing.cc)
    yield "Subject", encoded(clean(outgoing.subject))
    yield "Message-ID", _own_id(outgoing.message_id)
    yield "In-Reply-To", " ".join(_ids([outgoing.in_reply_to or ""]))
    yield "References", " ".join(_thread_ids(outgoing))
    if outgoing.automatic:
        yield "Auto-Submitted", outgoing.automatic
        yield "X-Auto-Response-Suppress", "All"
    yield LOOP_HEADER, encoded(clean(outgoing.loop))


def sender_of(outgoing: Outgoing, server: MailServer) -> Address:
    """Return the sender; raises `Misconfigured` when neither the mail nor the server has one."""
    if outgoing.sender is not None:
        return outgoing.sender
    if server.from_address:
        return Address("", server.from_address)
    raise Misconfigured(f"mail server {server.name}: from_address is missing")


# values


def clean(text: str) -> str:
    """One line without control characters, and without what UTF-8 cannot carry."""
    return _SURROGATE.sub("\ufffd", _CONTROL.sub(" ", text)).strip()


def address(value: str) -> str:
    """An address as it is sent: domain in A-labels (RFC 5890), local part as it is; raises `BadAddress` if invalid."""
    local, at, domain = value.strip().rpartition("@")
    if not at or not (_QUOTED.fullmatch(local) or (_LOCAL.fullmatch(local) and local.strip(".") == local)):
        raise BadAddress(f"{clean(value)!r} is not an address")
    try:
        return f"{local}@{_literal(domain) or host_name(domain)}"
    except InvalidHost as error:
        raise BadAddress(f"{clean(value)!r} is not an address") from error


def _literal(domain: str) -> str | None:
    """An address literal in its brackets (RFC 5321, section 4.1.3); None for a name. Raises `InvalidHost`."""
    if not domain.startswith("["):
        return None
    text = domain[1:-1].lower() if domain.endswith("]") else ""
    try:
        if text.startswith("ipv6:"):
            return f"[IPv6:{ipaddress.IPv6Address(text.removeprefix('ipv6:'))}]"
        return f"[{ipaddress.IPv4Address(text)}]"
    except ValueError as error:
        raise InvalidHost(f"{domain!r} is not an address literal") from error


def written(entry: Address) -> str:
    """Name and address for a header (RFC 5322, 3.4); both may be untrusted."""
    name, addr = clean(entry.name), address(entry.address)
    if not name:
        return addr
    if not name.isascii() or "=?" in name:
        return f"{encoded(name)} <{addr}>"
    if _PHRASE.fullmatch(name):
        return f"{name} <{addr}>"
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}" <{addr}>'


def _list(addresses: Sequence[Address]) -> str:
    return ", ".join(map(written, addresses))


def encoded(text: str) -> str:
    """Text for an unstructured header: as it is when that is ASCII, else encoded words (RFC 2047)."""
    if text.isascii() and "=?" not in text and max(map(len, text.split(" ")), default=0) < 900:
        return text
    return " ".join(f"=?utf-8?b?{b64encode(part).decode('ascii')}?=" for part in _pieces(text))


def _pieces(text: str) -> Iterable[bytes]:
    """UTF-8 in pieces that end between characters, as every encoded word must."""
    piece = b""
    for character in text:
        more = character.encode()
        if len(piece) + len(more) > _WORD_BYTES:
            yield piece
            piece = b""
        piece += more
    yield piece


def fold(name: str, value: str) -> str:
    """A header line, folded at spaces when it is long (RFC 5322, 2.2.3). Words are never broken or encoded."""
    lines, current = [], f"{name}:"
    for word in value.split(" "):
        if word and current != f"{name}:" and len(current) + 1 + len(word) > _WIDTH:
            lines.append(current)
            current = ""
        current += f" {word}"
    return "\r\n".join([*lines, current]) + "\r\n"


def _own_id(message_id: str) -> str:
    if not _MSG_ID.fullmatch(message_id):
        raise Misconfigured(f"{message_id!r} is not a message id")
    return message_id


def _ids(values: Iterable[str]) -> list[str]:
    """Return the valid message ids; any other text from the sender is left out."""
    return [found for value in values for found in _MSG_ID.findall(value)]


def _thread_ids(outgoing: Outgoing) -> list[str]:
    """The thread so far, ending with the mail that is answered."""
    ids = list(dict.fromkeys(_ids([*outgoing.references])))
    parent = _ids([outgoing.in_reply_to or ""])
    ids = [each for each in ids if each not in parent] + parent
    return ids if len(ids) <= REFERENCES else [ids[0], *ids[-REFERENCES + 1 :]]
