"""Record writer: decide and commit. The only stage that changes records.

Reads SenderMatched, IncidentWanted and ServiceTargetReached, emits RecordChanged and NotificationQueued. What a mail
means is decided by pure functions (`decide/`); `commit` writes the decision.
"""

from __future__ import annotations

from collections.abc import Callable

from services.record_writer.carry_out import Stores
from services.record_writer.commit import commit, commit_incident, decided_before
from services.record_writer.decide.facts import facts_of, with_reduced
from services.record_writer.decide.people.forward import for_original_sender
from services.record_writer.decide.recognition.token import with_token
from services.record_writer.service_targets import commit_target
from services.record_writer.store_lookups import StoreLookups
from shared.app import App
from shared.clock import Clock
from shared.config.model import Configuration
from shared.contracts.errors import PostroomError
from shared.contracts.events import IncidentWanted, SenderMatched, ServiceTargetReached
from shared.lazy_dataclass import dataclass
from shared.reply_tokens import ReplyTokens
from shared.runtime.envelope import reader
from shared.runtime.outcome import Outcome
from shared.runtime.stage import Stage
from shared.store.firings import Firings


@dataclass(frozen=True, slots=True)
class Writer:
    """The record writer's handler, with its repositories, configuration and clock."""

    stores: Stores
    clock: Clock
    configuration: Callable[[], Configuration]
    tokens: ReplyTokens
    firings: Firings

    def handle(self, event: SenderMatched | IncidentWanted | ServiceTargetReached) -> Outcome:
        """Decide the mail once; a redelivery carries out the stored decision."""
        match event:
            case ServiceTargetReached():
                return commit_target(event, self.configuration(), self.clock.now(), self.stores, self.firings)
            case IncidentWanted():
                return self.write_incident_on_error(event)
            case SenderMatched():
                return self.write(event)

    def write(self, matched: SenderMatched) -> Outcome:
        """Decide one mail and commit the decision."""
        mail = self.stores.mail(matched.envelope.mail_id)
        if mail.outcome is not None:
            return decided_before(mail, self.stores)
        configuration = self.configuration()
        inbox = configuration.inbox(matched.envelope.inbox)
        if inbox is None:
            raise PostroomError(f"the inbox {matched.envelope.inbox!r} is gone")
        documents = self.stores.mails.documents
        facts = facts_of(matched, mail, inbox, configuration, self.clock.now())
        facts = with_reduced(for_original_sender(facts), documents.get_blob, documents.put_blob)
        lookups = StoreLookups(self.stores, configuration.settings.plus_addressing)
        return commit(with_token(facts, lookups, self.tokens), lookups, self.stores)

    def write_incident_on_error(self, request: IncidentWanted) -> Outcome:
        """The incident for a dead letter."""
        mail = self.stores.mail(request.mail_id)
        return commit_incident(request, mail, self.configuration(), self.clock.now(), self.stores)


def stores_of(app: App) -> Stores:
    """The repositories of an app that the writer needs."""
    return Stores(app.records, app.people, app.outbox, app.mails, app.dead_letters, app.canaries, app.arrivals)


def build(app: App) -> Stage:
    """The writer on an app's store and configuration."""
    writer = Writer(stores_of(app), app.clock, app.directory.current, app.reply_tokens, app.firings)
    decode = reader(app.documents, SenderMatched, IncidentWanted, ServiceTargetReached)
    return Stage("record-writer", "record-writer", writer.handle, decode)
