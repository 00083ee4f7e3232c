"""Sender matcher: finds the person who sent a mail.

Reads MailAccepted, emits SenderMatched. The record writer decides what to do with an unknown sender.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from services.sender_matcher.match import match_object, match_person
from shared.app import App
from shared.config.model import Configuration, Inbox
from shared.contracts.errors import PostroomError
from shared.contracts.events import MailAccepted, Sender, SenderMatched
from shared.contracts.mail import Address
from shared.runtime.envelope import reader
from shared.runtime.outcome import Outcome, emit
from shared.runtime.stage import Stage
from shared.store.people import People, with_domain, with_domains
from shared.store.records import Records


def handle(
    accepted: MailAccepted, *, people: People, records: Records, configuration: Callable[[], Configuration]
) -> Outcome:
    """Find the person by the claimed address, and the object that the inbox links to."""
    current = configuration()
    inbox = current.inbox(accepted.envelope.inbox)
    if inbox is None:
        raise PostroomError(f"the inbox {accepted.envelope.inbox!r} is gone")
    matched = match(accepted, inbox, current, people=people, records=records)
    return emit(matched, note=matched.sender.person_id or "no person has this address")


def match(
    accepted: MailAccepted, inbox: Inbox, configuration: Configuration, *, people: People, records: Records
) -> SenderMatched:
    """Return the mail, with whole addresses, and the person and the object that have its sender's address."""
    sender = _sender(with_domain(accepted.mail.from_, inbox.default_domain), inbox, configuration, people, records)
    mail = with_domains(accepted.mail, inbox.default_domain)
    original = _original(accepted, inbox, configuration, people, records)
    return SenderMatched(accepted.envelope, mail, sender, accepted.answers, accepted.commands, original)


def _original(
    accepted: MailAccepted, inbox: Inbox, configuration: Configuration, people: People, records: Records
) -> Sender | None:
    """The sender of the mail that this one forwards, where the inbox asks for it."""
    forwarded = accepted.mail.forwarded
    if not inbox.forwarded_for_original_sender or forwarded is None or forwarded.sender is None:
        return None
    return _sender(with_domain(forwarded.sender, inbox.default_domain), inbox, configuration, people, records)


def _sender(
    address: Address | None, inbox: Inbox, configuration: Configuration, people: People, records: Records
) -> Sender:
    """The person with this address, and the object that the inbox links to."""
    sender = match_person(address, configuration.settings, people)
    object_type, object_id = match_object(sender, inbox, configuration.settings, records)
    return replace(sender, object_type=object_type, object_id=object_id)


def build(app: App) -> Stage:
    """The matcher on an app's store and configuration."""
    decide = partial(handle, people=app.people, records=app.records, configuration=app.directory.current)
    return Stage("sender-matcher", "sender-matcher", decide, reader(app.documents, MailAccepted))
