"""An analyst's reply from a mail program, as an answer of the desk to the customer, where the inbox wants that. Pure.

The answer has the analyst's new text and files, and nothing else of that mail: no quotation, header or address. It goes
to the customer's stored address, in answer to the customer's last mail. Written by a person, it is not counted by the
limits on automatic mail; it has limits of its own, so that no robot in an analyst's name speaks to customers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final

from services.record_writer.decide.answers.automatic_mail import (
    Words,
    answer,
    keyword,
    notification,
    subject_of_answer,
    thread_subject,
    title,
)
from services.record_writer.decide.content.shown_text import text_to_send
from services.record_writer.decide.facts import UNSPECIFIED, Facts, author_on, kept_attachments, original
from services.record_writer.decide.lookups import Lookups
from services.record_writer.decide.model import Part
from services.record_writer.decide.people.robots import is_robot
from shared.addresses import address_key, address_keys, mailbox_key
from shared.config.model import APPROVAL, RecordType
from shared.contracts.change import Activity, Notification
from shared.contracts.mail import Attachment
from shared.lazy_dataclass import dataclass
from shared.store.mails import StoredMail
from shared.store.outbox import ANSWER
from shared.store.people import StoredPerson
from shared.store.record import Record, StoredActivity
from shared.subject_prefixes import is_prefixed

NOT_SENT: Final = "not-sent"
"""The kind of the mail that tells an analyst that the answer was not sent."""
INTERNAL: Final = frozenset({APPROVAL, "task"})
"""Types whose records are work inside the desk: replies about them are for nobody else."""
PROOFS: Final = frozenset(
    (
        *("application/pgp-signature", "application/pgp-keys", "application/pkcs7-signature"),
        *("application/x-pkcs7-signature", "text/vcard", "text/x-vcard", "text/directory"),
    )
)
"""Types of files that mail programs add and that state the analyst's own address."""
MAX_ACTIVITIES: Final = 50
"""Activities of the record, the newest, that are searched for the customer's last mail and for repetitions."""
MAX_MAILS: Final = 10
MAX_SAME: Final = 2
"""How often the same text may be sent within `PERIOD`."""
MAX_SENT: Final = 30
"""Mails to one mailbox within `PERIOD`, all kinds together, beyond which no answer is sent."""
PERIOD: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class DeskAnswer:
    """What a reply of an analyst leads to: mails, and what is noted. `text` None: nothing is answered."""

    notifications: tuple[Notification, ...]
    note: Activity
    text: str | None = None

    def shown_by(self, activities: tuple[Activity, ...]) -> tuple[Activity, ...]:
        """The activities of the mail, the first of which shows the answer as it was sent."""
        mail, *others = activities
        if self.text is not None:
            shown = mail.text if mail.text.strip().endswith(self.text) else f"{self.text}\n"
            mail = replace(mail, kind=ANSWER, text=shown, shortened=mail.shortened or shown != mail.text)
        return (mail, *others, self.note)


def desk_answer(facts: Facts, lookups: Lookups, type_: RecordType, part: Part) -> DeskAnswer | None:
    """What a mail leads to that is an analyst's reply about a record; None for any other mail, and for a command."""
    record = part.record
    if record is None or part.target.kind == "command" or not _is_reply(facts, record):
        return None
    person = lookups.person(record.customer) if record.customer else None
    if person is None or person.id == facts.sender.person_id:
        return None
    author, text = author_on(facts, lookups, record.owner), text_to_send(facts, lookups, part)
    activities = lookups.activities(record.id, MAX_ACTIVITIES)
    last = _last_mail(lookups, activities, person)
    to = _address_of(person, last)
    if why := _objection(facts, lookups, to, text) or _repetition(facts, activities, text):
        return _not_sent(facts, type_, record, author, why)
    if to in _recipients(facts):
        return DeskAnswer((), _note(f"Answered: {to} got this mail from the analyst", author), text)
    subject = subject_of_answer(last.subject if last else record.subject, keyword(facts, type_, record.number))
    name = "" if "@" in person.name else person.name
    mail = replace(
        notification((to,), ANSWER, Words(subject, f"{text}\n"), last.message_id if last else None, name),
        cc=tuple(_copies(facts, record, (to, *person.addresses))),
        attachments=tuple(_files(facts, activities)),
    )
    return DeskAnswer((mail,), _note(_summary(mail), author), text)


