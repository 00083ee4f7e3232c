"""Parser: reads and stores each mail.

Reads raw mail from the intake queue, stores it, emits MailParsed. A mail that was seen before and has its
outcome is a duplicate, which is only counted. A mail that exceeds a bound fails with the bound's name.

Two steps: `prepare` parses without writing, so that others can use the store while a slow mail is parsed; `handle`
stores and decides. Until then the queue keeps the mail.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any

from services.parser import guarded, rewritten
from services.parser.guarded import Overdue
from services.parser.mime import Reading
from shared.addresses import address_key, address_keys
from shared.app import App
from shared.clock import Clock
from shared.config.model import Configuration
from shared.contracts.errors import BoundExceeded
from shared.contracts.events import Envelope, MailParsed, MailReceived
from shared.contracts.mail import ParsedMail
from shared.ids import mail_id
from shared.intake import head_of, read
from shared.lazy_dataclass import dataclass
from shared.loops import loop_key
from shared.runtime.broker import INTAKE
from shared.runtime.current_mail import current_mail
from shared.runtime.outcome import Emit, Fail, Outcome, Retry, Wait, emit
from shared.runtime.stage import Stage
from shared.store.arrivals import Arrivals
from shared.store.documents import Documents
from shared.store.mails import Mails, StoredMail, message_key
from shared.text import from_iso, iso


@dataclass(frozen=True, slots=True)
class ParserStores:
    """The repositories in which the parser stores mails."""

    documents: Documents
    mails: Mails
    arrivals: Arrivals
    clock: Clock


@dataclass(frozen=True, slots=True)
class PreparedMail:
    """A mail on its way into the store. `reading`: its content or why it cannot be read; None when it was not
    parsed, because it has its outcome already or its inbox is unknown. `is_new`: it was not in the store before.
    """

    received: MailReceived
    id: str
    sha256: str
    inbox: str
    reading: Reading | BoundExceeded | Overdue | None
    unknown_inbox: bool = False
    is_new: bool = False

    def weight(self) -> int:
        """Bytes held in memory."""
        contents = self.reading.contents.values() if isinstance(self.reading, Reading) else ()
        return len(self.received.raw) + sum(map(len, contents))


def prepare(
    received: MailReceived,
    handed_out_before: bool,
    *,
    stores: ParserStores,
    configuration: Callable[[], Configuration],
) -> PreparedMail:
    """Parse the mail, unless its content is not needed. A mail that may have crashed a worker is a suspect."""
    current = configuration()
    inbox, sha256 = _inbox(received, current), received.sha256 or hashlib.sha256(received.raw).hexdigest()
    id_ = mail_id(inbox, received.source_id, sha256)
    current_mail.set(id_)
    if current.inbox(inbox) is None:
        return PreparedMail(received, id_, sha256, inbox, None, unknown_inbox=True)
    known = stores.mails.get(id_)
    if known is not None and known.outcome is not None:
        return PreparedMail(received, id_, sha256, inbox, None)
    try:
        reading = guarded.read(received.raw, suspect=handed_out_before)
        reading = replace(reading, mail=for_desk(reading.mail, inbox, current))
        return PreparedMail(received, id_, sha256, inbox, reading, is_new=known is None)
    except (BoundExceeded, Overdue) as error:
        return PreparedMail(received, id_, sha256, inbox, error)


def look_ahead(received: MailReceived, *, stores: ParserStores, configuration: Callable[[], Configuration]) -> None:
    """Ask for what `prepare` and `handle` will need, and store the raw mail, whatever it is."""
    sha256 = received.sha256 or stores.documents.put_blob(received.raw)
    id_ = mail_id(_inbox(received, configuration()), received.source_id, sha256)
    stores.mails.get(id_)
    stores.arrivals.get(received.arrival_id or id_)


def for_desk(mail: ParsedMail, inbox: str, configuration: Configuration) -> ParsedMail:
    """The mail as it is read at this desk, whose own addresses write no mail and miss none.

    The author of a mail from an inbox's or a form's address is who it names (PR-18). A report names no address of ours
    as one that did not get its mail, since that mail was ours.
    """
    own = configuration.own_addresses
    plus = configuration.settings.plus_addressing
    found = configuration.inbox(inbox)
    forms = map(address_key, found.sender.forms) if found else ()
    mail = rewritten.with_original_author(mail, own.union(filter(None, forms)), plus_addressing=plus)
    if mail.bounce is None:
        return mail
    others = (
        each for each in mail.bounce.recipients if own.isdisjoint(address_keys(each.address, plus_addressing=plus))
    )
    return replace(mail, bounce=replace(mail.bounce, recipients=tuple(others)))


def handle(prepared: PreparedMail, *, stores: ParserStores) -> Outcome:
    """Store the raw mail first, unless its message named it in the store, and then its content."""
    received, id_, inbox = prepared.received, prepared.id, prepared.inbox
    if isinstance(prepared.reading, Overdue):
        return Retry(str(prepared.reading))
    if not received.sha256:
        stores.documents.put_blob(received.raw, prepared.sha256)
    current_mail.set(id_)
    known = None if prepared.is_new else stores.mails.get(id_)
    now = stores.clock.now()
    if known is not None and known.outcome is not None:
        _count(known, received, stores)
        return Emit(note="a duplicate: this mail has its outcome", mail_id=id_)
    if prepared.reading is None and not prepared.unknown_inbox:
        return Wait("the mail was reopened a moment ago")
    envelope = Envelope(
        id_,
        inbox,
        iso(known.received_at if known else now),
        received.envelope_from,
        received.envelope_to,
        received.history,
    )
    mail, outcome = _decided(prepared, envelope, stores)
    if stores.mails.receive(mail):
        stores.documents.barrier()
        _count(mail, received, stores)
    elif prepared.is_new:  # another worker has stored it since
        return handle(replace(prepared, is_new=False), stores=stores)
    else:
        stores.mails.describe(mail)
        _count(stores.mails.get(id_) or mail, received, stores)
    return outcome


def _count(mail: StoredMail, received: MailReceived, stores: ParserStores) -> None:
    """Count the arrival: the mail's own, which it names, or a duplicate."""
    arrival = received.arrival_id or mail.id
    duplicate = mail.arrival not in {None, arrival}
    stores.arrivals.taken(arrival, mail.inbox, stores.clock.now(), mail.id, duplicate=duplicate)


