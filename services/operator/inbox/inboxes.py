"""Inboxes as an operator sees them: their states; connection test, test mail, peek, stop and start.

What connects or reads mail is imported where it is used: a single run asks for the states alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

from services.operator.errors import NotAvailable
from services.operator.inbox.credential_ends import CredentialEnd, credential_end
from services.operator.view import values_of
from shared.contracts.errors import BoundExceeded, Unavailable
from shared.lazy_dataclass import dataclass
from shared.store.configuration import Made, switch
from shared.store.inbox_states import OPERATOR, InboxState, InboxStates

if TYPE_CHECKING:
    from services.fetcher.mailbox import Peek
    from services.operator.inbox.mail_servers import TestMail
    from shared.app import App
    from shared.config.model import Inbox, MailServer
    from shared.mail_network.connection_test import TestResult

Running = Literal["running", "failing", "stopped", "disabled"]


@dataclass(frozen=True, slots=True)
class InboxView:
    """One inbox with its stored state. `reason`: why it does not run."""

    inbox: Inbox
    state: InboxState
    running: Running
    reason: str | None

    @property
    def credential_end(self) -> CredentialEnd | None:
        """When its client secret or certificate ends; None when that is not known."""
        return credential_end(self.inbox)

    @property
    def by_operator(self) -> bool:
        """Whether an operator has stopped it."""
        return self.state.stop is not None and self.state.stop.by == OPERATOR

    def as_json(self) -> dict[str, Any]:
        """The keys that scripts rely on."""
        return {
            **values_of(self.inbox, ("name", "address", "protocol", "processor", "enabled")),
            "state": self.running,
            "reason": self.reason,
            **values_of(self.state, ("auth_failures", "error", "polled_at")),
            "test": asdict(self.state.test) if self.state.test else None,
            "by_operator": self.by_operator,
            "credential_ends": end.day.isoformat() if (end := self.credential_end) else None,
            "inbox": self.inbox.name,
        }


@dataclass(frozen=True, slots=True)
class WaitingMail:
    """A mail that waits in a mailbox: its beginning, at most 64 KiB. `size` in bytes; None: not known.

    `readable` is False for a mail that exceeds a bound of the parser: then `subject` and `text` are those that the
    parser stage stores of it.
    """

    key: str
    size: int | None
    sender: str | None
    subject: str | None
    text: str = ""
    date: str | None = None
    readable: bool = True


@dataclass(frozen=True, slots=True)
class ConnectionCheck:
    """The result of a connection test; `result` is None for an inbox that has no mailbox to connect to."""

    message: str
    ok: bool = True
    result: TestResult | None = None

    @property
    def in_full(self) -> str:
        """The message, and what the server or the library said."""
        return self.result.in_full if self.result else self.message


def inbox_named(app: App, name: str) -> Inbox:
    """The inbox with this name. Raises `NotAvailable`."""
    found = app.directory.current().inbox(name)
    if found is None:
        raise NotAvailable(f"there is no inbox {name!r}; `postroom inbox list` shows those that are")
    return found


def inbox_views(app: App) -> tuple[InboxView, ...]:
    """Every inbox in the order of the configuration."""
    return _views(app, processing=app.directory.current().settings.processing)


def _views(app: App, *, processing: bool) -> tuple[InboxView, ...]:
    states = InboxStates(app.documents, app.clock).all()
    with_state = ((each, states.get(each.name, InboxState(each.name))) for each in app.directory.current().inboxes)
    return tuple(InboxView(*each, *running_state(*each, processing=processing)) for each in with_state)


def running_state(inbox: Inbox, state: InboxState, *, processing: bool) -> tuple[Running, str | None]:
    """Whether an inbox runs, and why not. `processing`: whether the system visits inboxes at all."""
    if not inbox.enabled:
        return "disabled", None
    if inbox.protocol != "none" and (reason := _unsupported_reason(inbox)):
        return "disabled", reason
    if state.stop:
        return "stopped", state.stop.reason
    if not processing and inbox.protocol != "none":
        return "stopped", "processing is off"
    return ("failing", state.error) if state.error else ("running", None)


def _unsupported_reason(inbox: Inbox) -> str | None:
    from services.fetcher.support import unsupported_reason

    return unsupported_reason(inbox)


def unread_inboxes(app: App) -> tuple[InboxView, ...]:
    """Enabled inboxes with a mailbox that could not be read: mail that waits there is in no count of mails."""
    with_mailbox = (each for each in _views(app, processing=True) if each.inbox.protocol != "none")
    return tuple(each for each in with_mailbox if each.running != "running" and each.reason)


def check_connection(app: App, name: str) -> ConnectionCheck:
    """Test the connection of an inbox and keep the result (IV-08). Creates nothing there."""
    inbox = inbox_named(app, name)
    if inbox.protocol == "none":
        return ConnectionCheck(f"{name} takes mail from intake only; there is nothing to connect to")
    from services.runner import build_fetcher

    result = build_fetcher(app).check(inbox)
    return ConnectionCheck(result.message, result.ok, result)


def server_for_test_mail(app: App, name: str, *, addressed: bool = False) -> MailServer | None:
    """The server that sends for an inbox, when the mail is addressed or the server has a user to whom it can go."""
    configuration = app.directory.current()
    server_name = inbox_named(app, name).mail_server or ""
    server = configuration.mail_server(server_name) or next(iter(configuration.mail_servers), None)
    return server if server and (server.username or addressed) else None


def clear_test(app: App, name: str) -> None:
    """Forget the latest connection test of an inbox."""
    InboxStates(app.documents, app.clock).tested(inbox_named(app, name).name, None)


def send_test_mail(app: App, name: str, server: MailServer, mail: TestMail) -> TestResult:
    """Send a test mail from an inbox (IV-08); the result is kept for the mail server (NE-24)."""
    from services.operator.inbox import mail_servers

    inbox = inbox_named(app, name)
    return mail_servers.send_test_mail(app, server, mail, server.from_address or inbox.address, inbox.name)


def waiting_mails(app: App, name: str, count: int) -> tuple[WaitingMail, ...]:
    """The oldest mails that wait in a mailbox, at most `count`; they stay unread (VS-02).

    Raises `NotAvailable` when there is no mailbox, or when its server refuses, in the sentence of the connection test.
    """
    inbox = inbox_named(app, name)
    if inbox.protocol == "none":
        raise NotAvailable(f"{name} takes mail from intake only; there is no mailbox to look into")
    from services.runner import build_fetcher

    with _refusals_as_sentences(app):
        return tuple(map(_waiting, build_fetcher(app).peek(inbox, count)))


@contextmanager
def _refusals_as_sentences(app: App) -> Iterator[None]:
    from shared.mail_network import connection_test
    from shared.mail_network.connection import Refusal

    try:
        yield
    except Refusal as error:
        sentence = connection_test.failed(error, app.clock.now()).in_full.rstrip(".")
        raise (Unavailable(sentence) if isinstance(error, Unavailable) else NotAvailable(sentence)) from error


def _waiting(found: Peek) -> WaitingMail:
    from services.parser import guarded
    from services.parser.stage import unreadable_reason, unreadable_subject

    try:
        mail = guarded.read(found.raw).mail
    except BoundExceeded as error:
        return WaitingMail(
            found.key.id, found.size, None, unreadable_subject(error), unreadable_reason(error), readable=False
        )
    sender = f"{mail.from_.name} <{mail.from_.address}>".strip() if mail.from_ else None
    return WaitingMail(found.key.id, found.size, sender, mail.subject, mail.text, mail.date)


def ask_for_visit(app: App, name: str) -> None:
    """Have the fetcher visit an inbox at once. Raises `NotAvailable` when it visits this inbox never, or not now."""
    inbox = inbox_named(app, name)
    if inbox.protocol == "none":
        raise NotAvailable(f"{name} takes mail from intake only; there is no mailbox to visit")
    view = next(each for each in inbox_views(app) if each.inbox.name == name)
    if view.running in {"stopped", "disabled"}:
        raise NotAvailable(f"{name} is {view.running}; start it first")
    InboxStates(app.documents, app.clock).ask_for_visit(name)


def stop_inbox(app: App, name: str, reason: str) -> None:
    """Take no more mail from an inbox, without a restart."""
    InboxStates(app.documents, app.clock).stop(inbox_named(app, name).name, reason)


def start_inbox(app: App, name: str, *, by: str = OPERATOR) -> None:
    """Visit an inbox again, also one that stopped because logins were refused, or that was disabled."""
    inbox = inbox_named(app, name)
    InboxStates(app.documents, app.clock).start(inbox.name)
    if not inbox.enabled:
        made = Made(app.clock.now(), by, "started")
        switch(app.documents, "inboxes", inbox.name, "enabled", value=True, made=made)


def switch_processing(app: App, *, on: bool, by: str = OPERATOR, reason: str = "") -> None:
    """Switch visits to all inboxes on or off."""
    switch(app.documents, "settings", "settings", "processing", on, Made(app.clock.now(), by, reason))
