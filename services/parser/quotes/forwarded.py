"""Finds the mail that a forward passes on: in the fields that a mail program shows above it, or in an attached mail.

The outermost block counts: what stands above the first marker or header block is the forwarding person's own text, and
what stands below it, other forwarded mails included, is the text of the forwarded mail.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from services.parser import address, body, ids, kind
from services.parser.bounces.addresses import ADDRESS
from services.parser.defects import Defects
from services.parser.quotes import attribution, headerblock, markers, signature
from services.parser.quotes.words import HEADER_KEYS
from shared.contracts.mail import Address, Forwarded
from shared.lazy_pattern import lazy_compile
from shared.subject_prefixes import is_answer, is_forward, without_prefixes

if TYPE_CHECKING:
    from services.parser.bounds import Bounds
    from services.parser.tree import Part

MAX_CHARS: Final = 100_000
MAX_LINES: Final = 2_000
MAX_FIELDS: Final = 12
"""Lines below a marker in which the fields of the forwarded mail begin."""
MAX_BLOCK: Final = 60
"""Lines of a header block, with lists of recipients that continue on several lines."""
MAX_WRAPPED: Final = 2
"""Lines on which the value of another field continues."""
PEOPLE: Final = frozenset({"from", "to", "cc"})
MAX_SHOWN: Final = 200
MAX_ATTACHED: Final = 20
MAX_DEPTH: Final = 3
_MAILBOX: Final = lazy_compile(rf"(?P<addr>{ADDRESS})")
_SENDER: Final = lazy_compile(rf"(?:\"[^\"]{{1,100}}\"|[^,\"<>]{{1,100}})[ \t]*<?{ADDRESS}")
_OPENING: Final = lazy_compile(r"[\[<(]?(?:mailto:)?$")
_QUOTE: Final = lazy_compile(r"^\s{0,3}> ?")
_ROW: Final = lazy_compile(
    r"\s{0,3}\|\s{0,3}([^\W\d_][^|:\uff1a]{0,24}?)\s{0,3}\|\s{0,3}([^|]{1,900}?)\s{0,3}\|\s{0,9}$"
)
"""A row of two cells, as NetEase writes each field."""
_IN_BRACKETS: Final = lazy_compile(r"\s*\[(?P<subject>[^\[\]]{1,990})\]\s*$")
_END: Final = lazy_compile(
    r"-{2,40}\s{0,3}(?:end (?:of )?forwarded message|ende der weitergeleiteten nachricht)\b|-{55}\s*$", re.IGNORECASE
)
"""What Mutt and KMail write below the forwarded mail."""


def read(root: Part, subject: str, text: str, bounds: Bounds) -> Forwarded | None:
    """The mail that this one forwards; None when it forwards none.

    A marker above a mail says so, unless the subject is that of an answer, which quotes the forwards in its thread. A
    subject that says forwarded does too; then `sender` is None when no address can be read.
    """
    subject = _without_brackets(subject)
    answers, passes = is_answer(subject), is_forward(subject)
    if answers and not passes:
        return None
    lines = text[:MAX_CHARS].split("\n")[:MAX_LINES]
    if (start := _start(lines, by_subject=passes and not answers)) is not None:
        return _shown(text, lines, start, subject)
    if not passes or answers:
        return None
    attached = list(_attached(root, MAX_DEPTH))[:MAX_ATTACHED]
    comment = "\n".join(signature.trimmed(text.split("\n")))
    if not attached:
        return Forwarded(None, without_prefixes(subject), comment=comment)
    return _of_attached(attached, comment, subject, bounds)


def sender_quoted(text: str, subject: str) -> Address | None:
    """The sender of a mail that a marker announces as forwarded in the text of an answer."""
    if not is_answer(subject):
        return None
    lines = text[:MAX_CHARS].split("\n")[:MAX_LINES]
    number = _start(lines, by_subject=False)
    return _shown(text, lines, number, subject).sender if number is not None else None


def _without_brackets(subject: str) -> str:
    """`Fwd: x` for `[Fwd: x]`, as Mozilla wrote it."""
    found = _IN_BRACKETS.match(subject)
    return found["subject"] if found and is_forward(found["subject"]) else subject


def _start(lines: list[str], *, by_subject: bool) -> int | None:
    """The line of the first marker, or with `by_subject` of the first header block."""
    for number, line in enumerate(lines):
        if markers.is_forward(line):
            return number
        if by_subject and headerblock.role_of(line) and headerblock.at(_bare(lines, number), 0):
            return number
    return None


def _bare(lines: Sequence[str], start: int) -> list[str]:
    """The lines that a header block may have, without quote marks, marks of direction and the bars of a table."""
    block = (markers.DIRECTION.sub("", _QUOTE.sub("", line, count=1)) for line in lines[start : start + MAX_BLOCK])
    return [_ROW.sub(r"\1: \2", line, count=1) for line in block]


def _with_colons(bare: list[str]) -> list[str]:
    """The lines with colons behind the names of fields, which eM Client leaves out; From with an address is first."""
    top = next((n for n, line in enumerate(bare) if line.strip()), 0)
    end = next((n for n in range(top, len(bare)) if not bare[n].strip()), len(bare))
    split = [line.partition(" ") for line in bare[top:end]]
    if (
        not split
        or headerblock.role_of(bare[top])
        or HEADER_KEYS.get(split[0][0].lower()) != "from"
        or "@" not in split[0][2]
    ):
        return bare
    fields = (f"{name}: {value}" if name.lower() in HEADER_KEYS else f"{name} {value}" for name, _, value in split)
    return [*bare[:top], *fields, *bare[end:]]


def _shown(text: str, lines: list[str], start: int, subject: str) -> Forwarded:
    """The forwarded mail in a text: fields from the marker or first field at line `start` on, and the text below."""
    top = start + 1 if markers.is_forward(lines[start]) else start
    bare = _with_colons(_bare(lines, top))
    first = next((n for n, line in enumerate(bare[:MAX_FIELDS]) if headerblock.role_of(line)), None)
    fields, end = _fields(bare, first or 0) if first is not None else ({}, 0)
    if (named := _attribution(bare)) is not None:
        fields, end = {"from": _named_in(bare[named])}, named + 1
    said = fields.get("from") or " ".join(bare[: first or 0])
    ruled = markers.old_mail_at(lines, start)
    above = lines[: start if ruled is None else ruled]
    below, after = _text_below(text, lines, top + end)
    comment = "\n".join(part for each in (above, after) if (part := "\n".join(signature.trimmed(each))))
    about = without_prefixes(subject) or without_prefixes(fields.get("subject", ""))
    return Forwarded(mailbox(said), about, fields.get("sent", "")[:MAX_SHOWN], comment, below)


def _attribution(bare: list[str]) -> int | None:
    """The line below a marker that names date and sender, as Yandex writes it in place of fields."""
    first = next((n for n, line in enumerate(bare[:MAX_FIELDS]) if line.strip()), None)
    if first is None or headerblock.role_of(bare[first]):
        return None
    return first if attribution.start_of(bare, first, quote_follows=False) == first else None


def _named_in(line: str) -> str:
    """Name and address in an attribution: `"Ann" <a@b>` of `3.2.2020, 10:00, "Ann" <a@b>:`."""
    found = _SENDER.search(line[:1000])
    return found[0] if found else line


def _fields(lines: list[str], first: int) -> tuple[dict[str, str], int]:
    """The values of a header block that begins at line `first`, and the line below it.

    A blank line ends it once it has what every block has; what follows may begin like a field.
    """
    found: dict[str, str] = {}
    end, role, wrapped = first, "", 0
    for number in range(first, len(lines)):
        line = lines[number]
        named = headerblock.role_of(line)
        if named and (named not in found or named in ("cc", "other")):
            role, wrapped, end = named, 0, number + 1
            found[role] = re.split("[:\uff1a]", line, maxsplit=1)[1].strip(" *_\t")
        elif not line.strip():
            if _is_complete(found) or not _goes_on(lines, number):
                break
        elif named or (wrapped >= MAX_WRAPPED and role not in PEOPLE) or not _is_wrapped(lines, number, role):
            break
        else:
            found[role] = f"{found[role]} {line.strip()}"
            wrapped, end = wrapped + 1, number + 1
    return found, end


def _is_complete(found: dict[str, str]) -> bool:
    return "from" in found and "subject" in found and ("sent" in found or "to" in found)


def _goes_on(lines: list[str], blank: int) -> bool:
    """Whether the next line with text, two blank lines away at most, is another field."""
    below = next((line for line in lines[blank : blank + 3] if line.strip()), "")
    return headerblock.role_of(below) is not None


def _is_wrapped(lines: list[str], number: int, role: str) -> bool:
    """Whether a line continues the value above it: a list of addresses, or a value above more fields."""
    line, above = lines[number].rstrip(), lines[number - 1].rstrip()
    if role in PEOPLE and above:
        return "@" in line or line.endswith((",", ";")) or above.endswith((",", ";"))
    return bool(above) and any(map(headerblock.role_of, lines[number + 1 : number + 1 + MAX_WRAPPED]))


def _text_below(text: str, lines: list[str], end: int) -> tuple[str, list[str]]:
    """The text of the forwarded mail from line `end` on, without quote marks, and what stands below the quotation."""
    offset = sum(len(line) + 1 for line in lines[:end])
    below = text[offset:].split("\n")
    stop = next((n for n, line in enumerate(below) if _END.match(line)), len(below))
    after = below[stop + 1 :]
    below = below[:stop]
    if end and lines[end - 1].lstrip().startswith(">"):
        stop = next((n for n, line in enumerate(below) if line.strip() and not _QUOTE.match(line)), len(below))
        if any(line.strip("> ") for line in below[:stop]):
            after = [*below[stop:], *after]
            below = [_QUOTE.sub("", line, count=1) for line in below[:stop]]
    return "\n".join(below).strip("\n"), after


def _attached(part: Part, depth: int) -> Iterator[Part]:
    """The mails that are attached to a mail, not those in them."""
    for child in part.children:
        if child.is_mail:
            yield from child.children[:1]
        elif child.is_multipart and depth:
            yield from _attached(child, depth - 1)


def _of_attached(attached: list[Part], comment: str, subject: str, bounds: Bounds) -> Forwarded:
    """The attached mail; several are nobody's unless one person wrote them all, and then the first counts."""
    mail = attached[0]
    senders = {(each.address.lower() if each else None) for each in map(_author, attached)}
    author = _author(mail) if len(senders) == 1 else None
    headers, defects = mail.headers, Defects()
    original = headers.text(headers.index["subject"][0]) if "subject" in headers.index else ""
    text = body.of(mail, bounds, defects).text
    return Forwarded(
        author,
        without_prefixes(subject) or without_prefixes(original),
        (headers.get("date") or "")[:MAX_SHOWN],
        comment,
        text,
        ids.message_id(headers.index.get("message-id", []), defects),
        automatic=kind.classify(mail, subject=original, text=text).automatic,
    )


def _author(mail: Part) -> Address | None:
    return address.sender(mail.headers.index.get("from", []), Defects())


def mailbox(value: str) -> Address | None:
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
