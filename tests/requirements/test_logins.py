"""Every login against a server: Dovecot and Postfix where they offer it, else a scripted one that checks the answer.

`CASES` is the table; the one in `docs/mailboxes.md` is made from it (`tests/test_docs_mailboxes.py`).
"""

from __future__ import annotations

import base64
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from services.fetcher.mailbox import InboxAccess, Mailbox, mailbox_class
from services.notifier import smtp
from services.notifier.smtp import ServerAccess
from shared.config.model import Inbox, MailServer
from shared.contracts.errors import Misconfigured
from shared.mail_network import sasl
from shared.mail_network.connection import AuthenticationRefused, Step
from shared.mail_network.sasl import Credentials
from tests.servers.dovecot import EVERY_PASSWORD, PASSWORD, Dovecot
from tests.servers.introspection import TOKEN, Introspection
from tests.servers.kerberos import Kerberos
from tests.servers.postfix import Postfix
from tests.servers.presence import free_port
from tests.servers.smtp import ScriptedServer
from tests.servers.tls import Certificate

DOVECOT, POSTFIX, SCRIPTED = "Dovecot 2.3", "Postfix 3.7", "a scripted server"
_SASL = ("gssapi", "oauthbearer", "xoauth2", "scram-sha-256", "scram-sha-1", "digest-md5", "cram-md5", "plain", "login")
CASES: dict[tuple[str, str], str] = {
    **{("imap", auth): DOVECOT for auth in (*_SASL, "regular", "auto")},
    **{("pop3", auth): DOVECOT for auth in (*_SASL, "apop", "regular", "auto")},
    **{("smtp", auth): POSTFIX for auth in (*_SASL, "auto")},
    **{(protocol, "ntlm"): SCRIPTED for protocol in ("imap", "pop3", "smtp")},
    **{(protocol, "scram-sha-256-plus"): SCRIPTED for protocol in ("imap", "pop3", "smtp")},
}
"""Protocol and login → what it is tested against."""
MAIL = b"From: jane@example.com\r\nSubject: one\r\n\r\n.a line with a dot\r\n"
OAUTH = """\
introspection_url = http://127.0.0.1:{port}/introspect?token=
introspection_mode = get
username_attribute = username
active_attribute = active
active_value = true
"""
EXTRA = """\
auth_krb5_keytab = {keytab}
auth_gssapi_hostname = localhost
import_environment = TZ KRB5_CONFIG={krb5}
auth_realms = localhost
auth_default_realm = localhost
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {oauth}
}}
service auth {{
  inet_listener {{
    address = 127.0.0.1
    port = {auth_port}
  }}
}}
"""


@dataclass
class Servers:
    """What runs for this module."""

    dovecot: Dovecot
    kerberos: Kerberos
    introspection: Introspection
    auth_port: int
    stack: ExitStack
    started: Postfix | None = None

    @property
    def postfix(self) -> Postfix:
        """Started when it is first needed."""
        if self.started is None:
            self.started = self.stack.enter_context(Postfix(self.dovecot, self.auth_port))
        return self.started


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with ExitStack() as stack:
        kerberos, introspection = stack.enter_context(Kerberos()), stack.enter_context(Introspection())
        oauth, auth_port = tmp_path_factory.mktemp("dovecot") / "oauth2.conf", free_port()
        for parent in (oauth.parent, *list(oauth.parents)[1:3]):
            parent.chmod(0o755)
        oauth.write_text(OAUTH.format(port=introspection.port))
        extra = EXTRA.format(keytab=kerberos.keytab, krb5=kerberos.home / "krb5.conf", oauth=oauth, auth_port=auth_port)
        mechanisms = f"{EVERY_PASSWORD} xoauth2 oauthbearer gssapi"
        environment = {"KRB5_CONFIG": str(kerberos.home / "krb5.conf")}
        dovecot = stack.enter_context(Dovecot(extra=extra, mechanisms=mechanisms, environment=environment))
        yield Servers(dovecot, kerberos, introspection, auth_port, stack)


