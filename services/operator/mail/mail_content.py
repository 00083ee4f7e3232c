"""What a mail holds, as a person reads it: text, headers, parts, source; its HTML as a document that loads nothing.

The mail is read again from its source, by the same parser, within its limits. The HTML is what the parser has cleaned;
pictures of the mail itself become part of the document, those from elsewhere are left out (decision 0158).
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from contextlib import suppress
from html import unescape
from typing import TYPE_CHECKING, Final

from services.operator.errors import NotAvailable
from services.parser import guarded
from services.parser.stage import for_desk
from shared.contracts.errors import BoundExceeded, PostroomError
from shared.encoded_words import decoded
from shared.lazy_dataclass import dataclass
from shared.lazy_pattern import lazy_compile

if TYPE_CHECKING:
    from shared.app import App
    from shared.contracts.mail import Attachment, ParsedMail
    from shared.store.mails import StoredMail

MAX_TEXT: Final = 200_000
"""Characters of a text or a source that are shown; a download has all."""
MAX_HEADERS: Final = 500
MAX_PICTURE_BYTES: Final = 2 << 20
"""Of all pictures in one document."""
PICTURES: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
"""Types of pictures that are shown. SVG is a document of its own, and stays a file."""
_HEAD_END: Final = lazy_compile(rb"\r?\n\r?\n")
_FIELD: Final = lazy_compile(r"([!-9;-~]{1,200})[ \t]*:([^\n]*(?:\n[ \t][^\n]*)*)")
_CID: Final = lazy_compile(r'src="cid:([^"]{0,1000})"')
_FRAME: Final = (
    '<!doctype html><html><head><meta charset="utf-8"><base target="_blank"><title>Mail</title><style>'
    "html{{background:#fff;color:#16181d;color-scheme:light}}"
    "body{{font:15px/1.5 system-ui,sans-serif;margin:12px;overflow-wrap:anywhere}}"
    "img{{max-width:100%;height:auto}}table{{max-width:100%}}"
    "</style></head><body>{}</body></html>"
)
FRAME_POLICY: Final = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'self'"
)
"""The Content-Security-Policy of that document: without scripts, without the origin, with pictures of its own alone."""


@dataclass(frozen=True, slots=True)
class HeaderLine:
    """One header as it stands in the mail; `read`: with encoded words decoded, "" when that makes no difference."""

    name: str
    value: str
    read: str


def parsed(app: App, mail: StoredMail) -> ParsedMail:
    """The mail, read again. Raises `NotAvailable` with the bound that it exceeds."""
    try:
        return for_desk(guarded.read(app.mails.source(mail)).mail, mail.inbox, app.directory.current())
    except BoundExceeded as error:
        raise NotAvailable(f"the mail cannot be read: {error}") from None


def shown_text(text: str) -> tuple[str, bool]:
    """The beginning of a text, and whether something is left out."""
    return text[:MAX_TEXT], len(text) > MAX_TEXT


def source_text(app: App, mail: StoredMail) -> tuple[str, bool]:
    """The beginning of the source as text, other bytes than UTF-8 as hexadecimal; whether it is cut."""
    raw = app.mails.source(mail)
    return raw[:MAX_TEXT].decode("utf-8", "backslashreplace").replace("\r\n", "\n"), len(raw) > MAX_TEXT


def header_lines(app: App, mail: StoredMail) -> list[HeaderLine]:
    """The headers in their order, at most `MAX_HEADERS`."""
    raw = app.mails.source(mail)
    end = _HEAD_END.search(raw)
    head = raw[: min(end.start() if end else len(raw), MAX_TEXT)].decode("utf-8", "backslashreplace")
    found = _FIELD.finditer(head.replace("\r\n", "\n"))
    return [_line(each[1], each[2].strip()) for _, each in zip(range(MAX_HEADERS), found, strict=False)]


def _line(name: str, value: str) -> HeaderLine:
    read = value
    with suppress(ValueError):
        read = decoded(value)
    return HeaderLine(name, value, read if read != value else "")


def part_of(app: App, mail: StoredMail, sha256: str, name: str = "") -> tuple[Attachment, bytes]:
    """A file of the mail and its bytes; of several with the same bytes the one of this name. Raises `NotAvailable`."""
    same = [each for each in parsed(app, mail).attachments if each.sha256 == sha256]
    if not same:
        raise NotAvailable("the mail has no such part")
    attachment = next((each for each in same if each.filename == name), same[0])
    try:
        return attachment, app.documents.get_blob(sha256)
    except LookupError:
        raise NotAvailable("the part is not stored") from None


def frame(app: App, mail: StoredMail) -> str:
    """The mail's HTML as a document of its own, for a frame under `FRAME_POLICY`. Raises `NotAvailable`."""
    read = parsed(app, mail)
    if read.html is None:
        raise NotAvailable("the mail has no HTML")
    return framed(read.html, _pictures(app, read.attachments))


def framed(html: str, pictures: Mapping[str, str]) -> str:
    """Cleaned HTML as a document. `pictures`: Content-ID → `data:` address of what takes its place."""
    with_pictures = _CID.sub(lambda found: f'src="{pictures.get(unescape(found[1]).strip("<>"), "data:,")}"', html)
    return _FRAME.format(with_pictures)


def _pictures(app: App, attachments: Sequence[Attachment]) -> dict[str, str]:
    """The pictures of a mail as addresses that hold them, as many as fit."""
    found, left = dict[str, str](), MAX_PICTURE_BYTES
    for each in attachments:
        if not each.content_id or each.content_type.lower() not in PICTURES or each.size > left:
            continue
        with suppress(LookupError, PostroomError):
            content = app.documents.get_blob(each.sha256)
            found[each.content_id.strip("<>")] = (
                f"data:{each.content_type.lower()};base64,{base64.b64encode(content).decode('ascii')}"
            )
            left -= len(content)
    return found
