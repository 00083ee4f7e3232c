"""Decides what kind of mail it is: a person's message, a report, an automatic answer, a receipt, an invitation.

Reads headers first, structure second, subject third; the body alone never decides. A person's mail pays for a
few header look-ups only. Separate from reading reports (`bounce`), which costs more and trusts this decision.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from services.parser import bounce, phrases
from shared.contracts.mail import Bounce, Kind

if TYPE_CHECKING:
    from services.parser.tree import Headers, Part


MAX_SUBJECT: Final = 1_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """The kind of a mail; `automatic_header` names the header that says no person wrote it."""

    kind: Kind
    automatic: bool
    automatic_header: str | None
    bounce: Bounce | None = None


@dataclass(frozen=True, slots=True)
class _Signs:
    """What hints at a machine, read from headers alone."""

    robot: bool
    null_path: bool
    subject: bool
    submitted: str
    failed_header: bool
    daemon: bool

    @property
    def machine(self) -> bool:
        return self.robot or self.null_path or self.failed_header or self.submitted not in ("", "no")


def classify(root: Part, *, subject: str, text: str) -> Verdict:
    """The kind of the mail `root`; `subject` decoded, `text` its best plain text (no part of it is kept)."""
    headers, subject = root.headers, subject[:MAX_SUBJECT]
    signs = _signs(headers, subject)
    header = _automatic_header(headers, signs)
    kind, found = _kind(root, signs, subject, text)
    automatic = kind in ("bounce", "report", "auto-reply", "receipt", "challenge") or header is not None
    return Verdict(kind, automatic, header or _by_kind(root, kind), found)


def _by_kind(root: Part, kind: Kind) -> str | None:
    """What gave a kind away when no header of its own did."""
    if kind in ("bounce", "report", "receipt"):
        return "Content-Type" if root.content_type.startswith("multipart/report") else "Subject"
    return "Subject" if kind in ("auto-reply", "challenge") else None


def _kind(root: Part, signs: _Signs, subject: str, text: str) -> tuple[Kind, Bounce | None]:
    """The first of the kinds that fits, from what the structure declares to what the subject suggests."""
    declared = _declared(root, signs, subject)
    if told := _TOLD.get(declared):
        return told, None
    if _is_away(root.headers, subject):
        return "auto-reply", None
    hinted = declared or signs.machine or signs.subject or "x-amz-sns-message-id" in root.headers
    if hinted and (found := _report(root, signs, declared, subject, text)):
        return found
    return _RECEIVED.get(declared) or _robots(root.headers, signs, subject) or "message", None


_TOLD: Final[dict[str, Kind]] = {"feedback-report": "report", "calendar": "calendar"}
_RECEIVED: Final[dict[str, Kind]] = {"disposition-notification": "receipt", "report": "report"}


def _robots(headers: Headers, signs: _Signs, subject: str) -> Kind | None:
    """What a robot that reports nothing wants, by header and subject."""
    if _is_challenge(headers, signs, subject):
        return "challenge"
    if not signs.machine:
        return None
    if signs.submitted == "auto-replied" or phrases.AWAY_WORDS.search(subject):
        return "auto-reply"
    return "receipt" if phrases.RECEIPT_SUBJECT.match(subject) else None


_DECLARED: Final = {
    "message/feedback-report": "feedback-report",
    "message/disposition-notification": "disposition-notification",
    "message/global-disposition-notification": "disposition-notification",
    "message/delivery-status": "delivery-status",
    "message/global-delivery-status": "delivery-status",
}


def _declared(root: Part, signs: _Signs, subject: str) -> str:
    """What the structure says the mail is: a type of report, `calendar`, or nothing."""
    whole = root.content_type == "multipart/report"
    if whole or (root.children and not (signs.machine is False and _is_persons(root.headers, subject))):
        told = next((_DECLARED[p.content_type] for p in root.children[:20] if p.content_type in _DECLARED), None)
        if told:
            return told
    if whole:
        named = (root.params.get("report-type") or "delivery-status").lower()
        return named if named in _REPORT_TYPES else "report"
    if phrases.COMPLAINT_SUBJECT.match(subject) and any(p.content_type == "message/rfc822" for p in root.children[:20]):
        return "feedback-report"
    return "calendar" if _invites(root, 0) else ""


_REPORT_TYPES: Final = frozenset(_DECLARED.values())


def _invites(part: Part, depth: int) -> bool:
    if part.content_type == "text/calendar":
        return part.disposition != "attachment" and _method(part).lower() not in ("", "publish")
    return depth < 4 and any(
        _invites(c, depth + 1) for c in part.children[:20] if not part.content_type.startswith("message/")
    )


def _method(part: Part) -> str:
    if method := part.params.get("method"):
        return str(method)
    found = re.search(r"^METHOD:([A-Za-z-]{1,40})", (part.text or "")[:20_000], re.MULTILINE | re.IGNORECASE)
    return found[1] if found else ""


_ROBOT_LOCAL: Final = re.compile(
    r"(?:^|[<\s\"'])(?:mailer-?daemon|post-?_?master|mdaemon|mail[._-]?delivery|mail-?daemon|double-bounce|bounce-?handler|"
    r"(?:do-?_?)?no[tn]?[-_.]?reply)\b",
    re.IGNORECASE,
)
_DAEMON: Final = re.compile(r"mailer-?daemon|mail delivery (?:sub)?system", re.IGNORECASE)
_ROBOT_NAME: Final = re.compile(
    r"mail deliver\w* (?:sub)?s(?:ystem|ervice)|delivery subsystem|system administrator|mail administrator|"
    r"mailer.daemon|internet mail delivery|mail service\b|smtp_?gateway",
    re.IGNORECASE,
)


def _signs(headers: Headers, subject: str) -> _Signs:
    sender = str(headers.get("from") or "")
    path = headers.get("return-path")
    submitted = str(headers.get("auto-submitted") or "").strip().lower()
    return _Signs(
        robot="<>" in sender
        or "x-mlserver" in headers
        or bool(_ROBOT_LOCAL.search(sender) or _ROBOT_NAME.search(sender)),
        null_path=path is not None and (path.strip() in ("<>", "") or bool(_ROBOT_LOCAL.search(path))),
        subject=bool(phrases.BOUNCE_SUBJECT.search(subject)),
        submitted=re.split(r"[\s;(]", submitted, maxsplit=1)[0] if submitted else "",
        failed_header=headers.get("x-failed-recipients") is not None,
        daemon=bool(_DAEMON.search(sender)),
    )


def _report(root: Part, signs: _Signs, declared: str, subject: str, text: str) -> tuple[Kind, Bounce | None] | None:
    """A delivery report of some sort, or None when a person wrote it."""
    if "x-amz-sns-message-id" in root.headers and (posted := bounce.notice(text)):
        return ("bounce", bounce.read_notice(posted)) if posted.type == "bounce" else ("report", None)
    if not signs.machine and root.content_type != "multipart/report" and _is_persons(root.headers, subject):
        return None
    root = _unwrapped(root, signs)
    pieces = bounce.pieces_of(root, text)
    if pieces.told and all(told.succeeded for told in pieces.told):
        return "report", None
    found = bounce.read(root, pieces, subject=subject)
    if not _convinces(root, signs, declared, pieces, found):
        return None
    return "bounce", found


def _is_persons(headers: Headers, subject: str) -> bool:
    """Whether a mail without any sign of a machine was answered or passed on, or made with a mail program."""
    return bool(phrases.PASSED_ON.match(subject)) or any(name in headers for name in _OF_PERSONS)


_OF_PERSONS: Final = ("in-reply-to", "references", "user-agent", "thread-index", "x-originating-ip")


def _unwrapped(root: Part, signs: _Signs) -> Part:
    """The report inside a mail that a scanner on its way has put around it, or that mail."""
    if not signs.robot or root.content_type == "multipart/report":
        return root
    inner = (
        mail for child in root.children[:3] if child.content_type == "message/rfc822" for mail in child.children[:1]
    )
    sender = root.headers.get("from")
    return next((m for m in inner if m.content_type == "multipart/report" and m.headers.get("from") == sender), root)


def _convinces(root: Part, signs: _Signs, declared: str, report: bounce.Report, found: Bounce) -> bool:
    """Whether headers, words and recipients together make a report; no single one of them does."""
    if (report.declared and report.told) or signs.failed_header:
        return True
    named, fails = bool(found.recipients), bool(phrases.FAILURE.search(report.text[:8000]))
    if declared == "delivery-status" or signs.daemon:
        return signs.subject or named or fails
    if signs.robot:
        return (fails and (signs.subject or named)) or (signs.subject and named)
    if signs.machine:
        return signs.subject and (fails or named)
    return signs.subject and fails and not _is_personal(report.text) and bounce.is_known(root, report)


def _is_personal(text: str) -> bool:
    """Whether a text begins as people begin: with a greeting or with themselves."""
    opening = " ".join(text[:600].split()[:40])
    return bool(phrases.GREETING.match(opening) or phrases.MYSELF.search(opening))


_CHALLENGE_HEADERS: Final = (
    "x-tmda-confirm",
    "x-tmda-fingerprint",
    "x-askversion",
    "x-challenge-response",
    "x-qconfirm",
)


def _is_challenge(headers: Headers, signs: _Signs, subject: str) -> bool:
    if any(name in headers for name in _CHALLENGE_HEADERS):
        return True
    asked = phrases.CHALLENGE_SUBJECT.search(subject)
    return asked is not None and (signs.machine or "precedence" in headers or "in-reply-to" in headers)


_REPLY_HEADERS: Final = (
    "x-autoreply", "x-autorespond", "x-autoreply-from", "x-autoresponder", "x-vacation", "x-auto-reply",
    "x-mail-autoreply",
)  # fmt: skip


def _is_away(headers: Headers, subject: str) -> bool:
    """An automatic answer by header or, where no header says so, by how mail servers word its subject."""
    if any((headers.get(name) or "no").strip().lower() != "no" for name in _REPLY_HEADERS if name in headers):
        return True
    if (headers.get("x-apple-action") or "").strip().lower() == "vacation":
        return True
    if (headers.get("precedence") or "").strip().lower() == "auto_reply":
        return True
    return bool(phrases.AWAY_SUBJECT.match(subject))


_AUTOMATIC: Final = (
    "list-id", "list-unsubscribe", "list-post", "list-help", "list-subscribe", "list-owner", "list-archive",
    "mailing-list", "x-mailing-list", "x-mailman-version", "x-mlserver", "feedback-id", "x-autogenerated",
    "x-auto-generated", "x-cron-env", *_REPLY_HEADERS,
)  # fmt: skip
_PRECEDENCE: Final = frozenset(("bulk", "list", "junk", "auto_reply"))
_SHOWN: Final = {"list-id": "List-Id", "feedback-id": "Feedback-ID", "x-mlserver": "X-MLServer"}


def _automatic_header(headers: Headers, signs: _Signs) -> str | None:
    """The header that says no person wrote this mail to us, or None."""
    if signs.submitted not in ("", "no"):
        return "Auto-Submitted"
    if (headers.get("precedence") or "").strip().lower() in _PRECEDENCE:
        return "Precedence"
    if (headers.get("x-auto-response-suppress") or "none").strip().lower() != "none":
        return "X-Auto-Response-Suppress"
    if found := next((name for name in _AUTOMATIC if name in headers), None):
        return _SHOWN.get(found, found.title())
    if signs.null_path:
        return "Return-Path"
    return "From" if signs.robot else None