@pytest.fixture
def servers(running: Servers, monkeypatch: pytest.MonkeyPatch) -> Servers:
    running.dovecot.clear("bob")
    monkeypatch.setenv("SSL_CERT_FILE", str(running.dovecot.certificate.certificate))
    for name, value in running.kerberos.client_environment.items():
        monkeypatch.setenv(name, value)
    return running


class Given:
    """Tokens that stay as they are."""

    def __init__(self, token: str) -> None:
        self._token = token

    def token(self) -> str:
        return self._token

    def rejected(self) -> None:
        pass


def credentials(auth: str, *, right: bool = True) -> Credentials:
    if auth in ("xoauth2", "oauthbearer"):
        return Credentials("bob", tokens=Given(TOKEN if right else "bad-token"))
    return Credentials("bob", PASSWORD if right else "wrong")


def an_inbox(protocol: str, auth: str, port: int, **options: Any) -> Inbox:
    given = {"name": "i", "address": "bob@example.com", "host": "localhost", "after": "delete", "tls": "implicit"}
    return Inbox(protocol=protocol, auth=auth, port=port, **(given | options))  # type: ignore[arg-type]


def opened(inbox: Inbox, who: Credentials) -> Mailbox:
    return mailbox_class(inbox.protocol)(InboxAccess(inbox, who))


def port_of(servers: Servers, protocol: str) -> int:
    return servers.dovecot.tls_port if protocol == "imap" else servers.dovecot.pop3_tls_port


MAILBOXES = [case for case, against in CASES.items() if against == DOVECOT]
SENDING = [auth for (_, auth), against in CASES.items() if against == POSTFIX]


@pytest.mark.req("IV-02", "IV-09")
@pytest.mark.parametrize(("protocol", "auth"), MAILBOXES)
def test_a_mailbox_is_read_and_emptied_after_each_login(servers: Servers, protocol: str, auth: str) -> None:
    servers.dovecot.deliver("bob", MAIL)
    with opened(an_inbox(protocol, auth, port_of(servers, protocol)), credentials(auth)) as box:
        (waiting,) = box.waiting(lambda _: {}, 10).fresh
        assert box.fetch(waiting.key, waiting.size) == MAIL
        box.delete([waiting.key])
    assert servers.dovecot.mails("bob") == []


@pytest.mark.req("IV-09")
@pytest.mark.parametrize(("protocol", "auth"), MAILBOXES)
def test_wrong_credentials_are_refused_by_each_login(servers: Servers, protocol: str, auth: str) -> None:
    box = opened(an_inbox(protocol, auth, port_of(servers, protocol)), credentials(auth, right=False))
    with pytest.raises(AuthenticationRefused), box:
        pass


@pytest.mark.parametrize("protocol", ["imap", "pop3"])
def test_kerberos_takes_the_key_of_the_process_without_a_password(
    servers: Servers, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, protocol: str
) -> None:
    monkeypatch.setenv("KRB5CCNAME", f"FILE:{tmp_path}/tickets")
    inbox = an_inbox(protocol, "gssapi", port_of(servers, protocol))
    box = opened(inbox, Credentials("bob"))
    with pytest.raises(Misconfigured, match="no Kerberos ticket"), box:
        pass
    monkeypatch.setenv("KRB5_CLIENT_KTNAME", f"FILE:{servers.kerberos.user_keytab}")
    with opened(inbox, Credentials("bob")) as box:
        assert list(box.waiting(lambda _: {}, 10).fresh) == []
    with opened(replace(inbox, auth="auto"), Credentials("bob")):
        pass


class Renewed:
    """Tokens of which the first has ended."""

    def __init__(self) -> None:
        self.given, self.tokens = 0, iter(("ended-token", TOKEN, "never"))
        self._current = next(self.tokens)

    def token(self) -> str:
        self.given += 1
        return self._current

    def rejected(self) -> None:
        self._current = next(self.tokens)


@pytest.mark.parametrize("protocol", ["imap", "pop3"])
def test_a_token_that_has_ended_is_renewed_once(servers: Servers, protocol: str) -> None:
    """Row 117: a session that broke because its token ended begins again with a new one."""
    source = Renewed()
    with opened(an_inbox(protocol, "xoauth2", port_of(servers, protocol)), Credentials("bob", tokens=source)):
        assert source.given == 2


