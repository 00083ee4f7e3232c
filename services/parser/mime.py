"""Reads any mail: headers, body, attachments, kind.

Takes raw bytes, gives a `Reading`: the `ParsedMail` and the decoded bytes of its attachments. It combines the
results of the other modules (tree, address, charset, transfer, html, names, tnef, kind, reply). The only error is
`BoundExceeded`, for a mail that exceeds a limit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from services.parser import address, body, dates, ids, kind, reply, rewritten, tree
from services.parser.bounds import Bounds
from services.parser.charset import scalar
from services.parser.defects import Defects
from services.parser.headers import Headers
from services.parser.quotes import forwarded
from shared.contracts.mail import Address, ParsedMail, Routing
from shared.lazy_dataclass import dataclass

__all__ = ["Bounds", "Reading", "read"]


@dataclass(frozen=True, slots=True)
class Reading:
    """A mail and the decoded bytes of its attachments by SHA-256 (equal contents are kept once)."""

    mail: ParsedMail
    contents: Mapping[str, bytes]


def read(raw: bytes, *, bounds: Bounds = Bounds()) -> Reading:  # noqa: B008 frozen default
    """Read one mail.

    Raises `shared.contracts.errors.BoundExceeded` for a mail beyond a limit of `bounds`, and nothing else.
    """
    defects = Defects()
    root = tree.parse(raw, bounds, defects)
    headers = root.headers
    if not headers.raw:
        defects.add("no-headers" if raw else "empty")
    subject = _subject(headers, bounds, defects)
    found = body.of(root, bounds, defects)
    verdict = kind.classify(root, subject=subject, text=found.text)
    message_id, in_reply_to, references = _threading(headers, bounds, defects)
    is_reply = reply.answers(subject, found.text, threaded=bool(in_reply_to or references))
    from_, sender = _people(headers, defects)
    to, cc = (_addresses(headers, name, bounds, defects) for name in ("to", "cc"))
    passed_on = forwarded.read(root, subject, found.text, bounds)
    lists = rewritten.list_addresses(headers)
    own = reply.read(found.text, found.markup, reply.answered_by(subject, (*to, *cc)), is_reply=is_reply)
    mail = ParsedMail(
        sha256=hashlib.sha256(raw).hexdigest(),
        size=len(raw),
        message_id=message_id,
        in_reply_to=in_reply_to,
        references=references,
        date=_date(headers, defects),
        from_=from_,
        sender=sender,
        reply_to=_addresses(headers, "reply-to", bounds, defects),
        to=to,
        cc=cc,
        subject=subject,
        text=found.text,
        html=found.html,
        new_text=scalar(own.new_text),
        passages=own.passages,
        attachments=found.attachments,
        kind=verdict.kind,
        bounce=verdict.bounce,
        automatic=verdict.automatic,
        automatic_header=verdict.automatic_header,
        forwarded_from=passed_on.sender if passed_on else forwarded.sender_quoted(found.text, subject),
        routing=_routing(headers),
        defects=defects.words(),
        original_from=rewritten.original(headers),
        forwarded=passed_on,
        lists=tuple(sorted(lists)),
    )
    return Reading(rewritten.with_original_author(mail, lists), found.contents)


def _subject(headers: Headers, bounds: Bounds, defects: Defects) -> str:
    values = headers.index.get("subject", [])
    if len(values) > 1:
        defects.add("several-subjects")
    if not values:
        return ""
    text = headers.text(values[0])
    if len(text) > bounds.subject:
        defects.add("header-truncated")
        text = text[: bounds.subject]
    return text


def _threading(headers: Headers, bounds: Bounds, defects: Defects) -> tuple[str | None, str | None, tuple[str, ...]]:
    message_id = ids.message_id(headers.index.get("message-id", []), defects)
    answered = ids.all_ids(headers.index.get("in-reply-to", []), bounds.references, defects)
    references = ids.all_ids(headers.index.get("references", []), bounds.references, defects)
    return message_id, answered[0] if answered else None, references


def _people(headers: Headers, defects: Defects) -> tuple[Address | None, Address | None]:
    values = headers.index.get("sender", [])
    found = address.addresses(values[:1], 1, defects) if values else ()
    sender = found[0] if found else None
    from_ = address.sender(headers.index.get("from", []), defects, transmitter=sender if len(values) == 1 else None)
    if from_ and sender and sender.address.lower() != from_.address.lower():
        defects.add("sender-differs")
    return from_, sender


def _addresses(headers: Headers, name: str, bounds: Bounds, defects: Defects) -> tuple[Address, ...]:
    values = headers.index.get(name)
    return address.addresses(values, bounds.addresses, defects) if values else ()


def _date(headers: Headers, defects: Defects) -> str | None:
    value = headers.get("date")
    return dates.utc(value, defects) if value else None


def _routing(headers: Headers) -> Routing:
    return Routing(
        return_path=_return_path(headers),
        auto_submitted=headers.get("auto-submitted"),
        loop=tuple(headers.all("x-postroom-loop")),
        authentication_results=tuple(map(_structured, headers.index.get("authentication-results", [])[:_MOST])),
        delivered_to=tuple(headers.all("delivered-to")),
    )


_MOST = 50
_LONGEST_RESULTS = 65_536


def _structured(value: bytes) -> str:
    """Return a structured value as sent, since encoded words are not allowed in it (RFC 2047, section 5).

    A value that is too long is cut and ends in an unclosed comment, so that readers reject it.
    """
    cut = "(" if len(value) > _LONGEST_RESULTS else ""
    return value[:_LONGEST_RESULTS].decode("utf-8", "replace") + cut


def _return_path(headers: Headers) -> str | None:
    value = headers.get("return-path")
    if value is None:
        return None
    start, stop = value.find("<"), value.rfind(">")
    return (value[start + 1 : stop] if 0 <= start < stop else value).strip()
