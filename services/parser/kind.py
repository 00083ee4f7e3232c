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
    headers = root.headers
    signs = _signs(headers, subject)
    header = _automatic_header(headers, signs)
    kind, found = _kind(root, signs, subject, text)
    automatic = kind in ("bounce", "report", "auto-reply", "receipt", "challenge") or header is not None
    return Verdict(kind, automatic, header or _by_kind(headers, kind), found)


def _by_kind(headers: Headers, kind: Kind) -> str | None:
    if kind in ("bounce", "report", "receipt"):
        return "Content-Type" if str(headers.get("Content-Type") or "").lower().startswith("multipart/report") else "From"
    return "Subject" if kind in ("auto-reply", "challenge") else None


def _kind(root: Part, signs: _Signs, subject: str, text: str) -> tuple[Kind, Bounce | None]:
    declared = _declared(root)
    if declared == "feedback-report":
        return "report", None
    if declared == "disposition-notification" and not signs.subject:
        return "receipt", None
    if declared == "calendar":
        return "calendar", None
    if (declared or signs.machine or signs.subject or root.headers.get("x-amz-sns-message-id")) and (
        verdict := _report(root, signs, declared, subject, text)
    ):
        return verdict
    if _is_challenge(root.headers, signs, subject):
        return "challenge", None
    if _is_auto_reply(root.headers, signs, subject):
        return "auto-reply", None
    return "message", None


_DECLARED: Final = {
    "message/feedback-report": "feedback-report",
    "message/disposition-notification": "disposition-notification",
    "message/global-disposition-notification": "disposition-notification",
    "message/delivery-status": "delivery-status",
    "message/global-delivery-status": "delivery-status",
}


def _declared(root: Part) -> str:
    """What the structure says the mail is: a report type, `calendar`, or nothing."""
    if root.content_type == "text/calendar":
        return "calendar" if _method(root) else ""
    if not root.children:
        return ""
    for part in root.children[:20]:
        if told := _DECLARED.get(part.content_type):
            return told
    if root.content_type == "multipart/report":
        return str(root.params.get("report-type") or "").lower() or "delivery-status"
    return "calendar" if _invites(root, 0) else ""


def _invites(part: Part, depth: int) -> bool:
    if part.content_type == "text/calendar":
        return bool(_method(part))
    return depth < 4 and any(_invites(c, depth + 1) for c in part.children[:20] if not part.content_type.startswith("message/"))  # noqa: PLR2004


def _method(part: Part) -> str:
    if method := part.params.get("method"):
        return str(method)
    found = re.search(r"^METHOD:([A-Za-z-]{1,40})", (part.text or "")[:20_000], re.MULTILINE | re.IGNORECASE)
    return found[1] if found else ""


_ROBOT_LOCAL: Final = re.compile(
    r"(?:^|[<\s\"'])(?:mailer-?daemon|post-?_?master|mdaemon|mail[._-]?delivery|mail-?daemon|double-bounce|bounce-?handler)\b",
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
        robot="<>" in sender or "x-mlserver" in headers or bool(_ROBOT_LOCAL.search(sender) or _ROBOT_NAME.search(sender)),
        null_path=path is not None and (path.strip() in ("<>", "") or bool(_ROBOT_LOCAL.search(path))),
        subject=bool(phrases.BOUNCE_SUBJECT.search(subject)),
        submitted=re.split(r"[\s;(]", submitted, maxsplit=1)[0] if submitted else "",
        failed_header=headers.get("x-failed-recipients") is not None,
        daemon=bool(_DAEMON.search(sender)),
    )


def _report(root: Part, signs: _Signs, declared: str, subject: str, text: str) -> tuple[Kind, Bounce | None] | None:
    """A delivery report of some sort, or None when a person wrote it."""
    if posted := bounce.notice(text):
        return ("bounce", bounce.read_notice(posted)) if posted.type == "bounce" else ("report", None)
    if phrases.PASSED_ON.match(subject) and not declared and not signs.machine:
        return None
    root = _unwrapped(root, signs)
    pieces = bounce.pieces(root, text)
    if pieces.told and all(told.succeeded for told in pieces.told):
        return "report", None
    if not _convinces(root, signs, declared, pieces, subject):
        return None
    return "bounce", bounce.read(root, pieces, subject=subject)


def _unwrapped(root: Part, signs: _Signs) -> Part:
    """The report inside a mail that a scanner on its way has put around it, or that mail."""
    if not signs.robot or root.content_type == "multipart/report":
        return root
    inner = (mail for child in root.children[:3] if child.content_type == "message/rfc822" for mail in child.children[:1])
    sender = root.headers.get("from")
    return next((m for m in inner if m.content_type == "multipart/report" and m.headers.get("from") == sender), root)


def _convinces(root: Part, signs: _Signs, declared: str, report: bounce.Report, subject: str) -> bool:
    if report.declared and report.told:
        return True
    fails = bool(phrases.FAILURE.search(report.text[:8000]))
    if declared == "delivery-status":
        return True
    if signs.machine:
        return signs.daemon or signs.subject or signs.failed_header or (fails and not phrases.AWAY_SUBJECT.search(subject))
    return signs.subject and fails and not _has_person(root.headers)


def _has_person(headers: Headers) -> bool:
    return any(headers.get(name) for name in ("in-reply-to", "references", "user-agent", "thread-index"))


def _is_challenge(headers: Headers, signs: _Signs, subject: str) -> bool:
    return any(headers.get(name) for name in ("x-tmda-confirm", "x-challenge-response")) or bool(
        phrases.CHALLENGE_SUBJECT.search(subject) and (signs.machine or headers.get("precedence"))
    )


_REPLY_HEADERS: Final = ("x-autoreply", "x-autorespond", "x-autoreply-from", "x-autoresponder", "x-vacation", "x-auto-reply")


def _is_auto_reply(headers: Headers, signs: _Signs, subject: str) -> bool:
    if signs.submitted == "auto-replied":
        return True
    if any((headers.get(name) or "no").strip().lower() != "no" for name in _REPLY_HEADERS):
        return True
    if (headers.get("precedence") or "").strip().lower() == "auto_reply":
        return True
    return bool(phrases.AWAY_SUBJECT.search(subject)) and not phrases.PASSED_ON.match(subject)


_AUTOMATIC: Final = (
    "list-id", "list-unsubscribe", "list-post", "list-help", "mailing-list", "feedback-id", "x-auto-response-suppress",
    "x-mailman-version", "x-mailing-list", "x-loop", *_REPLY_HEADERS,
)  # fmt: skip
_PRECEDENCE: Final = frozenset(("bulk", "list", "junk", "auto_reply"))


def _automatic_header(headers: Headers, signs: _Signs) -> str | None:
    if signs.submitted not in ("", "no"):
        return "Auto-Submitted"
    if str(headers.get("precedence") or "").strip().lower() in _PRECEDENCE:
        return "Precedence"
    found = next((name for name in _AUTOMATIC if headers.get(name) is not None), None)
    return found.title() if found else None
