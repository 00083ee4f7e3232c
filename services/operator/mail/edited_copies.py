"""Edit a copy of a mail and retry: the original stays as it is, the copy goes through intake as a new mail.

What a person may change are five headers and, of a mail that is text, its whole source. A header is one line of text,
whatever was typed: a line break in it would begin another header. The copy loses Authentication-Results: what another
server said of the original does not hold for it (decision 0156).
"""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Mapping
from email.header import Header
from email.utils import formataddr, getaddresses
from typing import TYPE_CHECKING, Final

from services.operator.errors import NotAvailable
from services.operator.mail import actions
from shared.encoded_words import decoded
from shared.ids import derived_id, mail_id
from shared.intake import RawMail
from shared.lazy_dataclass import dataclass
from shared.lazy_pattern import lazy_compile
from shared.store.journal import JournalEntry
from shared.store.mail_copies import MailCopies, MailCopy

if TYPE_CHECKING:
    from shared.app import App
    from shared.store.mails import StoredMail

FIELDS: Final = ("Subject", "From", "To", "Cc", "Reply-To")
ADDRESSES: Final = frozenset({"From", "To", "Cc", "Reply-To"})
MAX_VALUE: Final = 2_000
"""Characters of one header."""
MAX_SOURCE: Final = 256 << 10
"""Bytes of a mail whose source may be edited."""
MAX_ORIGINAL: Final = 30 << 20
"""Bytes of a mail of which a copy may be made."""
MAX_DIFFERENCE: Final = 20_000
"""Characters of a difference that are kept."""
_HEAD_END: Final = lazy_compile(rb"\r?\n\r?\n")
_LINE: Final = lazy_compile(rb"(?:[^\r\n]|\r(?!\n))*+(?:\r?\n[ \t](?:[^\r\n]|\r(?!\n))*+)*+(?:\r?\n|$)")
"""A header field with its continuation lines; a CR without LF is a character like others."""
_CONTROLS: Final = lazy_compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_NO_LONGER_TRUE: Final = frozenset({b"authentication-results", b"arc-authentication-results", b"arc-seal"})


@dataclass(frozen=True, slots=True)
class EditForm:
    """What a person may change: header → its text; `source` None where it cannot be edited, and then why."""

    headers: Mapping[str, str]
    source: str | None
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class Edit:
    """What a person has changed. `source` None: the source as it is. `token` makes sending a form twice one copy."""

    headers: Mapping[str, str]
    source: str | None
    token: str


def edit_form(app: App, mail: StoredMail) -> EditForm:
    """The form for a copy of a mail. Raises `NotAvailable` for one that is too large."""
    raw = _original(app, mail)
    headers = {name: _read(raw, name) for name in FIELDS}
    if len(raw) > MAX_SOURCE:
        return EditForm(headers, None, f"the source has {len(raw):,} bytes; up to {MAX_SOURCE:,} can be edited")
    try:
        source = raw.decode("utf-8")
    except UnicodeDecodeError:
        return EditForm(headers, None, "the source holds bytes that are not UTF-8, and would be changed by editing")
    if "\0" in source:
        return EditForm(headers, None, "the source holds NUL bytes, and would be changed by editing")
    source = source.replace("\r\n", "\n")
    if "\r" in source:
        return EditForm(headers, None, "the source holds CR without LF, and would be changed by editing")
    return EditForm(headers, source)


def retry_copy(app: App, mail: StoredMail, edit: Edit, *, by: str, reason: str = "") -> str:
    """Hand an edited copy to intake; its id. Done twice, it is one mail.

    Raises `NotAvailable` when nothing was changed, or a value cannot be used.
    """
    raw = _original(app, mail)
    copy = edited(raw, edit)
    if copy == without_stale(raw):
        raise NotAvailable("nothing was changed; release or replay the mail as it is")
    source_id = f"copy-of:{mail.id}:{derived_id('copy', edit.token, by)[:12]}"
    id_ = mail_id(mail.inbox, source_id, hashlib.sha256(copy).hexdigest())
    now = app.clock.now()
    kept = MailCopy(id=id_, origin=mail.id, by=by, at=now, difference=difference(raw, copy), reason=reason)
    MailCopies(app.documents).add(kept)
    app.intake.hand_over([RawMail(copy, mail.inbox, source_id)])
    why = f"by {by}{f': {reason}' if reason else ''}"
    app.journal.add(
        [
            JournalEntry(f"{mail.id}-copy-{id_[:16]}", mail.id, actions.OPERATOR, now, "copied", f"{why}; as {id_}"),
            JournalEntry(f"{id_}-copy", id_, actions.OPERATOR, now, "copy", f"{why}; an edited copy of {mail.id}"),
        ]
    )
    return id_


def _original(app: App, mail: StoredMail) -> bytes:
    if mail.size > MAX_ORIGINAL:
        raise NotAvailable(f"the mail has {mail.size:,} bytes; a copy is made of up to {MAX_ORIGINAL:,}")
    return app.mails.source(mail)


