"""Attachments of restricted types, which are nowhere on a record (TI-27), also not inside a mail that is attached.

Pure: bytes in, bytes out; the stored raw mail stays as it is.

Mails are opened at any depth, also encoded ones, `.eml` files and `winmail.dat`. A `.msg`, a broken `winmail.dat`, an
`.mbox`, an `.ics` and a mail within an opaque S/MIME signature are left out whole when they hold such a name. What
cannot be removed for sure is not attached at all.
"""

from __future__ import annotations

import binascii
import quopri
import re
import unicodedata
from base64 import b64decode, encodebytes
from collections.abc import Callable, Iterable, Iterator, Sequence
from email.message import Message
from email.parser import BytesHeaderParser
from email.policy import compat32
from fnmatch import fnmatchcase
from functools import partial
from hashlib import sha256
from typing import Final
from urllib.parse import unquote

from services.record_writer.decide.content.winmail import UnreadableWinmail, without_files
from shared.contracts.mail import Attachment, ParsedMail
from shared.encoded_words import decoded
from shared.lazy_dataclass import dataclass
from shared.lazy_pattern import lazy_compile

MAX_DEPTH: Final = 50
"""Levels of parts that are opened; deeper ones are left out."""
_HEAD: Final = lazy_compile(rb"\A(?:[^\r\n]+(?:\r\n|\n|\r))*+(?:\r\n|\n|\r|\Z)")
_CONTENT_FIELD: Final = lazy_compile(
    rb"^content-[^\r\n]*(?:(?:\r\n|\n|\r)[ \t][^\r\n]*)*(?:\r\n|\n|\r)?", re.IGNORECASE | re.MULTILINE
)
_NAMED: Final = lazy_compile(
    rb"name\s*\*?\d*\*?\s*=\s*(?:\"([^\"\r\n]*)|([^\s;\"]+))|^begin [0-7]{3,4} ([^\r\n]+)", re.IGNORECASE | re.MULTILINE
)
_ENCODED_FILE: Final = lazy_compile(
    rb"^(?:begin [0-7]{3,4} (?P<uu>[^\r\n]+)|=ybegin [^\r\n]*?name=(?P<yenc>[^\r\n]+))", re.IGNORECASE | re.MULTILINE
)
_WORDS: Final = lazy_compile(rb"[\x20-\x7e\x80-\xff]{4,}|(?:[\x20-\x7e\x80-\xff]\x00){4,}")
_CONTENT_TYPE: Final = lazy_compile(rb"content-type:", re.IGNORECASE)
_SIGNED: Final = ("application/pkcs7-mime", "application/x-pkcs7-mime")
_FOLD: Final = lazy_compile(rb"\r?\n[ \t]")
_TEXTS: Final = ("application/mbox", "text/calendar", "application/ics")
_CONTAINERS: Final = (*_SIGNED, "application/ms-tnef", "application/vnd.ms-tnef", "application/vnd.ms-outlook", *_TEXTS)
_CONTAINER_NAMES: Final = ("winmail.dat", "*.msg", "*.p7m", "*.mbox", "*.ics")
NOT_ALONE: Final = "what is restricted in it could not be taken out alone"
"""Said of a mail that is left out whole."""

Judge = Callable[[str, str], bool]
"""Whether a file with this name and content type is restricted."""


def judge_of(patterns: Iterable[str]) -> Judge:
    """The judge of `settings.restricted_attachments`. A bare extension (`exe`, `.exe`) means all files that have it."""
    known = [each for pattern in patterns for each in _spelled_out(pattern.casefold())]

    def is_restricted(filename: str, content_type: str) -> bool:
        name = unicodedata.normalize("NFKC", filename).casefold().partition("::$")[0].strip("' ").rstrip(". ")
        stated = (name, filename.casefold(), content_type.partition(";")[0].strip().casefold())
        return any(fnmatchcase(text, pattern) for text in stated for pattern in known)

    return is_restricted


def _spelled_out(pattern: str) -> tuple[str, ...]:
    return (pattern,) if set(pattern) & set("*?[/") else (pattern, f"*.{pattern.removeprefix('.')}")


_holds_files: Final = judge_of((*_CONTAINERS, *_CONTAINER_NAMES, "*.eml", "message/*"))


@dataclass(frozen=True, slots=True)
class Reduced:
    """A file without its restricted parts, and their names. `is_notice`: all of it is left out, and named last."""

    content: bytes
    names: tuple[str, ...]
    is_notice: bool = False

    def instead_of(self, attachment: Attachment) -> Attachment:
        """The attachment that holds the reduced mail under the same name."""
        found = sha256(self.content).hexdigest()
        return Attachment(attachment.filename, attachment.content_type, len(self.content), found)


