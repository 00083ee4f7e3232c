"""Parser: what does this mail say?

Reads raw mail from the intake queue, stores it, emits MailParsed. A mail that was seen before and has its
outcome is a duplicate: counted, and that is all. A mail that exceeds a bound fails with the bound's name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from services.parser import mime
from shared.addresses import address_key
from shared.app import App
from shared.clock import Clock
from shared.contracts.desk import Configuration
from shared.contracts.events import Envelope, MailParsed, MailReceived
from shared.contracts.mail import ParsedMail
from shared.errors import BoundExceeded
from shared.ids import mail_id
from shared.intake import read
from shared.loops import loop_key
from shared.runtime.broker import INTAKE
from shared.runtime.outcome import Emit, Fail, Outcome, emit
from shared.runtime.stage import Stage
from shared.store.documents import Document, Documents
from shared.store.mails import Mails, message_key
from shared.text import from_iso, iso


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where the parser keeps what it read."""

    documents: Documents
    mails: Mails
    clock: Clock


def handle(received: MailReceived, *, shelf: Shelf, configuration: Callable[[], Configuration]) -> Outcome:
    """Store the raw mail first, then read it."""
    inbox = _inbox(received, configuration())
    sha256 = shelf.documents.put_blob(received.raw)
    id_ = mail_id(inbox, received.source_id, sha256)
    known = shelf.mails.get(id_)
    now = shelf.clock.now()
    if known is not None and known["outcome"] is not None:
        _count(known, received, shelf)
        return Emit(note="a duplicate: this mail has its outcome", mail_id=id_)
    envelope = Envelope(
        id_, inbox, iso(known["received_at"] if known else now), received.envelope_from, received.envelope_to
    )
    document, outcome = _read(received, envelope, sha256, shelf, unknown_inbox=configuration().inbox(inbox) is None)
    if shelf.mails.receive(document):
        _count(document, received, shelf)
    else:
        shelf.mails.describe(id_, document)
        _count(shelf.mails.get(id_) or document, received, shelf)
    return outcome


def _count(mail: Document, received: MailReceived, shelf: Shelf) -> None:
    """The arrival is in the ledger: the mail's own, which its document names, or a duplicate."""
    arrival = received.arrival_id or mail["_id"]
    duplicate = mail.get("arrival", arrival) != arrival
    shelf.mails.taken(arrival, mail["inbox"], shelf.clock.now(), mail["_id"], duplicate=duplicate)


def _inbox(received: MailReceived, configuration: Configuration) -> str:
    default = configuration.default_inbox
    return received.inbox or (default.name if default else "")


def _read(
    received: MailReceived, envelope: Envelope, sha256: str, shelf: Shelf, *, unknown_inbox: bool
) -> tuple[Document, Outcome]:
    """The mail's document, and what follows."""
    base = _document(received, envelope, sha256)
    if unknown_inbox:
        return base, Fail(f"there is no inbox {envelope.inbox!r}", envelope.mail_id)
    try:
        reading = mime.read(received.raw)
    except BoundExceeded as error:
        unreadable = {**base, "subject": f"(unreadable: {error.bound})"}
        return unreadable, Fail(f"the mail exceeds a bound: {error}", envelope.mail_id)
    for content in reading.contents.values():
        shelf.documents.put_blob(content)
    html = shelf.documents.put_blob(reading.mail.html.encode()) if reading.mail.html else None
    document = {**base, **_facts(reading.mail), "html": html}
    return document, emit(MailParsed(envelope, replace(reading.mail, html=None)))


def _document(received: MailReceived, envelope: Envelope, sha256: str) -> Document:
    return {
        "_id": envelope.mail_id,
        "inbox": envelope.inbox,
        "raw": sha256,
        "size": len(received.raw),
        "source_id": received.source_id,
        "arrival": received.arrival_id or envelope.mail_id,
        "received_at": from_iso(envelope.received_at),
        "from": None,
        "subject": "",
    }


def _facts(mail: ParsedMail) -> Document:
    """What is asked of mails later: who, about what, in answer to which."""
    sender = mail.from_
    return {
        "from": {"name": sender.name, "address": sender.address} if sender else None,
        "sender_key": address_key(sender.address) if sender else None,
        **({"reply_to": [address.address for address in mail.reply_to]} if mail.reply_to else {}),
        "to": [address.address for address in (*mail.to, *mail.cc)],
        "subject": mail.subject,
        "date": mail.date,
        "kind": mail.kind,
        "message_id": mail.message_id,
        "message_key": message_key(mail.message_id),
        "loop_key": loop_key(mail),
        "defects": list(mail.defects),
    }


def build(app: App) -> Stage:
    """The parser on an app's store and configuration."""
    shelf = Shelf(app.documents, app.mails, app.clock)
    decide = partial(handle, shelf=shelf, configuration=app.directory.current)
    return Stage("parser", INTAKE, decide, partial(read, documents=app.documents))