def edited(raw: bytes, edit: Edit) -> bytes:
    """The copy: the edited source, if there is one, with the changed headers. Raises `NotAvailable`."""
    base = raw
    if edit.source is not None and edit.source.replace("\r\n", "\n") != raw.decode("utf-8", "replace").replace(
        "\r\n", "\n"
    ):
        base = _source_bytes(edit.source, raw)
    for name, value in edit.headers.items():
        if name in FIELDS and (wanted := _one_line(name, value)) != _read(raw, name):
            base = _with_header(base, name, wanted)
    return without_stale(base)


def _source_bytes(source: str, raw: bytes) -> bytes:
    """The edited source with the line ends of the original. Raises `NotAvailable`."""
    if len(source) > 2 * MAX_SOURCE:
        raise NotAvailable(f"the source is too long; {MAX_SOURCE:,} bytes can be edited")
    end = "\r\n" if b"\r\n" in raw else "\n"
    return source.replace("\r\n", "\n").replace("\n", end).encode("utf-8", "replace")


def _one_line(name: str, value: str) -> str:
    """A value that cannot begin another header: controls become blanks. Raises `NotAvailable` for a long one."""
    if len(value) > MAX_VALUE:
        raise NotAvailable(f"{name} has {len(value):,} characters; at most {MAX_VALUE:,} are taken")
    return " ".join(_CONTROLS.sub(" ", value).split())


def _read(raw: bytes, name: str) -> str:
    """A header of the mail as a person reads it, on one line; "" when there is none."""
    for line in _header_lines(raw):
        if _name_of(line) == name.lower().encode():
            value = line.partition(b":")[2].decode("utf-8", "replace")
            return _one_line(name, decoded(" ".join(value.split()))[:MAX_VALUE])
    return ""


def _header_lines(raw: bytes) -> list[bytes]:
    """The header fields, each with its continuation lines and line end."""
    end = _HEAD_END.search(raw)
    head = raw[: end.start() + 2] if end else raw
    return [found[0] for found in _LINE.finditer(head) if found[0].strip()]


def _name_of(line: bytes) -> bytes:
    return line.partition(b":")[0].strip().lower()


def _split(raw: bytes) -> tuple[list[bytes], bytes]:
    """The header fields, and everything behind them: the blank line and the body."""
    end = _HEAD_END.search(raw)
    if end is None:
        return _ended(_header_lines(raw)), b"\r\n"
    first = end[0].index(b"\n") + 1
    return _ended(_header_lines(raw[: end.start()] + end[0][:first])), raw[end.start() + first :]


def _ended(lines: list[bytes]) -> list[bytes]:
    return [line if line.endswith(b"\n") else line + b"\r\n" for line in lines]


def _with_header(raw: bytes, name: str, value: str) -> bytes:
    """The mail with this header in place of all that have its name; an empty value removes them."""
    lines, rest = _split(raw)
    key = name.lower().encode()
    new = [_field(name, value)] if value else []
    absent = len(lines) if lines and lines[0][:1] in b" \t" else 0  # else its first line would continue the new header
    place = next((place for place, line in enumerate(lines) if _name_of(line) == key), absent)
    kept = [line for line in lines if _name_of(line) != key]
    before = sum(1 for line in lines[:place] if _name_of(line) != key)
    return b"".join((*kept[:before], *new, *kept[before:], rest))


def _field(name: str, value: str) -> bytes:
    """A header field as it is sent: encoded words (RFC 2047) where it is not ASCII, folded by `email`."""
    if value.isascii():
        written = value
    elif name in ADDRESSES:
        named = [each for each in getaddresses([value]) if each[1]]
        written = ", ".join(formataddr(each, "utf-8") for each in named if each[1].isascii())
        if not named or not all(each[1].isascii() for each in named):
            raise NotAvailable(f"{name} needs addresses in ASCII, such as anna@example.org")
    else:
        written = Header(value, "utf-8", header_name=name).encode()
    if len(written) > 4 * MAX_VALUE or re.search(r"\n(?![ \t])", written):
        raise NotAvailable(f"{name} cannot be written")
    return f"{name}: {written}".replace("\n", "\r\n").encode("ascii") + b"\r\n"


def without_stale(raw: bytes) -> bytes:
    """The mail without what other servers said of it when it came: it does not hold for a copy that was edited."""
    lines, rest = _split(raw)
    kept = [line for line in lines if _name_of(line) not in _NO_LONGER_TRUE]
    return raw if len(kept) == len(lines) else b"".join((*kept, rest))


def difference(before: bytes, after: bytes) -> str:
    """The lines that differ, as a unified diff of bounded length."""
    if len(before) > MAX_SOURCE or len(after) > MAX_SOURCE:  # only headers can differ
        before, after = b"".join(_split(before)[0]), b"".join(_split(after)[0])
    lines = difflib.unified_diff(_lines(before), _lines(after), "original", "copy", lineterm="", n=1)
    text = "\n".join(lines)
    return text if len(text) <= MAX_DIFFERENCE else f"{text[:MAX_DIFFERENCE]}\n… cut"


def _lines(raw: bytes) -> list[str]:
    return raw.decode("utf-8", "backslashreplace").replace("\r\n", "\n").split("\n")
