"""Find the record that a mail is about. Strategies are tried in order; the first that answers wins.

A signed reply token → a conversation id → `[type - n]` in the subject → In-Reply-To and References against mails that
were stored or sent → a number anywhere in the subject, or a keyword in the new text → no match: a new record. A mail
with a command does not come here (`decide.commands.commanded`).
A number or a Message-ID is a hint, not a proof: `why_allowed` decides who may update a record (docs/security.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Final

from services.record_writer.decide.facts import Facts
from services.record_writer.decide.lookups import Lookups
from services.record_writer.decide.recognition.conversation import conversations
from services.record_writer.decide.recognition.hint import Hint, in_body_or_loose, in_subject
from services.record_writer.decide.recognition.merged import update_of
from services.record_writer.decide.recognition.thread import (
    ThreadMail,
    address_of,
    is_among,
    references_of,
    thread_mails,
)
from shared.config.model import INCIDENT
from shared.contracts.change import Target
from shared.store.record import Record
from shared.text import from_iso

SERVICE_REQUEST: Final = "service_request"
"""Mail updates records of this type and never makes one (IV-35)."""
CONVERSATION: Final = "conversation"
"""The step of a mail that has a conversation id."""
MAX_WAIT: Final = timedelta(seconds=60)
"""How long a reply waits for the mail it answers to get its outcome."""
MAX_RECORDS: Final = 100
"""Records of a thread that are looked at."""


def find(facts: Facts, lookups: Lookups) -> Target:
    """The record this mail is about. If the sender may not update a strategy's record, the next strategy is tried."""
    if found := by_token(facts, lookups):
        return found
    marked = list(conversations(facts, lookups))
    if record := next((each for each in marked if why_allowed(facts, each, lookups)), None):
        return update_of(record, lookups, CONVERSATION, f"the mail has the conversation id of {record.number}")
    keywords = list(in_subject(facts))
    if found := _first_allowed(facts, keywords, lookups):
        return found
    answered = by_reference(facts, lookups)
    if answered and answered.kind in {"update", "wait"}:
        return answered
    others = list(in_body_or_loose(facts))
    if found := _first_allowed(facts, others, lookups):
        return found
    if answered:
        return answered
    if hint := next(iter((*keywords, *others)), None):
        return by_number(facts, hint, lookups)
    if marked:
        return _without_access(facts, f"the conversation id of {marked[0].number}, but {why_not_allowed(facts)}")
    return Target("new", "none", "nothing in the mail names a record")


def by_token(facts: Facts, lookups: Lookups) -> Target | None:
    """The record of the mail's reply token."""
    record = lookups.record(facts.token_record) if facts.token_record else None
    if record is None:
        return None
    if record.deleted:
        return _deleted(facts, record, "token")
    return update_of(record, lookups, "token", f"an answer with the reply token of {record.number}")


def _first_allowed(facts: Facts, hints: Iterable[Hint], lookups: Lookups) -> Target | None:
    """The first of several numbers that exists and that the sender may update (TI-31)."""
    targets = (by_number(facts, hint, lookups) for hint in hints)
    return next((target for target in targets if target.kind == "update"), None)


def by_reference(facts: Facts, lookups: Lookups) -> Target | None:
    """The record that the mail answers (VF-21), a reason to wait, or a new record linked to one out of reach.

    Mails that the sender wrote or got from the desk count before mails of others that merely address the sender.
    """
    mails = thread_mails(facts, lookups)
    if not mails and may_wait(facts) and lookups.is_on_intake(references_of(facts), facts.envelope.mail_id):
        return Target("wait", "references", "the mail that it answers is not read yet")
    records = _records_of(mails, lookups)
    for certain in (True, False):
        for mail in mails:
            if mail.unfinished and (mail.own or not certain) and may_wait(facts):
                return Target("wait", "references", "the mail that it answers has no outcome yet")
            for record in (records[record_id] for record_id in mail.record_ids if record_id in records):
                if certain and not (mail.own or _is_a_party(facts, record)):
                    continue
                if why_allowed(facts, record, lookups, addressed=mail.addresses):
                    return _reply_about(facts, record, lookups)
    return _out_of_reach(facts, mails, records)


def _reply_about(facts: Facts, record: Record, lookups: Lookups) -> Target:
    if record.deleted:
        return _deleted(facts, record, "references")
    return update_of(record, lookups, "references", f"a reply about {record.number}")


def _deleted(facts: Facts, record: Record, step: str) -> Target:
    """A deleted record takes no mail, and its sender is answered so; a released mail becomes a new record (PR-01)."""
    why = f"{record.number} is deleted"
    return Target("new", "released", why) if facts.released else Target("update", step, why, record.id)


def _records_of(mails: Sequence[ThreadMail], lookups: Lookups) -> dict[str, Record]:
    """The records of the thread that are still there, the nearest first."""
    ids = dict.fromkeys(record_id for mail in mails for record_id in mail.record_ids)
    found = (lookups.record(record_id) for record_id in list(ids)[:MAX_RECORDS])
    return {record.id: record for record in found if record}


def may_wait(facts: Facts) -> bool:
    """Whether the mail may still wait for another one."""
    return facts.now - from_iso(facts.envelope.received_at) < MAX_WAIT


