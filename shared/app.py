"""The composition root: one process's store, broker, configuration and repositories.

Which adapters are used is decided here and nowhere else, by two URLs that work independently of each other.
RabbitMQ's and MongoDB's libraries are imported only when their URL is given, and the configuration when it is first
asked for, because a command that only looks has to start quickly.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

from shared.clock import Clock, SystemClock
from shared.contracts.errors import Misconfigured, PostroomError
from shared.embedded.broker import EmbeddedBroker
from shared.embedded.documents import EmbeddedDocuments
from shared.embedded.file import LocalFile
from shared.lazy_dataclass import dataclass
from shared.reply_tokens import NO_KEY, ReplyTokens, keys_of, own_keys
from shared.runtime.broker import Broker, WorkQueues
from shared.store.arrivals import Arrivals
from shared.store.canaries import Canaries
from shared.store.dead_letters import DeadLetters
from shared.store.documents import Documents
from shared.store.firings import Firings
from shared.store.indexes import INDEXES
from shared.store.intake_keys import IntakeKeys
from shared.store.intake_tokens import IntakeTokens
from shared.store.jobs import Jobs
from shared.store.journal import Journal
from shared.store.large_events import LargeEvents
from shared.store.mails import Mails
from shared.store.pauses import StagePauses
from shared.store.people import People
from shared.store.records import Records
from shared.store.reports import ReportStates
from shared.store.schema import agree_on_version
from shared.store.settings import has_configuration
from shared.store.stage_counts import StageCounts
from shared.store.sweeps import Sweeps
from shared.store.uploads import Uploads

if TYPE_CHECKING:
    from shared.config.directory import Directory
    from shared.intake import IntakePublisher
    from shared.mail_network.tokens import Tokens
    from shared.store.access import Access
    from shared.store.outbox import Outbox

DEFAULT_DATA = Path("postroom-data")
NO = frozenset({"", "0", "no", "false", "off"})
"""Values of a variable of the environment, in small letters, that switch off what it names."""


@dataclass(frozen=True, slots=True)
class Location:
    """Where a process finds broker, store and files. `broker_url`, `store_url` None: the embedded default in `data`.

    `ca_file` (PEM) has the certificate authorities of RabbitMQ and MongoDB, instead of those of the system.
    """

    data: Path = DEFAULT_DATA
    broker_url: str | None = None
    store_url: str | None = None
    verify_topology: bool = False
    management_url: str | None = None
    ca_file: str | None = None

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], data: Path | None = None) -> Self:
        """POSTROOM_DATA and the variables in `docs/deployment.md`, "The environment"."""
        return cls(
            data or Path(environ.get("POSTROOM_DATA") or DEFAULT_DATA),
            environ.get("POSTROOM_BROKER_URL") or None,
            environ.get("POSTROOM_STORE_URL") or None,
            environ.get("POSTROOM_VERIFY_TOPOLOGY", "").lower() not in NO,
            environ.get("POSTROOM_MANAGEMENT_URL") or None,
            environ.get("POSTROOM_CA_FILE") or None,
        )


class App:
    """Everything a stage or a command may ask for. Repositories are made once, on the store."""

    def __init__(self, documents: Documents, broker: Broker, clock: Clock, location: Location) -> None:
        self.documents, self.broker, self.clock, self.location = documents, broker, clock, location
        self.mails, self.records, self.people = Mails(documents), Records(documents), People(documents)
        self.reply_tokens = ReplyTokens(self._token_keys)
        self.dead_letters = DeadLetters(documents)
        self.arrivals, self.journal = Arrivals(documents), Journal(documents)
        self.large_events, self.uploads = LargeEvents(documents, clock), Uploads(documents)
        self.sweeps, self.firings = Sweeps(documents), Firings(documents)
        self.reports, self.jobs = ReportStates(documents), Jobs(documents)
        self.pauses, self.intake_tokens = StagePauses(documents), IntakeTokens(documents)
        self.stage_counts, self.intake_keys = StageCounts(documents), IntakeKeys(documents)
        self.canaries = Canaries(documents)

    @cached_property
    def outbox(self) -> Outbox:
        """Outgoing mail, whose rows know settings of mail servers."""
        from shared.store.outbox import Outbox

        return Outbox(self.documents, self.reply_tokens)

    @cached_property
    def access(self) -> Access:
        """Users and sessions of the console, and what people did."""
        from shared.store.access import Access

        return Access(self.documents)

    @cached_property
    def directory(self) -> Directory:
        """The configuration in force."""
        from shared.config.directory import Directory

        return Directory(self.documents, self.clock)

    @classmethod
    def open(
        cls, location: Location, queues: WorkQueues, clock: Clock | None = None, *, store_only: bool = False
    ) -> Self:
        """Connect, make sure that indexes, queues and a first configuration exist.

        `store_only`: RabbitMQ is not asked before something needs it. Raises `Unavailable` or `Misconfigured` with one
        clear sentence.
        """
        clock = clock or SystemClock()
        documents = _documents(location)
        with _beginning(documents):
            agree_on_version(documents)
            documents.ensure(INDEXES)
            if not has_configuration(documents):
                from shared.store.configuration import seed_defaults

                seed_defaults(documents)
        broker = _broker(location, queues, documents)
        if not (store_only and location.broker_url):
            broker.declare()
        return cls(documents, broker, clock, location)

    def _token_keys(self) -> tuple[bytes, ...]:
        """The keys that sign reply tokens: those of `settings.token_key`, else of the embedded store's folder."""
        if secret := self.directory.current().settings.token_key:
            with suppress(Misconfigured):  # a start has warned of it (decision 0047)
                return keys_of(secret.reveal())
        return self._own_token_keys

    @cached_property
    def _own_token_keys(self) -> tuple[bytes, ...]:
        """A store that several machines share has no folder of its own, and so no keys."""
        return own_keys(self.location.data) if self.location.store_url is None else ()

    @cached_property
    def one_file(self) -> EmbeddedBroker | None:
        """The broker, when queues and store are in one file, so that both can write in one transaction."""
        broker, store = self.broker, self.documents
        if isinstance(broker, EmbeddedBroker) and isinstance(store, EmbeddedDocuments) and broker.file is store.file:
            return broker
        return None

    @cached_property
    def intake(self) -> IntakePublisher:
        """Hands raw mail to intake."""
        from shared.intake import IntakePublisher

        basics = self.broker, self.documents, self.clock, self._default_inbox
        return (
            IntakePublisher(*basics, self.one_file.file.batch, inline=0) if self.one_file else IntakePublisher(*basics)
        )

    @cached_property
    def tokens(self) -> Tokens:
        """The OAuth access tokens of this process, for inboxes and mail servers."""
        from shared.mail_network.tokens import Tokens
        from shared.store.refresh_tokens import StoredRefreshTokens

        return Tokens(StoredRefreshTokens(self.documents, self.clock, self._refresh_token_keys))

    def _refresh_token_keys(self) -> tuple[bytes, ...]:
        secret = self.directory.current().settings.token_key
        if secret is None:
            raise Misconfigured("settings.token_key is missing; refresh tokens are encrypted with it")
        if not (keys := keys_of(secret.reveal())):
            raise Misconfigured(f"settings.token_key: {NO_KEY}")
        return keys

    def _default_inbox(self) -> str:
        """The name of the default inbox; empty when there is none, or when the configuration cannot be read."""
        with suppress(PostroomError):
            if found := self.directory.current().default_inbox:
                return found.name
        return ""

    def close(self) -> None:
        """Close broker and store."""
        self.broker.close()
        self.documents.close()


def _documents(location: Location) -> Documents:
    if location.store_url is None:
        return EmbeddedDocuments(location.data)
    from shared.mongodb.documents import MongoDocuments
    from shared.store.batch import batched

    return batched(MongoDocuments(location.store_url, ca_file=location.ca_file))


def _beginning(documents: Documents) -> AbstractContextManager[None]:
    """One commit for all that a new file begins with, instead of one for each table.

    Not for a file that was used before: while a new index is filled, others have to be able to write.
    """
    return documents.file.batch() if isinstance(documents, EmbeddedDocuments) and documents.is_new() else nullcontext()


def _broker(location: Location, queues: WorkQueues, documents: Documents) -> Broker:
    if location.broker_url is None:
        file = documents.file if isinstance(documents, EmbeddedDocuments) else LocalFile(location.data)
        return EmbeddedBroker(file, queues)
    from shared.rabbitmq.broker import RabbitBroker

    return RabbitBroker(
        location.broker_url,
        queues,
        verify_only=location.verify_topology,
        management_url=location.management_url,
        ca_file=location.ca_file,
    )
