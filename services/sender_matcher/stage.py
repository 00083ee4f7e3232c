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
from shared.contracts.events import MailAccepted, SenderMatched
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
    address = with_domain(accepted.mail.from_, inbox.default_domain)
    sender = match_person(address, configuration.settings, people)
    object_type, object_id = match_object(sender, inbox, configuration.settings, records)
    sender = replace(sender, object_type=object_type, object_id=object_id)
    mail = with_domains(accepted.mail, inbox.default_domain)
    return SenderMatched(accepted.envelope, mail, sender, accepted.answers, accepted.commands)


def build(app: App) -> Stage:
    """The matcher on an app's store and configuration."""
    decide = partial(handle, people=app.people, records=app.records, configuration=app.directory.current)
    return Stage("sender-matcher", "sender-matcher", decide, reader(app.documents, MailAccepted))
