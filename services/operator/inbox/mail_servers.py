"""Mail servers as an operator sees them: the connection test, and a test mail (NE-24)."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Final

from services.notifier import send
from services.notifier.compose import Outgoing
from services.operator.errors import NotAvailable
from shared.contracts.errors import Misconfigured, PostroomError
from shared.contracts.mail import Address
from shared.lazy_dataclass import dataclass
from shared.mail_network import connection_test
from shared.mail_network.connection import Step
from shared.mail_network.connection_test import TestResult
from shared.sending import server_for
from shared.store.mail_server_states import MailServerState, MailServerStates

if TYPE_CHECKING:
    from shared.app import App
    from shared.config.model import MailServer


SUBJECT: Final = "Test of Postroom"
TEXT: Final = "This mail was sent to test a mail server."


@dataclass(frozen=True, slots=True)
class TestMail:
    """A mail to try a server with. Without any recipient it goes to the server's own user (IV-08)."""

    __test__ = False  # not a test class, whatever its name says to pytest

    to: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    subject: str = SUBJECT
    text: str = TEXT


@dataclass(frozen=True, slots=True)
class MailServerView:
    """One mail server with its latest test."""

    name: str
    host: str
    port: int
    tls: str
    test: TestResult | None


def mail_server_views(app: App) -> tuple[MailServerView, ...]:
    """Every mail server in the order of the configuration."""
    states = MailServerStates(app.documents).all()
    return tuple(_view(each, states.get(each.name)) for each in app.directory.current().mail_servers)


def _view(server: MailServer, state: MailServerState | None) -> MailServerView:
    return MailServerView(server.name, server.host or "", server.port, server.tls, state.test if state else None)


@dataclass(frozen=True, slots=True)
class MailServerRow:
    """One mail server as the console lists it. `inboxes`: those that answer through it."""

    server: MailServer
    test: TestResult | None
    inboxes: tuple[str, ...]

    @property
    def state(self) -> str:
        """What it does, in a word: sends, redirects everything to one address, or holds everything back."""
        if self.server.block:
            return "blocked"
        return "redirected" if self.server.override_recipient else "sends"


def mail_server_rows(app: App) -> tuple[MailServerRow, ...]:
    """Every mail server in the order of the configuration."""
    configuration, states = app.directory.renew(), MailServerStates(app.documents).all()
    users = [(each.name, server_for(configuration, each, each.partition)) for each in configuration.inboxes]
    return tuple(
        MailServerRow(
            each,
            states[each.name].test if each.name in states else None,
            tuple(name for name, server in users if server == each),
        )
        for each in configuration.mail_servers
    )


def mail_server_named(app: App, name: str) -> MailServer:
    """The mail server with this name. Raises `NotAvailable`."""
    found = next((each for each in app.directory.current().mail_servers if each.name == name), None)
    if found is None:
        raise NotAvailable(f"there is no mail server {name!r}; `postroom mail-server list` shows those that are")
    return found


def check_mail_server(app: App, name: str, mail: TestMail | None = None) -> TestResult:
    """Test the connection, send `mail` if it works, and keep the result."""
    server = mail_server_named(app, name)
    result = _checked(app, server)
    MailServerStates(app.documents).tested(name, result)
    if result.ok and mail is not None:
        return send_test_mail(app, server, mail, server.from_address or "")
    return result


def clear_test(app: App, name: str) -> None:
    """Forget the latest test of a mail server."""
    MailServerStates(app.documents).tested(mail_server_named(app, name).name, None)


def _checked(app: App, server: MailServer) -> TestResult:
    try:
        return send.check(server, app.directory.current().settings, tokens=app.tokens.of)
    except PostroomError as error:  # a missing secret
        return connection_test.failed(error, app.clock.now())


def send_test_mail(app: App, server: MailServer, mail: TestMail, sender: str, inbox: str = "") -> TestResult:
    """Send a test mail; keep the result: for whom it left, or why it did not. Blocking and override apply (NE-21)."""
    try:
        result = connection_test.passed(app.clock.now(), (_send(app, server, mail, sender, inbox),))
    except PostroomError as error:
        text = f"The test mail was not sent through {server.name}: {error}"
        result = TestResult(ok=False, step=Step.SEND, message=text, at=app.clock.now(), detail=str(error))
    MailServerStates(app.documents).tested(server.name, result)
    return result


def _send(app: App, server: MailServer, mail: TestMail, sender: str, inbox: str) -> str:
    recipients = (*mail.to, *mail.cc, *mail.bcc) or tuple(filter(None, (server.username,)))
    if not recipients:
        raise Misconfigured(f"the mail server {server.name} has no username to send to; name a recipient (--to)")
    if not sender:
        raise Misconfigured(f"the mail server {server.name} has no from_address")
    outgoing = Outgoing(
        message_id=f"<test-{uuid.uuid4().hex}@{sender.rpartition('@')[2]}>",
        date=app.clock.now(),
        to=_addresses(mail.to or (() if mail.cc or mail.bcc else recipients)),
        cc=_addresses(mail.cc),
        bcc=_addresses(mail.bcc),
        subject=mail.subject,
        text=mail.text + "\n",
        sender=Address("", sender),
        loop=inbox or "postroom",
    )
    sent = send.deliver(outgoing, server, app.directory.current().settings, tokens=app.tokens.of)
    refused = "".join(f" Refused: {recipient} ({reply})." for recipient, reply in sent.refused)
    return f"A test mail was sent to {', '.join(sent.accepted)} through {server.name}.{refused}"


def _addresses(written: tuple[str, ...]) -> tuple[Address, ...]:
    return tuple(Address("", each) for each in written)
