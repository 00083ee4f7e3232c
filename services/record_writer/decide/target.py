"""Which record is this mail about? Strategies in a readable order; the first that answers wins.

In-Reply-To and References against mails that were stored or sent → a number in subject or keyword → none: a new
record. Signed reply tokens, conversation ids and subject commands take their places here, above these.
A number is a hint, not a proof: who may update by it is decided by `access`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, Literal

from services.record_writer.decide.facts import Facts
from services.record_writer.decide.hint import Hint, number_in
from services.record_writer.decide.trust import is_authenticated
from shared.addresses import address_key
from shared.store.documents import Document
from shared.store.mails import Mails, message_key
from shared.store.outbox import Outbox
from shared.store.records import Records
from shared.text import from_iso

SERVICE_REQUEST: Final = "service_request"
"""Mail updates records of this type and never makes one (IV-35)."""
MAX_REFERENCES: Final = 100
PATIENCE: Final = timedelta(seconds=60)
"""How long a reply waits for the mail it answers to get its outcome."""

Kind = Literal["new", "update", "reject", "wait", "none", "covered"]
"""`none`: the part names a record that is not there; `covered`: another part's record has this one in it."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a mail goes. `step` names the strategy, `why` says it in words.

    `record_id` is set for an update; `related` is the record that a new one is linked to. `type` is the type of a
    new record when it is not the inbox's own. `missing` names the record that was asked for and is not there (IV-36).
    """

    kind: Kind
    step: str
    why: str
    record_id: str | None = None
    related: str | None = None
    type: str | None = None
    missing: str | None = None


@dataclass(frozen=True, slots=True)
class Lookups:
    """What the strategies may ask."""

    records: Records
    mails: Mails
    outbox: Outbox


@dataclass(frozen=True, slots=True)
class Thread:
    """What the references of a mail lead to: records, who was addressed there, and mails without outcome."""

    record_ids: tuple[str, ...] = ()
    addressed: frozenset[str] = field(default_factory=frozenset)
    unfinished: bool = False


def find(facts: Facts, lookups: Lookups) -> Target:
    """The record this mail is about."""
    thread = follow(facts, lookups)
    if thread.record_ids:
        return _by_reference(facts, thread, lookups)
    if thread.unfinished and facts.now - from_iso(facts.envelope.received_at) < PATIENCE:
        return Target("wait", "references", "the mail that it answers has no outcome yet")
    if hint := number_in(facts):
        return by_number(facts, hint, lookups)
    return Target("new", "none", "nothing in the mail names a record")


def follow(facts: Facts, lookups: Lookups) -> Thread:
    """Look the references up, among received and sent mails; the inbox's own records come first."""
    wanted = _references(facts)
    if not wanted:
        return Thread()
    order = {key: place for place, key in enumerate(wanted)}
    received = [found for found in lookups.mails.with_message_ids(wanted) if found["_id"] != facts.envelope.mail_id]
    sent = lookups.outbox.with_message_ids(wanted)
    hits = [(found["inbox"] != facts.inbox.name, order[found["message_key"]], _ids(found)) for found in received]
    hits += [(False, order[found["message_key"]], [found["record_id"]]) for found in sent if found.get("record_id")]
    ids = [record_id for _, _, record_ids in sorted(hits) for record_id in record_ids]
    unfinished = any(found["outcome"] is None and found["inbox"] == facts.inbox.name for found in received)
    return Thread(tuple(dict.fromkeys(ids)), frozenset(_addressed(received, sent)), unfinished)


def _references(facts: Facts) -> list[str]:
    """In-Reply-To, then References from the last to the first, each once."""
    given = [facts.mail.in_reply_to, *reversed(facts.mail.references[-MAX_REFERENCES:])]
    keys = dict.fromkeys(key for each in given if (key := message_key(each)))
    return list(keys)[:MAX_REFERENCES]


def _ids(mail: Document) -> list[str]:
    return [str(record["id"]) for record in mail.get("records", ())]


def _addressed(received: Sequence[Document], sent: Sequence[Document]) -> Iterator[str]:
    written = [found["from"]["address"] for found in received if found.get("from")]
    for found in (*received, *sent):
        written += found.get("to", ())
    yield from (key for address in written if (key := address_key(address)))


def _by_reference(facts: Facts, thread: Thread, lookups: Lookups) -> Target:
    """The first record of the thread that is still there."""
    for record_id in thread.record_ids:
        record = lookups.records.get(record_id)
        if record is None or record.get("deleted"):
            continue
        if facts.sender.person_id or takes_part(facts, record) or _address(facts) in thread.addressed:
            return Target("update", "references", f"a reply about {record['number']}", record_id)
        why = f"a stranger's reply about {record['number']}: a new record, linked"
        return Target("new", "references", why, related=record_id)
    return Target("new", "references", "the record that it answers about is gone")


def _address(facts: Facts) -> str:
    return (address_key(facts.sender.address.address) if facts.sender.address else None) or ""


def takes_part(facts: Facts, record: Document) -> bool:
    """Whether the sender is customer or owner of the record, or was copied (VF-21)."""
    person = facts.sender.person_id
    if person and person in (record.get("customer"), record.get("owner")):
        return True
    if facts.sender.name and person and facts.sender.name == record.get("owner"):
        return True
    return bool(_address(facts)) and _address(facts) in record.get("copied", ())


def by_number(facts: Facts, hint: Hint, lookups: Lookups) -> Target:
    """The record with this number, if the sender may come near it (VF-15, VF-16, VF-21)."""
    shown = f"{hint.type.label} {hint.text}"
    record = lookups.records.numbered(hint.type.name, hint.serial)
    commands = facts.inbox.commands
    if record is None:
        return _unknown_number(facts, hint, shown)
    if commands.trust == "authenticated" and not is_authenticated(facts.mail, facts.settings.trusted_authserv_ids):
        return _refused(facts, f"{shown} is named, but no trusted server states that the sender is genuine")
    if _speaks_for_object(facts, record, lookups):
        return Target("update", "number", f"{shown} is named by the sender that it was reported from", record["_id"])
    if facts.sender.person_id is None:
        if commands.update_anonymously:
            return Target("update", "number", f"{shown} is named; updates need no known sender", record["_id"])
        return _refused(facts, f"{shown} is named, but nobody is known by the sender's address")
    if commands.update_by == "recognised" or facts.is_analyst or takes_part(facts, record):
        return Target("update", "number", f"{shown} is named by one who may update it", record["_id"])
    return Target("new", "number", f"{shown} is named, but the sender takes no part in it")


def _speaks_for_object(facts: Facts, record: Document, lookups: Lookups) -> bool:
    """Method 2: the sender's own object, found by the address, is what the record is linked to."""
    wanted = facts.inbox.sender.object
    if facts.sender.object_id is None or wanted is None or wanted.match_from_field is None:
        return False
    links = lookups.records.links(record["_id"])
    return any((link["from_id"], link["to_id"]) == (record["_id"], facts.sender.object_id) for link in links)


def _unknown_number(facts: Facts, hint: Hint, shown: str) -> Target:
    if hint.type.name == "incident" and not facts.inbox.commands.log_new_on_invalid_number:
        return _refused(facts, f"{shown} does not exist, and unknown numbers make no new record")
    why = f"{shown} does not exist"
    return Target("new", "number", f"{why}: a new record", missing=f"there is no {shown}")


def _refused(facts: Facts, why: str) -> Target:
    """A rejection by number; a mail that an operator released becomes a new record instead (PR-01)."""
    if facts.released:
        return Target("new", "released", f"{why}; released, so a new record")
    return Target("reject", "number", why)
