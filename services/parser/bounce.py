"""Reads a delivery report: who did not get the mail, why, and whether for good.

Takes what machines wrote for machines first (RFC 3464 fields, X-Failed-Recipients, a JSON notice), then what the
prose says, then flufl.bounce's collection of private formats, and at last the returned mail's own To.
Whether a mail is a report at all is decided in `kind`; reading a person's mail here would find things.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from services.parser.bounces import codes, fields, library, notices, original, prose
from services.parser.bounces.addresses import find
from services.parser.bounces.codes import Codes
from shared.contracts.mail import Bounce, BouncedRecipient

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.parser.bounces.fields import Told
    from services.parser.tree import Part

MAX_RECIPIENTS: Final = 1_000
_STATUS_TYPES: Final = ("message/delivery-status", "message/global-delivery-status")
_RETURNED_TYPES: Final = ("message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers", "message/partial")

_DELAY: Final = re.compile(
    r"\bdelay(?:ed)?\b|not yet been delivered|will (?:be )?(?:retr|keep|continue)|still being retried|will be retried|"
    r"no action is required|has been postponed|could not send (?:message|mail) for past|attempts will continue|"
    r"only a temporary|just a warning|warning message only|will try again|do not need to re-?send|verz(?:ö|oe)ger",
    re.IGNORECASE,
)
_FINAL: Final = re.compile(
    r"giving up|given up|not going to try|permanent|will not be retried|could not be delivered within|"
    r"cannot send (?:message|mail) for|has been in the queue too long|been in the queue too long|fatal error|"
    r"returning (?:message|mail) to|undelivered mail returned|\bfailed after\b|retry time(?:out)? exceeded",
    re.IGNORECASE,
)
_GENERATED: Final = re.compile(r"\((?:ultimately )?generated from ([^\s()]{1,320})\)")


@dataclass(frozen=True, slots=True)
class Report:
    """The pieces of a report: its own words, its fields, and the mail that it returns."""

    text: str
    told: tuple[Told, ...]
    declared: bool
    returned: str


def pieces(root: Part, text: str) -> Report:
    """Take a mail apart; `text` is its best plain text. `declared` means that a status part is there."""
    status, returned, declared = [], [], False
    for part in _outer_parts(root):
        if part.content_type in _STATUS_TYPES:
            declared = True
            status.append(_source(part))
        elif part.content_type in _RETURNED_TYPES:
            returned.append(_source(part))
    own, tail = original.split((_own_text(root) or text or _unsplit(root))[: prose.MAX_CHARS * 2])
    told = fields.read("\n\n".join(status)) or fields.read(own) or _told_in(tail)
    return Report(own, told, declared, "\n\n".join([*returned, tail]))


def _told_in(tail: str) -> tuple[Told, ...]:
    """Fields of a report that came back as the text of another one."""
    return fields.read(tail) if "Reporting-MTA:" in tail else ()


def _outer_parts(part: Part, depth: int = 0) -> Iterator[Part]:
    """The parts of this mail, not those of the mails attached to it."""
    yield part
    if depth < 8 and (part.content_type.startswith("multipart/") or not depth):  # noqa: PLR2004
        for child in part.children[:100]:
            yield from _outer_parts(child, depth + 1)


def _own_text(root: Part) -> str:
    texts = (p.text for p in _outer_parts(root) if p.content_type == "text/plain" and p.text)
    return "\n\n".join(texts)


def _unsplit(root: Part) -> str:
    """The content of a multipart whose delimiters are lost."""
    if root.children or not root.content_type.startswith("multipart/"):
        return ""
    return root.wire[: prose.MAX_CHARS * 2].decode("utf-8", "replace")


def _source(part: Part) -> str:
    """A message/* part as text, whether the tree kept it as bytes, as text or as children."""
    if part.body:
        return part.body[: prose.MAX_CHARS * 4].decode("utf-8", "replace")
    heads = (f"{_raw(child)}\n\n{child.text or ''}" for child in part.children[:500])
    return part.text or "\n\n".join(heads)


def _raw(part: Part) -> str:
    raw: object = part.headers.raw
    return raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)


def read(root: Part, report: Report, *, subject: str = "") -> Bounce:
    """All recipients that did not get the mail, one entry each, in the order of the report."""
    waits = _is_delay(f"{subject}\n{report.text}")
    if failed := [told for told in report.told if not told.succeeded]:
        return Bounce(tuple(_from_fields(told, report, alone=len(failed) == 1, waits=waits) for told in failed[:MAX_RECIPIENTS]))
    found = _found(root, report)
    return Bounce(tuple(_from_prose(f, report, alone=len(found) == 1, waits=waits) for f in found[:MAX_RECIPIENTS]))


def is_known(root: Part, report: Report) -> bool:
    """Whether the text has the form of a known private report: by the library, or by fields in plain text."""
    return bool(report.told or library.failures(root))


def notice(text: str) -> notices.Notice | None:
    """The JSON notice in a mail's text, if it is one."""
    return notices.read(text)


def read_notice(posted: notices.Notice) -> Bounce:
    """The recipients of a JSON notice."""
    report = Report("", posted.recipients, declared=True, returned="")
    return Bounce(tuple(_from_fields(told, report, alone=False, waits=False) for told in posted.recipients))


def _is_delay(text: str) -> bool:
    return bool(_DELAY.search(text[:8000])) and not _FINAL.search(text[:8000])


def _found(root: Part, report: Report) -> list[prose.Found]:
    """Recipients that the fields do not name: by header, prose, library, returned mail, in this order."""
    said = {f.address.lower(): f for f in prose.read(report.text, ignore=_parties(root))}
    header = find(" ".join(str(v) for v in root.headers.all("X-Failed-Recipients")), MAX_RECIPIENTS)
    if named := header or _without_aliases(library.failures(root), report.text):
        return [said.get(a.lower()) or _mentioned(a, report) for a in dict.fromkeys(named)]
    if said:
        return list(said.values())
    sent_to = [a for a in original.recipients(report.returned) if a.lower() not in _parties(root)]
    return [_mentioned(a, report) for a in dict.fromkeys(sent_to)]


def _without_aliases(addresses: tuple[str, ...], text: str) -> list[str]:
    """Exim names the address that an alias led to, and then the alias; the first is the one that failed."""
    aliases = {m[1].lower() for m in _GENERATED.finditer(text)}
    return [a for a in addresses if a.lower() not in aliases] or list(addresses)


def _mentioned(address: str, report: Report) -> prose.Found:
    return prose.Found(address, prose.mentions(report.text, address))


def _parties(root: Part) -> frozenset[str]:
    """The report's own sender and receiver, lower case: named in many reports, never bounced by them."""
    names = ("From", "To", "Reply-To", "Return-Path")
    values = " ".join(str(root.headers.get(name) or "")[:2000] for name in names)
    return frozenset(address.lower() for address in find(values, 20))


def _from_fields(told: Told, report: Report, *, alone: bool, waits: bool) -> BouncedRecipient:
    """One recipient; the prose is asked for what the fields leave vague."""
    diagnostic = told.diagnostic or ""
    said = codes.read(diagnostic)
    status = said.status or told.status
    if said.smtp is None or codes.is_vague(status):
        more = codes.read(report.text if alone else prose.mentions(report.text, told.address))
        said = Codes(said.smtp or more.smtp, said.status)
        if codes.is_vague(status) and more.status and (status is None or more.status[0] == status[0]):
            status = more.status
    words = diagnostic or prose.mentions(report.text, told.address)
    return _entry(told.address, told.action, Codes(said.smtp, status), words, waits=waits)


def _from_prose(found: prose.Found, report: Report, *, alone: bool, waits: bool) -> BouncedRecipient:
    said = codes.read(found.diagnostic)
    if said.smtp is None or said.status is None:
        more = codes.read(report.text if alone else prose.mentions(report.text, found.address))
        said = Codes(said.smtp or more.smtp, said.status or more.status)
    return _entry(found.address, None, said, found.diagnostic or (report.text if alone else ""), waits=waits)


def _entry(address: str, action: str | None, said: Codes, words: str, *, waits: bool) -> BouncedRecipient:
    why = codes.reason(said, words)
    full = codes.completed(said, why)
    return BouncedRecipient(
        address=address,
        action=action or ("delayed" if waits else "failed"),
        status=full.status,
        smtp_code=full.smtp,
        permanent=_permanent(action, full, waits=waits),
        reason=why,
        diagnostic=" ".join(words.split())[:1000] or None,
    )


def _permanent(action: str | None, said: Codes, *, waits: bool) -> bool:
    if action:
        return action != "delayed"
    return not waits