def a_server(auth: str, port: int, **options: Any) -> MailServer:
    given = {"name": "out", "host": "localhost", "port": port, "tls": "starttls", "auth": auth}
    return MailServer(**(given | options))


@pytest.mark.req("VS-09", "TI-41")
@pytest.mark.parametrize("auth", SENDING)
def test_a_mail_is_sent_after_each_login(servers: Servers, auth: str) -> None:
    postfix = servers.postfix
    postfix.clear()
    access = ServerAccess(credentials(auth))
    sent = smtp.send(a_server(auth, postfix.port), MAIL, "bob@example.com", ["desk@example.com"], access=access)
    assert sent.accepted == ("desk@example.com",)
    assert postfix.mails(1)[0].endswith(b"\n\n.a line with a dot\n")


@pytest.mark.req("VS-09")
@pytest.mark.parametrize("auth", SENDING)
def test_wrong_credentials_send_nothing(servers: Servers, auth: str) -> None:
    access = ServerAccess(credentials(auth, right=False))
    with pytest.raises(AuthenticationRefused):
        smtp.send(a_server(auth, servers.postfix.port), MAIL, "bob@example.com", ["desk@example.com"], access=access)


# scripted servers: what no server at hand offers


@dataclass
class Dialogue:
    """How a protocol carries AUTH: its greeting, what it answers to other commands, and the lines of an exchange."""

    greeting: bytes
    answers: Callable[[bytes], bytes]
    challenge: bytes
    accepted: bytes
    refused: bytes


DIALOGUES = {
    "imap": Dialogue(b"* OK ready\r\n", lambda _: b"", b"+ %s\r\n", b"%s OK done\r\n", b"%s NO wrong\r\n"),
    "pop3": Dialogue(b"+OK ready\r\n", lambda _: b"", b"+ %s\r\n", b"+OK done\r\n", b"-ERR wrong\r\n"),
    "smtp": Dialogue(b"220 ready\r\n", lambda _: b"", b"334 %s\r\n", b"235 2.7.0 done\r\n", b"535 5.7.8 wrong\r\n"),
}


class LoginServer(ScriptedServer):
    """A server over TLS that runs one login and then answers nothing more. `accept` makes one side of an exchange.

    It is a function from the client's message to the challenge; None accepts, an exception refuses.
    """

    def __init__(
        self, protocol: str, method: str, accept: Callable[[], Callable[[bytes], bytes | None]], tls: Any
    ) -> None:
        super().__init__(self._talk_login)
        self._protocol, self._method, self._begin, self._tls = protocol, method.encode(), accept, tls
        self.logins: list[bool] = []

    def _talk_login(self, plain: socket.socket) -> None:
        with self._tls.wrap_socket(plain, server_side=True) as connection, connection.makefile("rb") as reader:
            self._talk_safely(connection, reader)

    def _talk_safely(self, connection: Any, reader: Any) -> None:
        dialogue = DIALOGUES[self._protocol]
        connection.sendall(dialogue.greeting)
        while line := reader.readline():
            tag, _, command = line.strip().partition(b" ") if self._protocol == "imap" else (b"", b"", line.strip())
            words = command.split()
            if words[0] in (b"AUTH", b"AUTHENTICATE"):
                connection.sendall(self._run(dialogue, connection, reader, words[2:], tag))
            else:
                connection.sendall(self._other(tag, words[0]))

    def _other(self, tag: bytes, command: bytes) -> bytes:
        if self._protocol == "imap":
            offer = b"* CAPABILITY IMAP4rev1 AUTH=%s\r\n" % self._method if command == b"CAPABILITY" else b""
            if command == b"SELECT":
                offer = b"* 0 EXISTS\r\n* OK [UIDVALIDITY 1] ok\r\n"
            return offer + tag + b" OK done\r\n"
        if self._protocol == "pop3":
            if command == b"CAPA":
                return b"+OK\r\nSASL %s\r\n.\r\n" % self._method
            return b"+OK\r\n.\r\n" if command == b"UIDL" else b"+OK\r\n"
        return b"250-hello\r\n250 AUTH %s\r\n" % self._method if command in (b"EHLO", b"ehlo") else b"250 ok\r\n"

    def _run(self, dialogue: Dialogue, connection: Any, reader: Any, initial: list[bytes], tag: bytes) -> bytes:
        step = self._begin()
        said = initial[0] if initial else self._ask(dialogue, connection, reader, b"")
        try:
            while (challenge := step(b"" if said == b"=" else base64.b64decode(said))) is not None:
                said = self._ask(dialogue, connection, reader, challenge)
        except Exception:
            self.logins.append(False)
            return dialogue.refused.replace(b"%s", tag)
        self.logins.append(True)
        return dialogue.accepted.replace(b"%s", tag)

    @staticmethod
    def _ask(dialogue: Dialogue, connection: Any, reader: Any, challenge: bytes) -> bytes:
        connection.sendall(dialogue.challenge % base64.b64encode(challenge))
        return bytes(reader.readline().strip())


