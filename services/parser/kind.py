"""Decides what kind of mail it is: a person's message, a report, an automatic answer, a receipt, an invitation.

A verdict needs a header, the structure of a report, or a text that is a machine's as a whole: neither the subject nor
a phrase decides alone. A person's mail costs only a few header look-ups. Separate from reading reports (`bounce`),
which is slower and relies on this decision.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from services.parser import bounce, phrases
from services.parser import signs as header_signs
from shared.contracts.mail import Bounce, Kind

if TYPE_CHECKING:
    from services.parser.signs import Signs
    from services.parser.tree import Part

MAX_SUBJECT: Final = 1_000
MAX_PARTS: Final = 20
MAX_DEPTH: Final = 4
_WRITTEN_BY_MACHINES: Final = frozenset(("bounce", "report", "auto-reply", "receipt", "challenge"))
_REPORT_PARTS: Final = {
    "message/feedback-report": "feedback-report",
    "message/disposition-notification": "disposition-notification",
    "message/global-disposition-notification": "disposition-notification",
    "message/delivery-status": "delivery-status",
    "message/global-delivery-status": "delivery-status",
}
_REPORT_TYPES: Final = frozenset(_REPORT_PARTS.values())
_SURE: Final[dict[str, Kind]] = {"feedback-report": "report", "calendar": "calendar"}
_UNLESS_BOUNCE: Final[dict[str, Kind]] = {"disposition-notification": "receipt", "report": "report"}
_METHOD: Final = re.compile(r"^METHOD:([A-Za-z-]{1,40})", re.MULTILINE | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The kind of a mail; `automatic_header` names the header that says no person wrote it."""

    kind: Kind
    automatic: bool
    automatic_header: str | None
    bounce: Bounce | None = None


def classify(root: Part, *, subject: str, text: str) -> Verdict:
    """The kind of the mail `root`; `subject` decoded, `text` its best plain text."""
    subject = subject[:MAX_SUBJECT]
    signs = header_signs.read(root.headers, subject)
    kind, found = _kind(root, signs, subject, text)
    header = header_signs.automatic_header(root.headers, signs)
    by_machine = kind in _WRITTEN_BY_MACHINES
    return Verdict(kind, by_machine or header is not None, header or (_tell(root) if by_machine else None), found)


def _tell(root: Part) -> str:
    """The header that identifies a machine's mail when no header declares it automatic."""
    return "Content-Type" if root.content_type == "multipart/report" else "Subject"


def _kind(root: Part, signs: Signs, subject: str, text: str) -> tuple[Kind, Bounce | None]:
    """The first of the kinds that fits, from what the structure declares to what the subject suggests."""
    declared = _declared(root, signs, subject)
    if sure := _SURE.get(declared):
        return sure, None
    answers = bool(signs.answer) or _says_away(root, signs, subject, text)
    hinted = signs.machine or signs.reported or "x-amz-sns-message-id" in root.headers
    if (declared or (hinted and not answers)) and (found := _report(root, signs, declared, subject, text)):
        return found
    if answers:
        return "auto-reply", None
    return _UNLESS_BOUNCE.get(declared) or _robots(root, signs, subject) or "message", None


def _says_away(root: Part, signs: Signs, subject: str, text: str) -> bool:
    """Whether the subject is that of an automatic answer, and a header or the text says that a machine wrote it."""
    robot = signs.machine or signs.bulk
    if not phrases.AWAY_SUBJECT.match(subject):
        return robot and bool(phrases.ABSENT_SUBJECT.match(subject))
    suppressed = (root.headers.get("x-auto-response-suppress") or "").strip().lower() == "all"
    return robot or suppressed or _reads_automatic(text, answers="in-reply-to" in root.headers)


def _reads_automatic(text: str, *, answers: bool) -> bool:
    """Whether a text begins as an automatic answer does; a word of absence counts in an answer to a mail only."""
    opening = " ".join(text[:600].split()).lower()
    if phrases.AUTOMATIC_TEXT.search(opening[:200]) and not phrases.GREETING.match(opening):
        return True
    return answers and bool(phrases.ABSENCE_TEXT.search(opening[:300]))