def is_mail(attachment: Attachment) -> bool:
    """Whether a file can hold other files."""
    return _is_mail(attachment.filename, attachment.content_type) or _is_container(
        attachment.filename, attachment.content_type
    )


def _is_mail(name: str, kind: str) -> bool:
    return kind in {"message/rfc822", "message/global"} or name.casefold().endswith(".eml")


def _is_container(name: str, kind: str) -> bool:
    return kind in _CONTAINERS or any(fnmatchcase(name.casefold(), each) for each in _CONTAINER_NAMES)


def reduced_files(
    mail: ParsedMail, raw: str, patterns: Sequence[str], read: Callable[[str], bytes]
) -> dict[str, Reduced]:
    """What is attached instead of the whole mail and its files, by their hashes. `read` gives the bytes of a hash."""
    if not patterns or not mail.attachments:
        return {}
    judge = judge_of(patterns)
    restricted = [each for each in mail.attachments if judge(each.filename, each.content_type)]
    files = [each for each in mail.attachments if each not in restricted and is_mail(each)]
    known = [(original_of(raw, mail.size), len(restricted)), *((each, 0) for each in files)]
    found = {each.sha256: reduce_file(each, read(each.sha256), judge, at_least=least) for each, least in known}
    return {sha: each for sha, each in found.items() if each}


def original_of(raw: str, size: int) -> Attachment:
    """The mail itself, as an attachment."""
    return Attachment("original.eml", "message/rfc822", size, raw)


def reduce_file(attachment: Attachment, content: bytes, judge: Judge, *, at_least: int = 0) -> Reduced | None:
    """The file without its restricted parts; None when it has none. `at_least`: so many are known to be in it."""
    if not _is_mail(attachment.filename, attachment.content_type):
        return _reduced_container(content, judge)
    removed: list[str] = []
    reduced = _Reducer(judge, removed).entity(content, 0)
    if len(removed) < at_least or any(judge(name, "") for name in _names_left(reduced)):
        whole = f"{attachment.filename} ({NOT_ALONE})"
        return Reduced(_notice([attachment.filename]), (*removed, whole), is_notice=True)
    return Reduced(reduced, tuple(removed)) if removed else None


def _reduced_container(content: bytes, judge: Judge) -> Reduced | None:
    """The `winmail.dat` without its restricted files; instead of any other container that has such a name, a notice."""
    try:
        reduced, names = without_files(content, partial(_restricted_file, judge))
    except UnreadableWinmail:
        inner = next(_names_inside(content, judge), None)
        return Reduced(_notice([inner]), (inner,), is_notice=True) if inner else None
    return Reduced(reduced, tuple(names)) if names else None


def _names_inside(content: bytes, judge: Judge) -> Iterator[str]:
    """The restricted names in a container: among the texts of a binary one, in parameters, in mail in plain form."""
    if b"\0" in content:
        yield from _names_in_container(content, judge)
    for name in _names_left(_FOLD.sub(b"", content)):
        yield from (each for each in (name, name.partition(":")[0]) if judge(each, ""))
    if found := _CONTENT_TYPE.search(content):
        removed: list[str] = []
        _Reducer(judge, removed).entity(content[found.start() :], 1)
        yield from removed


def _restricted_file(judge: Judge, properties: bytes, data: bytes) -> str | None:
    """The restricted name that a file of a `winmail.dat` has, or that is in it, if it can hold other files."""
    found = max(_names_in_container(properties, judge), key=len, default=None)
    is_opened = found is None and any(_names_in_container(properties, _holds_files))
    return next(_names_in_container(data, judge), None) if is_opened else found


def _notice(names: Iterable[str]) -> bytes:
    shown = ", ".join(" ".join(name.split()) for name in names)
    return f"Left out, because its type is restricted, or something in it: {shown}\r\n".encode("utf-8", "replace")


def _names_left(content: bytes) -> Iterator[str]:
    for found in _NAMED.finditer(content):
        raw = next(filter(None, found.groups()), b"").strip()
        yield from _readings(raw.decode("utf-8", "replace"))


def _readings(name: str) -> Iterator[str]:
    """A name as written, and decoded as parsers decode it (RFC 2047, RFC 2231)."""
    yield name
    yield unquote(name.rpartition("'")[2])
    if "=?" in name:
        yield decoded(name)


def _names_in_container(content: bytes, judge: Judge) -> Iterator[str]:
    """Names of restricted files among the texts of a file whose format is not read here."""
    for found in _WORDS.finditer(content):
        text = found[0].replace(b"\0", b"").decode("latin-1").strip()
        if len(text) <= 255 and judge(text, ""):
            yield text


