"""Decides what kind of mail it is: a person's message, a report, an automatic answer, a receipt, an invitation.

A verdict needs a header, the structure of a report, or a text that is a machine's as a whole: neither the subject nor
a phrase decides alone. A person's mail costs only a few header look-ups. Separate from reading reports (`bounce`),
which is slower and relies on this decision.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from services.parser import bounce, phrases
from services.parser import signs as header_signs
from services.parser.bounces import notices, pieces
from shared.contracts.mail import Bounce, Kind
from shared.lazy_dataclass import dataclass
from shared.lazy_pattern import lazy_compile
from shared.subject_prefixes import without_tags

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
_METHOD: Final = lazy_compile(r"^METHOD:([A-Za-z-]{1,40})", re.MULTILINE | re.IGNORECASE)


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
    return Verdict(
        kind, by_machine or header is not None, header or (_identifying_header(root) if by_machine else None), found
    )


def _identifying_header(root: Part) -> str:
    """The header that shows a machine's mail when no header declares it automatic."""
    return "Content-Type" if _structured(root) else "Subject"


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
    return _UNLESS_BOUNCE.get(declared) or _automatic_kind(root, signs, subject) or "message", None


def _says_away(root: Part, signs: Signs, subject: str, text: str) -> bool:
    """Whether the subject is that of an automatic answer, and a header or the text says that a machine wrote it."""
    robot = signs.machine or signs.bulk
    if not _begins(phrases.AWAY_SUBJECT, subject):
        return robot and _begins(phrases.ABSENT_SUBJECT, subject)
    suppressed = (root.headers.get("x-auto-response-suppress") or "").strip().lower() == "all"
    return robot or suppressed or _reads_automatic(text, answers="in-reply-to" in root.headers)


def _begins(pattern: re.Pattern[str], subject: str) -> bool:
    """Whether a subject begins in some way, as written or behind the tags of a gateway."""
    return bool(pattern.match(subject) or pattern.match(without_tags(subject)))


def _reads_automatic(text: str, *, answers: bool) -> bool:
    """Whether a text begins as an automatic answer does; in an answer to a mail a word of absence counts too.

    Who greets, and answers nothing, writes about such a text.
    """
    opening = " ".join(text[:600].split()).lower()
    if phrases.AUTOMATIC_TEXT.search(opening[:200]) and (answers or not phrases.GREETING.match(opening)):
        return True
    return answers and bool(phrases.ABSENCE_TEXT.search(opening[:300]))


def _declared(root: Part, signs: Signs, subject: str) -> str:
    """The kind that the structure declares: a type of report, `calendar`, or an empty string."""
    whole = _structured(root)
    types = [part.content_type for part in (whole or root).children[:MAX_PARTS]]
    declared = next((_REPORT_PARTS[type_] for type_ in types if type_ in _REPORT_PARTS), None)
    if declared and (whole or signs.machine or not signs.person):
        return declared
    if whole:
        named = whole.params.get("report-type", "delivery-status").lower()
        return named if named in _REPORT_TYPES else "report"
    alone = signs.machine or not any(part.text and part.text.strip() for part in root.children[:MAX_PARTS])
    if "message/rfc822" in types and alone and _begins(phrases.COMPLAINT_SUBJECT, subject):
        return "feedback-report"
    return "calendar" if _invites(root) else ""


def _structured(root: Part) -> Part | None:
    """The multipart/report: the mail itself, or inside the multipart that a gateway put around it."""
    return next((part for part in _parts(root) if part.content_type == "multipart/report"), None)


def _invites(root: Part) -> bool:
    """Whether the body has a calendar part that requests something (RFC 5546); attached files do not count."""
    calendars = (part for part in _parts(root) if part.content_type == "text/calendar")
    return any(part.disposition != "attachment" and _method(part) not in ("", "publish") for part in calendars)


def _parts(part: Part, depth: int = 0) -> Iterator[Part]:
    """The part and those in it, as far as they are multiparts, in the order of the mail."""
    yield part
    if depth < MAX_DEPTH and part.is_multipart:
        for child in part.children[:MAX_PARTS]:
            yield from _parts(child, depth + 1)


def _method(part: Part) -> str:
    if method := part.params.get("method"):
        return method.lower()
    found = _METHOD.search((part.text or "")[:20_000])
    return found[1].lower() if found else ""


