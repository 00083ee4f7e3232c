"""The `mails` collection: one document for each mail, from the first moment to its one outcome."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import field
from datetime import datetime
from typing import Any, Final, Literal

from shared.addresses import address_key
from shared.contracts.change import Target
from shared.contracts.events import Event, History
from shared.contracts.mail import Address, ParsedMail
from shared.contracts.mapping import STORE, from_plain, named, to_plain
from shared.lazy_dataclass import dataclass
from shared.store.by_inbox import find_in_inboxes
from shared.store.canaries import PROBE, PROBE_REASON
from shared.store.documents import Document, Documents
from shared.store.emitted import EmittedEvent, emitted
from shared.store.search_words import words_of

OutcomeName = Literal["recorded", "commanded", "exported", "rejected", "duplicate", "dead"]
OUTCOMES: Final = ("recorded", "commanded", "exported", "rejected", "duplicate", "dead")
InFlight = Literal["in-flight"]
IN_FLIGHT: Final = "in-flight"
"""The name, in lists, of a mail without an outcome."""
MAILS: Final = "mails"
MANY_CLAIMS: Final = 200
FIRST_CLAIMS: Final = 20


@dataclass(frozen=True, slots=True)
class RecordLabel:
    """The reference from a mail to a record that it made or changed."""

    id: str
    type: str
    number: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMail:
    """One mail.

    Life: stored without an `outcome`, when the parser (or, for one that failed there, the dead-letter stage) first
    takes it from intake. `kind` and the other parsed facts are None when it could not be read. The record
    writer claims its `targets` before it writes. Then it gets its one outcome, with the `reason`, the `rule` that
    rejected it, the `records` and the events `emitted`; a redelivery emits those. An operator may take `rejected` back
    (`released`) or `dead` (by a replay): then it is in flight again. Nothing removes it.

    `raw` is the blob of the bytes received, `size` their number, `arrival` the message that brought it first;
    `document` is the blob of what was exported; `history` is set for an old mail that was imported. `message_key`,
    `sender_key` and `loop_key` are what it is found by.
    """

    outcome: OutcomeName | None = None
    reason: str | None = None
    records: tuple[RecordLabel, ...] = ()
    id: str = field(metadata=named("_id"))
    inbox: str
    raw: str
    size: int = 0
    source_id: str | None = None
    arrival: str | None = None
    received_at: datetime
    from_: Address | None = None
    subject: str = ""
    sender_key: str | None = None
    reply_to: tuple[str, ...] = ()
    to: tuple[str, ...] = ()
    date: str | None = None
    kind: str | None = None
    message_id: str | None = None
    message_key: str | None = None
    loop_key: str | None = None
    defects: tuple[str, ...] = ()
    html: str | None = None
    rule: str | None = None
    emitted: tuple[EmittedEvent, ...] = ()
    document: str | None = None
    targets: tuple[Target, ...] | None = None
    released: bool = False
    released_at: datetime | None = None
    released_by: str | None = None
    history: History | None = None

    @property
    def is_probe(self) -> bool:
        """Whether it was a probe that a canary had sent to its inbox."""
        return self.outcome == "rejected" and self.rule == PROBE and (self.reason or "").startswith(PROBE_REASON)

    @property
    def events(self) -> tuple[Event, ...]:
        """The events that followed from its outcome, the very same as then."""
        return tuple(each.event for each in self.emitted)


@dataclass(frozen=True, slots=True)
class MailQuery:
    """A filter of mails; None: any value.

    `since`: received then or later; `before`: earlier than that; `inboxes`: in one of these; `rule` rejected it; `word`
    begins a word of sender or subject (`shared.store.search_words`).
    """

    inbox: str | None = None
    outcome: OutcomeName | InFlight | None = None
    since: datetime | None = None
    before: datetime | None = None
    inboxes: tuple[str, ...] | None = None
    rule: str | None = None
    word: str | None = None


_READ: Final = frozenset(
    ("sender_key", "to", "date", "kind", "message_id", "message_key", "loop_key", "defects", "html")
)
"""Keys of what was read of a mail: all of them, or none when it could not be read."""
_LATER: Final = frozenset(
    ("reply_to", "rule", "emitted", "document", "targets", "released", "released_at", "released_by", "history")
)
"""Keys that are not there until they say something."""
_FIRST: Final = frozenset(("outcome", "reason", "records", "_id", "arrival", "received_at"))
"""Keys that keep their value when more is read of a mail."""
_encode, _decode = to_plain(StoredMail, STORE), from_plain(StoredMail, STORE)
_label_to_document, _event_to_document = to_plain(RecordLabel, STORE), to_plain(EmittedEvent, STORE)
_target_to_document, _to_target = to_plain(Target, STORE), from_plain(Target, STORE)


def _document(mail: StoredMail) -> Document:
    absent = _READ if mail.kind is None else frozenset()
    written = _encode(mail).items()
    document = {key: value for key, value in written if key not in absent and (value or key not in _LATER)}
    if words := words_of_mail(mail):
        document["words"] = list(words)
    return document


def words_of_mail(mail: StoredMail) -> tuple[str, ...]:
    """The words by which a mail is found: those of its sender's name, the address, and those of its subject."""
    sender = mail.from_
    return words_of(*((sender.address, sender.name) if sender else ()), mail.subject)