def ntlm(users: Path) -> Callable[[], Callable[[bytes], bytes | None]]:
    """The server's side of NTLM, by pyspnego."""

    def begin() -> Callable[[bytes], bytes | None]:
        import spnego

        server = spnego.server(protocol="ntlm", options=spnego.NegotiateOptions.use_ntlm)

        def step(message: bytes) -> bytes | None:
            answer = server.step(message)
            return None if server.complete else answer or b""

        return step

    return begin


def scram_plus(certificate: Certificate) -> Callable[[], Callable[[bytes], bytes | None]]:
    """The server's side of SCRAM-SHA-256-PLUS, by scramp, bound to the server's certificate."""

    def begin() -> Callable[[bytes], bytes | None]:
        import ssl

        import scramp
        from scramp.core import CBindData

        mechanism = scramp.ScramMechanism("SCRAM-SHA-256-PLUS")
        der = ssl.PEM_cert_to_DER_cert(certificate.certificate.read_text())
        binding = (sasl.BINDING, bytes(CBindData.from_der(der)))
        server = mechanism.make_server(lambda _: mechanism.make_auth_info(PASSWORD), channel_binding=binding)
        steps = iter((server.set_client_first, server.set_client_final, None))

        def step(message: bytes) -> bytes | None:
            take = next(steps)
            if take is None:
                return None
            take(message.decode())
            first = take == server.set_client_first
            return (server.get_server_first() if first else server.get_server_final()).encode()

        return step

    return begin


@pytest.fixture
def scripted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, running: Servers
) -> Iterator[Callable[[str, str], LoginServer]]:
    import ssl

    certificate = running.dovecot.certificate
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.certificate))
    users = tmp_path / "users"
    users.write_text(f"DOMAIN:bob:{PASSWORD}\n")
    monkeypatch.setenv("NTLM_USER_FILE", str(users))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate.certificate, certificate.key)
    sides = {"ntlm": ntlm(users), "scram-sha-256-plus": scram_plus(certificate)}
    with ExitStack() as stack:
        yield lambda protocol, auth: stack.enter_context(LoginServer(protocol, auth.upper(), sides[auth], context))


@pytest.mark.req("IV-09", "VS-09")
@pytest.mark.parametrize(("protocol", "auth"), [case for case, against in CASES.items() if against == SCRIPTED])
def test_logins_that_only_a_scripted_server_offers(
    scripted: Callable[[str, str], LoginServer], protocol: str, auth: str
) -> None:
    server = scripted(protocol, auth)
    name = r"DOMAIN\bob" if auth == "ntlm" else "bob"
    results = []
    for password in (PASSWORD, "wrong"):
        who = Credentials(name, password)
        if protocol == "smtp":
            results.append(smtp.check(a_server(auth, server.port, tls="implicit"), access=ServerAccess(who)))
        else:
            results.append(opened(an_inbox(protocol, auth, server.port), who).check())
    assert [each.ok for each in results] == [True, False], results
    assert (server.logins, results[1].step) == ([True, False], Step.LOGIN)


@pytest.mark.req("IV-09")
def test_msn_is_ntlm(scripted: Callable[[str, str], LoginServer]) -> None:
    server = scripted("imap", "ntlm")
    assert opened(an_inbox("imap", "msn", server.port), Credentials(r"DOMAIN\bob", PASSWORD)).check().ok
    assert server.logins == [True]