def _report(
    root: Part, signs: Signs, declared: str, subject: str, text: str, depth: int = 0
) -> tuple[Kind, Bounce | None] | None:
    """A delivery report of some sort, or None when a person wrote it."""
    if "x-amz-sns-message-id" in root.headers and (posted := notices.read(text)):
        return ("bounce", bounce.read_notice(posted)) if posted.type == "bounce" else ("report", None)
    report = pieces.of(root, text)
    inner = _enclosed(root) if signs.machine and not report.declared and depth < MAX_DEPTH else None
    found = bounce.read(root, report, subject=subject, guesses=inner is None)
    if inner and not _is_returned(inner, found):
        inside = _report(inner, signs, _declared(inner, signs, subject), subject, "", depth + 1)
        if inside:
            return inside
    if not _convinces(root, signs, declared, report, found):
        return None
    all_arrived = bool(report.recipients) and all(each.succeeded for each in report.recipients)
    return ("report", None) if all_arrived else ("bounce", found)


def _enclosed(root: Part) -> Part | None:
    """The report that a scanner's mail encloses: an attached mail of a mail system, or with the parts of a report."""
    mails = (part.children[0] for part in _parts(root) if part.is_mail and part.children)
    return next((mail for mail in mails if _structured(mail) or header_signs.read(mail.headers, "").daemon), None)


def _is_returned(mail: Part, found: Bounce) -> bool:
    """Whether an attached report is what came back, since it was sent to those who did not get it."""
    sent_to = (mail.headers.get("to") or "")[:2000].lower()
    return any(recipient.address.lower() in sent_to for recipient in found.recipients)


_ENOUGH: Final = 4


def _convinces(root: Part, signs: Signs, declared: str, report: pieces.DeliveryReport, found: Bounce) -> bool:
    """Whether all that speaks for a report outweighs what speaks for a person; no piece of evidence decides alone.

    A report has an author, a subject or a structure of reports, and says that a delivery failed, or for whom.
    """
    if report.declared and report.recipients and (signs.machine or _structured(root)):
        return True
    text = report.text[:8000].lower()
    named, fails = bool(found.recipients or report.recipients), bool(phrases.FAILURE.search(text))
    sure = declared == "delivery-status" or signs.daemon or signs.failed
    if sum((signs.reported, fails, named)) < (1 if sure else 2) or not (sure or signs.robot or signs.reported):
        return False
    coded = any(each.smtp_code or each.status for each in found.recipients)
    against = _weight(_evidence_of_person(root, signs, text))
    author = _weight(_evidence_of_author(signs, declared, text, returned=bool(report.returned)))
    weight = author + signs.reported + fails + named + coded - against
    if author and weight >= _ENOUGH:
        return True
    return weight >= _ENOUGH - 1 and not against and bounce.is_known(root, report)


_Evidence = tuple[tuple[int, bool], ...]
"""Weights, and whether each applies."""


def _weight(evidence: _Evidence) -> int:
    return sum(weight for weight, holds in evidence if holds)


def _evidence_of_author(signs: Signs, declared: str, text: str, *, returned: bool) -> _Evidence:
    """The evidence that a mail system wrote: its structure, its headers, how it introduces itself.

    An alarm about mail is not a report: any program may write from a no-reply address, as `auto-generated`. From
    such an address a report has to return the mail.
    """
    return (
        (6, signs.failed),
        (4, declared == "delivery-status"),
        (3 if signs.daemon else 2, signs.mail_system or (signs.no_reply and returned)),
        (2, signs.null_path),
        (2, signs.replied),
        (2, bool(phrases.MAIL_SYSTEM.search(text[:2000]))),
    )


def _evidence_of_person(root: Part, signs: Signs, text: str) -> _Evidence:
    """The evidence that a person wrote: a mail program, or words that mail systems do not use."""
    opening = " ".join(text[:600].split()[:40])
    doubtful = not signs.machine
    return (
        (6, signs.person and doubtful and not _structured(root)),
        (2, bool(phrases.GREETING.match(opening))),
        (2, bool(phrases.MYSELF.search(phrases.MACHINE_SELF.sub("", opening)))),
        (3, doubtful and ("?" in opening or "\n>" in text)),
    )


def _automatic_kind(root: Part, signs: Signs, subject: str) -> Kind | None:
    """The kind of a robot's mail that is not a report, by header and subject."""
    robot = signs.null_path or signs.replied or signs.bulk
    if header_signs.challenges(root.headers) or (robot and phrases.CHALLENGE_SUBJECT.search(subject)):
        return "challenge"
    if signs.machine and _begins(phrases.RECEIPT_SUBJECT, subject):
        return "receipt"
    return "auto-reply" if signs.replied or (robot and phrases.AWAY_WORDS.search(subject)) else None