def _is_reply(facts: Facts, record: Record) -> bool:
    """Whether the mail is an analyst's reply about a record of a customer, and no forward."""
    if not (facts.inbox.answers_by_mail and facts.is_analyst and facts.answers) or record.type in INTERNAL:
        return False
    mail = facts.mail
    replies = mail.in_reply_to is not None or bool(mail.references) or is_prefixed(mail.subject)
    is_one_persons = mail.forwarded is None and "several-authors" not in mail.defects
    return replies and is_one_persons and mail.kind == "message"


def _last_mail(lookups: Lookups, activities: Sequence[StoredActivity], person: StoredPerson) -> StoredMail | None:
    """The customer's newest mail about the record, among the newest of its mails."""
    newest = list(dict.fromkeys(each.mail_id for each in reversed(activities) if each.mail_id))[:MAX_MAILS]
    return next((mail for mail in map(lookups.mail, newest) if mail and _wrote(person, mail)), None)


def _wrote(person: StoredPerson, mail: StoredMail) -> bool:
    return mail.from_ is not None and not set(address_keys(mail.from_.address)).isdisjoint(person.addresses)


def _address_of(person: StoredPerson, last: StoredMail | None) -> str:
    """The address from which the customer wrote last, else the first one that is known; "" without any."""
    written = (address_key(last.from_.address) if last and last.from_ else None) or ""
    return written or next(iter(person.addresses), "")


def _objection(facts: Facts, lookups: Lookups, to: str, text: str | None) -> str | None:
    """Why nothing can be sent."""
    if "@" not in to:
        return "the customer has no address"
    if to in facts.configuration.own_addresses or is_robot(to):
        return f"nobody reads mail to {to}"
    if not text:
        return "nothing in the mail is new text"
    sent = lookups.sent_since("to_key", mailbox_key(to) or "", facts.now - PERIOD)
    if sent >= MAX_SENT and not lookups.is_answered(facts.envelope.mail_id):
        return f"{to} has got {MAX_SENT} mails of the desk within an hour"
    return None


def _repetition(facts: Facts, activities: Sequence[StoredActivity], text: str | None) -> str | None:
    """Why a text is not sent once more: robots repeat themselves."""
    since, mail_id = facts.now - PERIOD, facts.envelope.mail_id
    answers = [each for each in activities if each.kind == ANSWER and each.at >= since and each.mail_id != mail_id]
    if len([each for each in answers if each.text.strip().endswith(text or "")]) >= MAX_SAME:
        return f"the same text was sent {MAX_SAME} times within an hour"
    return None


def _not_sent(facts: Facts, type_: RecordType, record: Record, author: str, why: str) -> DeskAnswer:
    """Note that the answer was not sent, and tell the analyst."""
    text = f"Your answer about {title(facts, type_)} {record.number} was not sent to the customer: {why}.\n"
    words = Words(thread_subject(facts, keyword(facts, type_, record.number)), text)
    return DeskAnswer(answer(facts, NOT_SENT, words, neutral=words), _note(f"Not sent to the customer: {why}", author))


def _note(text: str, author: str) -> Activity:
    return Activity("note", text, author, security_profile=UNSPECIFIED)


def _summary(mail: Notification) -> str:
    """Where the answer goes, with what."""
    files = ", ".join(each.filename for each in mail.attachments)
    return ". ".join(
        filter(
            None,
            (
                f"Answered to {mail.to[0]}",
                f"Copies to {', '.join(mail.cc)}" if mail.cc else "",
                f"With {files}" if files else "",
            ),
        )
    )


def _recipients(facts: Facts) -> frozenset[str]:
    """The keys of those who got the analyst's mail itself."""
    keys = (address_key(each.address) for each in (*facts.mail.to, *facts.mail.cc))
    return frozenset(filter(None, keys))


def _copies(facts: Facts, record: Record, customer: Sequence[str]) -> Iterator[str]:
    """The people in copy who get the answer too, where the inbox wants that; not those who have it already."""
    if not facts.inbox.copy_on_answers:
        return
    plus, writer = facts.settings.plus_addressing, facts.sender.address
    known = (*_recipients(facts), *customer, *facts.configuration.own_addresses, *((writer.address,) if writer else ()))
    has = {key for each in known for key in address_keys(each, plus_addressing=plus)}
    yield from (key for key in record.participants if has.isdisjoint(address_keys(key, plus_addressing=plus)))


def _files(facts: Facts, activities: Sequence[StoredActivity]) -> Iterator[Attachment]:
    """The files of the mail: none that is restricted or proves an address, and no picture of a quoted mail."""
    known = {file.sha256 for each in activities for file in each.attachments}
    whole = original(facts).sha256
    for each in kept_attachments(facts)[0]:
        quoted = each.inline and each.sha256 in known
        if each.sha256 != whole and each.content_type not in PROOFS and not quoted:
            yield each