def _where(query: MailQuery) -> Document:
    where: Document = {"inbox": query.inbox} if query.inbox is not None else {}
    if query.inboxes is not None:
        allowed = [each for each in query.inboxes if query.inbox in {None, each}]
        where["inbox"] = {"$in": allowed}
    if query.outcome is not None and not (query.rule and query.outcome == "rejected"):  # a rule is kept of no other
        where["outcome"] = None if query.outcome == IN_FLIGHT else query.outcome
    if query.rule is not None:
        where["rule"] = query.rule
    if query.word is not None:
        where["words"] = {"$prefix": query.word}
    times = {"$gte": query.since, "$lt": query.before}
    if stated := {name: at for name, at in times.items() if at is not None}:
        where["received_at"] = stated
    return where


def message_key(message_id: str | None) -> str | None:
    """The form in which message ids are compared: without brackets and blanks, in lower case."""
    return (message_id or "").strip().strip("<>").strip().lower() or None


class Mails:
    """Reads and writes mails; every write is safe to repeat."""

    def __init__(self, documents: Documents) -> None:
        self.documents = documents

    def receive(self, mail: StoredMail) -> bool:
        """Keep a mail when it first comes; False when it is known."""
        return self.documents.insert(MAILS, _document(mail))

    def describe(self, mail: StoredMail) -> None:
        """Add what was read of a mail that is known and has no outcome: it could not be read when it first came."""
        read = {key: value for key, value in _document(mail).items() if key not in _FIRST}
        self.documents.update(MAILS, {"_id": mail.id, "outcome": None}, {"$set": read})

    def get(self, mail_id: str) -> StoredMail | None:
        """One mail."""
        found = self.documents.get(MAILS, mail_id)
        return _decode(found) if found else None

    def get_fresh(self, mail_id: str) -> StoredMail | None:
        """One mail as it is now, read later than anything that was read before."""
        found = self.documents.get_fresh(MAILS, mail_id)
        return _decode(found) if found else None

    def beginning_with(self, id_beginning: str) -> list[StoredMail]:
        """At most two mails whose ids begin so: enough to see whether it is one."""
        return list(self._find({"_id": {"$prefix": id_beginning}}, limit=2))

    def with_ids(self, mail_ids: Iterable[str]) -> Iterator[StoredMail]:
        """Those of these mails that there are, in no order."""
        return self._find({"_id": {"$in": list(mail_ids)}})

    def source(self, mail: StoredMail) -> bytes:
        """The exact bytes received."""
        return self.documents.get_blob(mail.raw)

    def finish(
        self,
        mail_id: str,
        outcome: OutcomeName,
        *,
        reason: str | None = None,
        rule: str | None = None,
        records: Sequence[RecordLabel] | None = None,
        events: Sequence[Event] | None = None,
        document: str | None = None,
    ) -> bool:
        """Store the one outcome, with what is stated beside it; False when there is one already."""
        facts = {
            "outcome": outcome,
            "reason": reason,
            "rule": rule,
            "records": None if records is None else _labels(records),
            "emitted": None if events is None else [_event_to_document(emitted(event)) for event in events],
            "document": document,
        }
        stated = {key: value for key, value in facts.items() if value is not None}
        return self.documents.update(MAILS, {"_id": mail_id, "outcome": None}, {"$set": stated})

    def reject_unclaimed(self, mail_id: str, rule: str, reason: str) -> bool:
        """Reject a mail that the writer has not begun on; under changed rules a redelivery may come too late."""
        where = {"_id": mail_id, "outcome": None, "targets": None}
        return self.documents.update(MAILS, where, {"$set": {"outcome": "rejected", "reason": reason, "rule": rule}})

    def reopen(self, mail_id: str, *, was: OutcomeName) -> bool:
        """Take an outcome back, for a replay; what was committed is not repeated by it."""
        where = {"_id": mail_id, "outcome": was}
        return self.documents.update(MAILS, where, {"$set": {"outcome": None, "reason": None}})

    def release(self, mail_id: str, at: datetime, by: str) -> bool:
        """Take a rejection back: the mail is in flight again, and no rule is asked any more."""
        released = {"outcome": None, "reason": None, "released": True, "released_at": at, "released_by": by}
        forgotten = {"targets": 1, "emitted": 1, "rule": 1}
        where = {"_id": mail_id, "outcome": "rejected"}
        return self.documents.update(MAILS, where, {"$set": released, "$unset": forgotten})

    def claim(self, mail_id: str, targets: Sequence[Target]) -> tuple[Target, ...]:
        """Fix, once, which records this mail goes to; later calls return what was fixed first (PR-15).

        A mail that has its outcome goes nowhere any more: nothing is fixed.
        """
        fixed = {"$set": {"targets": [_target_to_document(target) for target in targets]}}
        if self.documents.update(MAILS, {"_id": mail_id, "outcome": None, "targets": None}, fixed):
            return tuple(targets)
        found = self.documents.get(MAILS, mail_id) or {}
        return tuple(_to_target(each) for each in found.get("targets") or ())

    def link(self, mail_id: str, records: Sequence[RecordLabel]) -> None:
        """Point to records that were made because of the mail, besides those its outcome names."""
        for label in _labels(records):
            self.documents.update(MAILS, {"_id": mail_id}, {"$addToSet": {"records": label}})

    def with_message_ids(self, message_ids: Sequence[str], sender: str = "") -> list[StoredMail]:
        """Mails with one of these Message-IDs (at most 100 ids), in no order.

        Where more than `MANY_CLAIMS` mails have them: of each id the earliest `FIRST_CLAIMS`, and as many of a sender,
        who is given as the key of an address.
        """
        keys = [key for message_id in message_ids if (key := message_key(message_id))]
        found = list(self._find({"message_key": {"$in": keys}}, limit=MANY_CLAIMS)) if keys else []
        if len(found) < MANY_CLAIMS:
            return found
        return list({mail.id: mail for key in keys for mail in self._first_claims(key, sender)}.values())

    def _first_claims(self, key: str, sender: str) -> Iterator[StoredMail]:
        """The earliest mails with one message key, and the earliest of them that one sender wrote."""
        for where in ({"message_key": key}, {"message_key": key, "sender_key": sender}):
            yield from self._find(where, sort=(("received_at", 1),), limit=FIRST_CLAIMS)

    def with_message_id_of(self, mail: ParsedMail, mail_id: str) -> list[StoredMail]:
        """The earliest other mails with the Message-ID and the sender of this one, at most `FIRST_CLAIMS`."""
        key = message_key(mail.message_id)
        if key is None or mail.from_ is None:
            return []
        where = {"message_key": key, "sender_key": address_key(mail.from_.address)}
        found = self.documents.find(MAILS, where, sort=(("received_at", 1),), limit=FIRST_CLAIMS)
        return [_decode(each) for each in found if each["_id"] != mail_id]

    def similar_between(self, loop_key: str, since: datetime, before: datetime, most: int) -> int:
        """How many mails (at most `most`) of the same sender and subject came in that time."""
        where = {"loop_key": loop_key, "received_at": {"$gte": since, "$lt": before}}
        return sum(1 for _ in self.documents.find(MAILS, where, limit=most))

    def recent(self, query: MailQuery, limit: int, skip: int = 0) -> Iterator[StoredMail]:
        """Mails, newest first; `limit` 0 means all."""
        where, sort = _where(query), (("received_at", -1),)
        if query.inboxes is None:
            return self._find(where, sort=sort, limit=limit, skip=skip)
        inboxes = where.pop("inbox")["$in"]
        return map(_decode, find_in_inboxes(self.documents, MAILS, where, inboxes, sort=sort, limit=limit, skip=skip))

    def in_flight(self, limit: int) -> Iterator[StoredMail]:
        """Mails without an outcome, the oldest first."""
        return self._find({"outcome": None}, sort=(("received_at", 1),), limit=limit)

    def page_by_id(self, query: MailQuery, after: str, limit: int) -> list[StoredMail]:
        """Mails that fit, in the order of their ids, behind one id."""
        return list(self._find(_where(query) | {"_id": {"$gte": f"{after}!"}}, sort=(("_id", 1),), limit=limit))

    def count_at_most(self, query: MailQuery, most: int) -> int:
        """How many fit; counting ends at `most`."""
        return self.documents.count(MAILS, _where(query), most)

    def first_rule_behind(self, rule: str) -> str | None:
        """The next name, in the order of names, of a rule that has rejected mail; None behind the last."""
        found = next(self._find({"rule": {"$gte": f"{rule}\x01"}}, sort=(("rule", 1),), limit=1), None)
        return found.rule if found else None

    def oldest(self, query: MailQuery) -> StoredMail | None:
        """The mail that fits and came first."""
        return next(self._find(_where(query), sort=(("received_at", 1),), limit=1), None)

    def count(self, outcome: OutcomeName | InFlight | None = None) -> int:
        """How many there are, or have this outcome."""
        return self.documents.count(MAILS, _where(MailQuery(outcome=outcome)))

    def _find(self, where: Document, **rest: Any) -> Iterator[StoredMail]:
        return map(_decode, self.documents.find(MAILS, where, **rest))


def _labels(records: Sequence[RecordLabel]) -> list[Document]:
    return [_label_to_document(label) for label in records]