def _declared(root: Part, signs: Signs, subject: str) -> str:
    """The kind that the structure declares: a type of report, `calendar`, or an empty string."""
    types = [part.content_type for part in root.children[:MAX_PARTS]]
    whole = root.content_type == "multipart/report"
    declared = next((_REPORT_PARTS[type_] for type_ in types if type_ in _REPORT_PARTS), None)
    if declared and (whole or signs.machine or not signs.person):
        return declared
    if whole:
        named = root.params.get("report-type", "delivery-status").lower()
        return named if named in _REPORT_TYPES else "report"
    alone = signs.machine or not any(part.text and part.text.strip() for part in root.children[:MAX_PARTS])
    if "message/rfc822" in types and alone and phrases.COMPLAINT_SUBJECT.match(subject):
        return "feedback-report"
    return "calendar" if _invites(root) else ""


def _invites(part: Part, depth: int = 0) -> bool:
    """Whether the body has a calendar part that requests something (RFC 5546); attached files do not count."""
    if part.content_type == "text/calendar":
        return part.disposition != "attachment" and _method(part) not in ("", "publish")
    if depth >= MAX_DEPTH or not part.is_multipart:
        return False
    return any(_invites(child, depth + 1) for child in part.children[:MAX_PARTS])


def _method(part: Part) -> str:
    if method := part.params.get("method"):
        return method.lower()
    found = _METHOD.search((part.text or "")[:20_000])
    return found[1].lower() if found else ""


def _report(root: Part, signs: Signs, declared: str, subject: str, text: str) -> tuple[Kind, Bounce | None] | None:
    """A delivery report of some sort, or None when a person wrote it."""
    if "x-amz-sns-message-id" in root.headers and (posted := bounce.notice(text)):
        return ("bounce", bounce.read_notice(posted)) if posted.type == "bounce" else ("report", None)
    if signs.person and not signs.machine and root.content_type != "multipart/report":
        return None
    root = _unwrapped(root, signs)
    report = bounce.pieces_of(root, text)
    if report.recipients and all(each.succeeded for each in report.recipients):
        return "report", None
    found = bounce.read(root, report, subject=subject)
    return ("bounce", found) if _convinces(root, signs, declared, report, found) else None


def _unwrapped(root: Part, signs: Signs) -> Part:
    """The report inside a mail that a scanner wrapped around it, else the mail itself."""
    if not signs.robot or root.content_type == "multipart/report":
        return root
    inner = (mail for child in root.children[:MAX_DEPTH] if child.is_mail for mail in child.children[:1])
    sender = root.headers.get("from")
    return next((m for m in inner if m.content_type == "multipart/report" and m.headers.get("from") == sender), root)


def _convinces(root: Part, signs: Signs, declared: str, report: bounce.Report, found: Bounce) -> bool:
    """Whether headers, words and recipients together identify a report; one of them is not enough."""
    if (report.declared and report.recipients) or signs.failed:
        return True
    named, fails = bool(found.recipients), bool(phrases.FAILURE.search(report.text[:8000].lower()))
    if declared == "delivery-status" or signs.daemon:
        return signs.reported or named or fails
    if signs.machine and (signs.null_path or signs.submitted or not _is_personal(report.text)):
        return sum((signs.reported, fails, named)) >= 2 and (signs.robot or signs.reported)
    if not (signs.reported and fails) or _is_personal(report.text):
        return False
    return bounce.is_known(root, report) or (named and bool(phrases.MAIL_SYSTEM.search(report.text[:2000].lower())))


def _is_personal(text: str) -> bool:
    """Whether a text begins as people write: with a greeting or in the first person."""
    opening = " ".join(text[:600].split()[:40])
    return bool(phrases.GREETING.match(opening) or phrases.MYSELF.search(opening))


def _robots(root: Part, signs: Signs, subject: str) -> Kind | None:
    """The kind of a robot's mail that is not a report, by header and subject."""
    robot = signs.null_path or signs.replied or signs.bulk
    if header_signs.challenges(root.headers) or (robot and phrases.CHALLENGE_SUBJECT.search(subject)):
        return "challenge"
    if signs.machine and phrases.RECEIPT_SUBJECT.match(subject):
        return "receipt"
    return "auto-reply" if signs.replied or (robot and phrases.AWAY_WORDS.search(subject)) else None