def _out_of_reach(facts: Facts, mails: Sequence[ThreadMail], records: Mapping[str, Record]) -> Target | None:
    """A new record, which the desk sees linked to the one that was answered; None when the mail answers nothing.

    A stranger's is ignored where the inbox says so (VF-16).
    """
    if related := next((each for each in records.values() if not each.deleted), None):
        why = f"a reply about {related.number} by a sender who takes no part in it"
        if facts.sender.person_id is None and facts.inbox.commands.unrecognised == "ignore":
            return _refused(facts, why, "references")
        return Target("new", "references", f"{why}: a new record, linked", related=related.id)
    if any(mail.record_ids for mail in mails):
        return Target("new", "references", "the record that it answers about is gone")
    return None


def _is_a_party(facts: Facts, record: Record) -> bool:
    """Whether the sender is customer or owner, by person."""
    return facts.sender.person_id in {record.customer, record.owner} - {None}


def is_customer(facts: Facts, record: Record, lookups: Lookups) -> bool:
    """Whether the sender is the customer: the same person, or the one of the configuration who has the address of a
    customer whom mail made before.
    """
    if facts.sender.person_id is None or record.customer is None:
        return False
    if facts.sender.person_id == record.customer:
        return True
    made = lookups.person(record.customer) if facts.sender.configured else None
    return made is not None and not made.configured and address_of(facts) in made.addresses


def takes_part(facts: Facts, record: Record) -> bool:
    """Whether the sender is customer or owner of the record, or was copied or named in Reply-To (VF-21).

    By person and by address only: a name, the sender's or the owner's, proves nothing.
    """
    return _is_a_party(facts, record) or is_among(facts, record.copied)


def why_allowed(
    facts: Facts, record: Record, lookups: Lookups, *, addressed: frozenset[str] = frozenset()
) -> str | None:
    """Why this sender may update this record (VF-16, VF-21), else None. Numbers, keys and replies all use this check.

    `addressed` are the addresses of the mail in the record's own thread that the sender answers.
    """
    commands, facts = facts.inbox.commands, facts.about(record.id)
    if not facts.is_proven:
        return None
    if facts.holds_token:
        return "who has a reply token"
    if facts.is_analyst or facts.forwarder or takes_part(facts, record) or is_among(facts, addressed):
        return "a participant or an analyst"
    if is_customer(facts, record, lookups):
        return "its customer"
    if _speaks_for_object(facts, record, lookups):
        return "the sender that it was reported from"
    if facts.sender.person_id and commands.update_by == "recognised":
        return "a known sender (update_by: recognised)"
    if facts.sender.person_id is None and commands.update_anonymously:
        return "an unknown sender (update_anonymously)"
    return None


def by_number(facts: Facts, hint: Hint, lookups: Lookups) -> Target:
    """The record with this number, if the sender may update it (VF-15, VF-16, VF-21)."""
    shown = f"{hint.type.label} {hint.text}"
    record = lookups.numbered(hint.type.name, hint.serial, deleted=True)
    if record is None or (record.deleted and not why_allowed(facts, record, lookups)):
        return _unknown_number(facts, hint, shown)
    if record.deleted:
        return _deleted(facts, record, "number")
    if allowed := why_allowed(facts, record, lookups):
        return update_of(record, lookups, "number", f"{shown} is named by {allowed}")
    return _without_access(facts, f"{shown} is named, but {why_not_allowed(facts)}")


def _without_access(facts: Facts, why: str) -> Target:
    """What becomes of a mail that names a record which its sender may not update."""
    if not facts.is_proven:
        return _refused(facts, why)
    if facts.sender.person_id is None:
        return _stranger(facts, why)
    return Target("new", "number", why)


def why_not_allowed(facts: Facts) -> str:
    """Why the sender may not update a record, for the people of the desk."""
    if not facts.is_proven:
        return "no trusted server states that the sender is genuine"
    return "the sender takes no part in it" if facts.sender.person_id else "no person has the sender's address"


def _speaks_for_object(facts: Facts, record: Record, lookups: Lookups) -> bool:
    """Method 2: the sender's own object, found by the address, is what the record is linked to."""
    wanted = facts.inbox.sender.object
    if facts.sender.object_id is None or wanted is None or wanted.match_from_field is None:
        return False
    links = lookups.links(record.id)
    return any((link.from_id, link.to_id) == (record.id, facts.sender.object_id) for link in links)


def _unknown_number(facts: Facts, hint: Hint, shown: str) -> Target:
    if hint.type.name == INCIDENT and not facts.inbox.commands.log_new_on_invalid_number:
        return _refused(facts, f"{shown} does not exist, and unknown numbers make no new record")
    why = f"{shown} does not exist"
    return Target("new", "number", f"{why}: a new record", missing=f"there is no {shown}")


def _stranger(facts: Facts, why: str) -> Target:
    """A number in a stranger's mail is often the stranger's own: a new record, without a link (VF-16)."""
    if facts.inbox.commands.unrecognised == "ignore":
        return _refused(facts, why)
    return Target("new", "number", f"{why}: a new record")


def _refused(facts: Facts, why: str, step: str = "number") -> Target:
    """A rejection; a mail that an operator released becomes a new record instead (PR-01)."""
    if facts.released:
        return Target("new", "released", f"{why}; released, so a new record")
    return Target("reject", step, why)
