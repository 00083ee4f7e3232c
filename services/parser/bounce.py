"""Reads a delivery report: who did not get the mail, why, and whether permanently.

Reads machine-readable data first (RFC 3464 fields, X-Failed-Recipients, a JSON notice), then flufl.bounce's
collection of private formats, then the prose, and last the To field of the returned mail. `kind` decides whether a
mail is a report; do not call this module for a person's mail, because it would report false recipients.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeVar

from services.parser.bounces import codes, further_attempts, library, notices, original, pieces, prose
from services.parser.bounces.addresses import find
from services.parser.bounces.codes import Codes
from services.parser.bounces.further_attempts import FurtherAttempts
from services.parser.bounces.pieces import DeliveryReport
from services.parser.bounces.prose import Found
from shared.contracts.mail import Bounce, BouncedRecipient
from shared.lazy_pattern import lazy_compile

if TYPE_CHECKING:
    from services.parser.bounces.fields import ReportedRecipient
    from services.parser.tree import Part

_T = TypeVar("_T")
_R = TypeVar("_R", "ReportedRecipient", Found)

MAX_RECIPIENTS: Final = 1_000
MAX_MESSAGE_IDS: Final = 5
MAX_DIAGNOSTIC: Final = 1_000
MAX_CONTEXT: Final = 200_000
"""Characters of context around addresses that are read, for all recipients together."""
_PARTIES: Final = ("From", "To", "Reply-To", "Return-Path")
_RECEIVERS: Final = ("To", "Delivered-To", "X-Original-To", "Envelope-To")
_ALIAS: Final = lazy_compile(r"\((?:ultimately )?generated from ([^\s()]{1,320})\)")


def read(root: Part, report: DeliveryReport, *, subject: str = "", guesses: bool = True) -> Bounce:
    """What a report says: of whom, and of which mail."""
    recipients = _recipients(root, report, subject=subject, guesses=guesses)
    return Bounce(recipients, original.message_ids(report.returned, MAX_MESSAGE_IDS))


def _recipients(root: Part, report: DeliveryReport, *, subject: str, guesses: bool) -> tuple[BouncedRecipient, ...]:
    """All recipients that did not get the mail, one entry each, in the order of the report.

    `guesses`: whether those to whom the returned mail was sent are taken when the report names nobody.
    """
    attempts = further_attempts.read(subject, report.text)
    failed = _others(root, [each for each in report.recipients if not each.succeeded])
    if not failed:
        found = _others(root, _found(root, report, guesses=guesses))
        failed = _stated(found, report) if report.others else []
    if failed := _capped(failed, root):
        return tuple(_from_fields(each, _context(each.address, report, len(failed)), attempts) for each in failed)
    found = _capped(found, root)
    return tuple(_from_prose(one, _context(one.address, report, len(found)), attempts) for one in found)


def _receivers(root: Part) -> frozenset[str]:
    """The addresses to which the report itself came, lower case: the sender of the mail, and no failed recipient."""
    values = (value[:2000] for name in _RECEIVERS for value in root.headers.all(name, 5))
    return frozenset(address.lower() for address in find(" ".join(values), 50))


def _others(root: Part, recipients: list[_R]) -> list[_R]:
    """The recipients but for the report's own receivers, who stay when there are no others."""
    if len(recipients) < 2:
        return recipients
    receivers = _receivers(root)
    return [each for each in recipients if each.address.lower() not in receivers] or recipients


def _stated(found: list[Found], report: DeliveryReport) -> list[ReportedRecipient]:
    """The mailboxes found elsewhere, with what fields say of the paths or programs that stand for them."""
    others = [each for each in report.others if not each.succeeded and each.address]
    if not found or len(others) not in (1, len(found)):
        return others if not found else []
    pairs = zip(found, others * len(found) if len(others) == 1 else others, strict=True)
    return [replace(each, address=one.address, diagnostic=each.diagnostic or None) for one, each in pairs]


def _capped(recipients: list[_T], root: Part) -> list[_T]:
    if len(recipients) > MAX_RECIPIENTS:
        root.defects.add("bounce-recipients-capped")
    return recipients[:MAX_RECIPIENTS]


def is_known(root: Part, report: DeliveryReport) -> bool:
    """Whether the text has the form of a known private report: fields in plain text, or a format of the library."""
    return bool(report.recipients or library.failures(root))


def read_notice(posted: notices.Notice) -> Bounce:
    """The recipients of a JSON notice."""
    return Bounce(tuple(_from_fields(each, "", FurtherAttempts.UNKNOWN) for each in posted.recipients[:MAX_RECIPIENTS]))