@dataclass(slots=True)
class _Reducer:
    """Takes restricted parts out of a mail; `removed` collects their names."""

    judge: Judge
    removed: list[str]

    def entity(self, data: bytes, depth: int) -> bytes:
        """A mail or part without what is restricted in it."""
        head = _HEAD.match(data)
        end = head.end() if head else 0
        headers = BytesHeaderParser(policy=compat32).parsebytes(data[:end])
        kind, names = headers.get_content_type(), _names(headers)
        judged = "" if kind.startswith("multipart/") or (kind.startswith("text/") and not names) else kind
        if depth > MAX_DEPTH or any(self.judge(name, judged) for name in names or [""]):
            return self._leave_out(data[:end], names[0] if names else kind)
        if kind.startswith("multipart/") and (boundary := headers.get_boundary()):
            return data[:end] + self._parts(data[end:], boundary.encode("utf-8", "surrogateescape"), depth)
        name, body = (names[0] if names else ""), data[end:]
        if _is_mail(name, kind):
            return data[:end] + self._mail(headers, body, depth)
        if _is_container(name, kind) and (found := _reduced_container(_decoded(headers, body), self.judge)):
            return self._container(data[:end], headers, found, name or kind)
        return data[:end] + (self._text(body) if kind.startswith("text/") else body)

    def _container(self, head: bytes, headers: Message, found: Reduced, name: str) -> bytes:
        if found.is_notice:
            return self._leave_out(head, name)
        self.removed += found.names
        return head + _encoded(headers, found.content)

    def _leave_out(self, head: bytes, name: str) -> bytes:
        self.removed.append(name)
        fields = _CONTENT_FIELD.sub(b"", head).rstrip(b"\r\n")
        start = fields + b"\r\n" if fields else b""
        return (
            start
            + b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
            + _notice([name])
        )

    def _parts(self, body: bytes, boundary: bytes, depth: int) -> bytes:
        delimiter = re.compile(rb"(?:\A|\r\n|\n|\r)--" + re.escape(boundary) + rb"(?:--)?[ \t]*(?:\r\n|\n|\r|\Z)")
        found = list(delimiter.finditer(body))
        if not found:  # parsers take it for a text
            return self._text(body)
        done = [body[: found[0].start()]]
        for each, following in zip(found, [*found[1:], None], strict=True):
            part = body[each.end() : following.start() if following else len(body)]
            is_epilogue = following is None and each[0].rstrip().endswith(b"--")
            done += [each[0], part if is_epilogue else self.entity(part, depth + 1)]
        return b"".join(done)

    def _mail(self, headers: Message, body: bytes, depth: int) -> bytes:
        count, decoded = len(self.removed), _decoded(headers, body)
        reduced = self.entity(decoded, depth + 1)
        if len(self.removed) == count:
            return body
        return _encoded(headers, reduced)

    def _text(self, body: bytes) -> bytes:
        """A text without restricted files that are encoded in it (uuencode, yEnc)."""
        done, position = [], 0
        for found in _ENCODED_FILE.finditer(body):
            name = (found["uu"] or found["yenc"]).strip().decode("utf-8", "replace")
            if found.start() < position or not self.judge(name, ""):
                continue
            self.removed.append(name)
            done += [body[position : found.start()], _notice([name])]
            end = body.find(b"\nend" if found["uu"] else b"\n=yend", found.end())
            position = len(body) if end < 0 else end + 1
        return b"".join((*done, body[position:]))


def _names(headers: Message) -> list[str]:
    """Every name that a part has, in any reading."""
    stated: list[str] = []
    for field, parameter in (("content-disposition", "filename"), ("content-type", "name")):
        try:
            value = headers.get_param(parameter, None, field)
            plain = value if isinstance(value, str) else str(value[2]) if value else ""
            decoded = headers.get_filename("") if parameter == "filename" else ""
        except (ValueError, LookupError):
            continue
        stated += [each for text in (decoded, plain) if text for each in _readings(text)]
    return list(dict.fromkeys(filter(None, reversed(stated)))) if stated else []


def _encoded(headers: Message, content: bytes) -> bytes:
    match str(headers.get("content-transfer-encoding", "")).strip().casefold():
        case "base64":
            return encodebytes(content)
        case "quoted-printable":
            return quopri.encodestring(content)
    return content


def _decoded(headers: Message, body: bytes) -> bytes:
    match str(headers.get("content-transfer-encoding", "")).strip().casefold():
        case "base64":
            letters = re.sub(rb"[^A-Za-z0-9+/]", b"", body)
            try:
                return b64decode(letters + b"=" * (-len(letters) % 4))
            except binascii.Error:
                return b64decode(letters[: len(letters) // 4 * 4])
        case "quoted-printable":
            return quopri.decodestring(body)
    return body