def _inbox(received: MailReceived, configuration: Configuration) -> str:
    default = configuration.default_inbox
    return received.inbox or (default.name if default else "")


def unreadable_subject(error: BoundExceeded) -> str:
    """Return the stored subject of a mail that is not read."""
    return f"(unreadable: {error.bound})"


def unreadable_reason(error: BoundExceeded) -> str:
    """Return the reason of that mail's dead letter."""
    return f"the mail exceeds a bound: {error}"


def _decided(prepared: PreparedMail, envelope: Envelope, stores: ParserStores) -> tuple[StoredMail, Outcome]:
    """Return the mail to be stored, and the outcome."""
    received, sha256, reading = prepared.received, prepared.sha256, prepared.reading
    if not isinstance(reading, Reading):
        head = head_of(received.raw, sha256)
        if isinstance(reading, BoundExceeded):
            subject, why = unreadable_subject(reading), unreadable_reason(reading)
        else:
            subject, why = head.subject, f"there is no inbox {envelope.inbox!r}"
        unread = _stored(received, envelope, sha256, {"from_": head.from_, "subject": subject})
        return unread, Fail(why, envelope.mail_id)
    for content_sha256, content in reading.contents.items():
        stores.documents.put_blob(content, content_sha256)
    html = stores.documents.put_blob(reading.mail.html.encode()) if reading.mail.html else None
    read = _facts(reading.mail, html, is_old=received.history is not None)
    return _stored(received, envelope, sha256, read), emit(MailParsed(envelope, replace(reading.mail, html=None)))


def _stored(
    received: MailReceived, envelope: Envelope, sha256: str, read: Mapping[str, Any] = MappingProxyType({})
) -> StoredMail:
    """The mail as it is stored, with what was read of it."""
    return StoredMail(
        id=envelope.mail_id,
        inbox=envelope.inbox,
        raw=sha256,
        size=len(received.raw),
        source_id=received.source_id,
        arrival=received.arrival_id or envelope.mail_id,
        received_at=from_iso(envelope.received_at),
        history=received.history,
        **read,
    )


def _facts(mail: ParsedMail, html: str | None, *, is_old: bool) -> dict[str, Any]:
    """The fields that later queries use: sender, subject, threading."""
    return {
        "from_": mail.from_,
        "sender_key": address_key(mail.from_.address) if mail.from_ else None,
        "reply_to": tuple(address.address for address in mail.reply_to),
        "to": tuple(address.address for address in (*mail.to, *mail.cc)),
        "subject": mail.subject,
        "date": mail.date,
        "kind": mail.kind,
        "message_id": mail.message_id,
        "message_key": message_key(mail.message_id),
        "loop_key": None if is_old else loop_key(mail),
        "defects": mail.defects,
        "html": html,
    }


def build(app: App) -> Stage:
    """The parser on an app's store and configuration."""
    stores = ParserStores(app.documents, app.mails, app.arrivals, app.clock)
    return Stage(
        "parser",
        INTAKE,
        partial(handle, stores=stores),
        partial(read, documents=app.documents),
        prepare=partial(prepare, stores=stores, configuration=app.directory.current),
        weight=PreparedMail.weight,
        look_ahead=partial(look_ahead, stores=stores, configuration=app.directory.current),
    )