def _context(address: str, report: DeliveryReport, recipients: int) -> str:
    """The text about a recipient: all of it when there is only one, else the lines that name it."""
    return report.text if recipients == 1 else report.mentions.of(address, MAX_CONTEXT // recipients)


def _found(root: Part, report: DeliveryReport, *, guesses: bool) -> list[Found]:
    """Recipients that no field names: by header, library, prose, returned mail, in this order."""
    parties = _parties(root)
    said = {found.address.lower(): found for found in prose.read(report.text, ignore=parties)}
    header = find(" ".join(root.headers.all("X-Failed-Recipients", MAX_RECIPIENTS)), MAX_RECIPIENTS + 1)
    known = () if header else library.failures(root)
    if named := header or _reported(known, report, parties) or ([] if said else known):
        once = list(dict.fromkeys(named))
        return [said.get(address.lower()) or _mentioned(address, report, len(once)) for address in once]
    if said or not guesses:
        return list(said.values())
    sent_to = [address for address in original.recipients(report.returned) if address.lower() not in parties]
    found = [_mentioned(address, report, len(sent_to)) for address in dict.fromkeys(sent_to)]
    # sender and recipient may be the same address
    return found or list(prose.read(report.text) or prose.in_any_language(report.text, ignore=parties))


def _reported(addresses: tuple[str, ...], report: DeliveryReport, parties: frozenset[str]) -> list[str]:
    """The library's addresses that occur in the report itself, since the library also reads the returned mail."""
    text, returned = report.text.lower(), report.returned[: pieces.MAX_CHARS].lower()
    own = (one for one in addresses if one.lower() in text or one.lower() not in returned)
    return _without_aliases(tuple(one for one in own if one.lower() not in parties), report.text)


def _without_aliases(addresses: tuple[str, ...], text: str) -> list[str]:
    """Exim names the address that an alias led to, and then the alias; the first is the one that failed."""
    aliases = {match[1].lower() for match in _ALIAS.finditer(text)}
    return [address for address in addresses if address.lower() not in aliases] or list(addresses)


def _mentioned(address: str, report: DeliveryReport, recipients: int) -> Found:
    return Found(address, report.mentions.of(address, MAX_CONTEXT // recipients))


def _parties(root: Part) -> frozenset[str]:
    """The report's own sender and receiver, lower case: named in many reports, never bounced by them."""
    values = " ".join((root.headers.get(name) or "")[:2000] for name in _PARTIES)
    return frozenset(address.lower() for address in find(values, 20))


def _from_fields(recipient: ReportedRecipient, context: str, attempts: FurtherAttempts) -> BouncedRecipient:
    """Build an entry: the diagnostic is preferred to the status field, and the prose is used when both are vague."""
    said = codes.read(recipient.diagnostic or "")
    status = said.status or recipient.status
    if said.smtp is None or codes.is_vague(status):
        more = codes.read(context)
        status = _refined(status, more.status)
        said = Codes(said.smtp or more.smtp, status)
    return _entry(
        recipient.address, recipient.action, Codes(said.smtp, status), recipient.diagnostic or context, attempts
    )


def _refined(status: str | None, more: str | None) -> str | None:
    """A vague status made exact by one of the same class."""
    if more and codes.is_vague(status) and (status is None or status[0] == more[0]):
        return more
    return status


def _from_prose(found: Found, context: str, attempts: FurtherAttempts) -> BouncedRecipient:
    said = codes.read(found.diagnostic)
    if said.smtp is None or said.status is None:
        more = codes.read(context)
        said = Codes(said.smtp or more.smtp, said.status or more.status)
    return _entry(found.address, None, said, found.diagnostic or context, attempts)


def _entry(address: str, action: str | None, said: Codes, words: str, attempts: FurtherAttempts) -> BouncedRecipient:
    why = codes.reason(said, words)
    full = codes.completed(said, why)
    return BouncedRecipient(
        address=address,
        action=action or ("delayed" if attempts is FurtherAttempts.EXPECTED else "failed"),
        status=full.status,
        smtp_code=full.smtp,
        permanent=_is_permanent(action, attempts),
        reason=why,
        diagnostic=" ".join(words.split())[:MAX_DIAGNOSTIC] or None,
    )


def _is_permanent(action: str | None, attempts: FurtherAttempts) -> bool:
    """The Action field decides (RFC 3464 section 2.3.3), else the text: a server that has stopped trying has
    failed permanently, even if the last code was temporary.
    """
    return action != "delayed" if action else attempts is not FurtherAttempts.EXPECTED
