"""A report that mail of the desk was not delivered: who does not get it, and a note for the record's handler. Pure.

The report is known by the Message-ID of the mail that it returns, or that it answers: the id has a hash in it, so only
those who got the mail know it. Such a report makes no record and no person, and nobody answers it; its event is one
that no rule acts on, so that nothing that follows from it sends mail. One report counts for each recipient of a mail.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from services.record_writer.decide.automation.consequences import UNDELIVERED
from services.record_writer.decide.facts import EMAIL_LISTENER, UNSPECIFIED, Facts
from services.record_writer.decide.lookups import Lookups
from services.record_writer.decide.model import Decision, Part
from services.record_writer.decide.record import values
from services.record_writer.decide.record.update import record_of
from shared.addresses import address_key
from shared.contracts.change import Activity, Change, Target
from shared.contracts.mail import BouncedRecipient
from shared.store.outbox import OutboxMail, Undelivered, UndeliveredMail, returned_ids
from shared.text import from_iso, shortened

STEP: Final = UNDELIVERED
MAX_DIAGNOSTIC: Final = 300
"""Characters of what a mail server says."""


def reported(facts: Facts, lookups: Lookups) -> OutboxMail | None:
    """The mail of the desk that this one reports as not delivered; None when an operator wants a record of it."""
    ids = [] if facts.released else returned_ids(facts.mail)
    return next(iter(lookups.sent(ids)), None) if ids else None


def undelivered(facts: Facts, mail: OutboxMail) -> UndeliveredMail:
    """The recipients that the report names; the only one of the mail when it names another, as after a redirection."""
    at, mail_id = from_iso(facts.envelope.received_at), facts.envelope.mail_id
    found = facts.mail.bounce.recipients if facts.mail.bounce else ()
    by_key = {address_key(each.address): each for each in found if each.permanent is not False}
    named = [each for each in mail.to if address_key(each) in by_key] or (mail.to if len(mail.to) == 1 else ())
    other = next(iter(by_key.values()), None)
    recipients = [Undelivered(each, _why(by_key.get(address_key(each), other)), at, mail_id) for each in named]
    return UndeliveredMail(mail.id, tuple(recipients))


def _why(recipient: BouncedRecipient | None) -> str:
    if recipient is None:
        return "the report gives no reason"
    said = " ".join((recipient.diagnostic or "").split())
    code = " ".join(str(each) for each in (recipient.smtp_code, recipient.status) if each)
    return shortened(said or code or recipient.reason or "the report gives no reason", MAX_DIAGNOSTIC)


def decide_report(facts: Facts, lookups: Lookups, mail: OutboxMail) -> Decision | Target:
    """The record that the mail was about, as a target; without one the report is rejected, and the mail marked."""
    known = {each.address for each in mail.undelivered if each.mail_id != facts.envelope.mail_id}
    found = undelivered(facts, mail)
    why = f"a report that our mail {mail.id[:12]} to {', '.join(mail.to)} could not be delivered"
    if known.issuperset(each.address for each in found.recipients):
        return Decision("rejected", f"{why}, which is known already" if known else why, STEP)
    record = lookups.record(mail.record_id) if mail.record_id else None
    if record is None or record.deleted:
        return Decision("rejected", why, STEP, undelivered=found)
    return Target("undelivered", STEP, f"{why}; it is about {record.number}", record.id)


def plan_note(facts: Facts, lookups: Lookups, part: Part) -> Change | None:
    """The note on the record, which is flagged for its handler."""
    record, mail = record_of(part), reported(facts, lookups)
    if mail is None:
        return None
    failed = _listed(undelivered(facts, mail).recipients)
    text = f"A mail about this record could not be delivered.\n\n{failed}\nIts subject: {mail.subject}"
    note = Activity(STEP, text, EMAIL_LISTENER, security_profile=UNSPECIFIED)
    flag = values.pairs({"updated_by_mail": True})
    why = (part.target.why,)
    return values.revision(record, STEP, set=flag, activities=(note,), why=why, part=str(part.number))


def _listed(recipients: Sequence[Undelivered]) -> str:
    return "".join(f"- {each.address}: {each.reason}\n" for each in recipients)
