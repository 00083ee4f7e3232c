"""Own authorities and client certificates (TI-05): a real Dovecot and a real Postfix that require them, and stubs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from services.fetcher.mailbox import InboxAccess, mailbox_class
from services.notifier import graph, smtp
from services.notifier.smtp import ServerAccess
from shared.config.model import Google, Inbox, MailServer, OAuth
from shared.config.values import Secret
from shared.contracts.errors import Unavailable
from shared.mail_network import ews_discovery
from shared.mail_network.connection import Step, TlsFailed
from shared.mail_network.connection_test import TestResult
from shared.mail_network.sasl import Credentials
from shared.mail_network.tokens import Tokens, TokenSource
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.exchange import PASSWORD as EXCHANGE_PASSWORD
from tests.servers.exchange import ExchangeStub
from tests.servers.microsoft import CLIENT, SECRET, SUPPORT, TENANT, MicrosoftStub
from tests.servers.postfix import Postfix
from tests.servers.presence import free_port
from tests.servers.proxy import Proxy
from tests.servers.smtp import SmtpServer
from tests.servers.tls import Authority, Certificate
from tests.servers.web import StubTokens

MAIL = b"From: jane@example.com\r\nSubject: one\r\n\r\nbody\r\n"
WHO = Credentials("bob", PASSWORD)
ACCESS = ServerAccess(WHO)
AUTH_SERVICE = """
auth_realms = localhost
auth_default_realm = localhost
service auth {{
  inet_listener {{
    address = 127.0.0.1
    port = {port}
  }}
}}
"""
REQUIRE = """\
smtpd_tls_CAfile = {clients}
smtpd_tls_security_level = encrypt
smtpd_tls_req_ccert = yes
"""


@dataclass
class Servers:
    """Dovecot and Postfix with a certificate of `authority`, which require one of it; a `plain` Dovecot."""

    authority: Authority
    client: Certificate
    dovecot: Dovecot
    plain: Dovecot
    postfix: Postfix

    @property
    def identified(self) -> dict[str, Any]:
        return {
            "ca_file": str(self.authority.certificate),
            "client_certificate": Secret(f"file:{self.client.together}"),
        }


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    folder, auth_port = tmp_path_factory.mktemp("authority"), free_port()
    for parent in (folder, *list(folder.parents)[:2]):
        parent.chmod(0o755)
    authority = Authority(folder)
    client, server = authority.issue("desk"), authority.for_server()
    with ExitStack() as stack:
        extra = AUTH_SERVICE.format(port=auth_port)
        dovecot = stack.enter_context(Dovecot(extra=extra, certificate=server, identity=client))
        postfix = stack.enter_context(Postfix(dovecot, auth_port, REQUIRE.format(clients=authority.certificate)))
        yield Servers(authority, client, dovecot, stack.enter_context(Dovecot()), postfix)


def an_inbox(servers: Servers, protocol: str, **options: Any) -> Inbox:
    port = servers.dovecot.tls_port if protocol == "imap" else servers.dovecot.pop3_tls_port
    given = {"name": "i", "address": "bob@example.com", "host": "localhost", "after": "delete", "port": port}
    return Inbox(protocol=protocol, tls="implicit", **(given | options))  # type: ignore[arg-type]


def a_server(servers: Servers, **options: Any) -> MailServer:
    port = servers.postfix.port
    return MailServer("out", host="localhost", port=port, tls="starttls", username="bob", auth="plain", **options)


def checked(inbox: Inbox) -> TestResult:
    return mailbox_class(inbox.protocol)(InboxAccess(inbox, WHO)).check()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def stranger(tmp_path: Path) -> Secret:
    """A certificate of an authority that the servers do not know."""
    return Secret(f"file:{Authority(tmp_path, 'Other CA').issue('stranger').together}")


# Dovecot and Postfix


@pytest.mark.req("TI-05", "IV-01")
@pytest.mark.parametrize("protocol", ["imap", "pop3"])
def test_a_mailbox_that_requires_a_certificate_is_read(servers: Servers, protocol: str) -> None:
    servers.dovecot.deliver("bob", MAIL)
    inbox = an_inbox(servers, protocol, **servers.identified)
    with mailbox_class(protocol)(InboxAccess(inbox, WHO)) as box:
        (waiting,) = box.waiting(lambda _: {}, 10).fresh
        assert box.fetch(waiting.key, waiting.size) == MAIL
        box.delete([waiting.key])
    assert checked(inbox).ok


@pytest.mark.req("TI-05", "IV-08")
@pytest.mark.parametrize("protocol", ["imap", "pop3"])
def test_each_fault_of_a_mailbox_certificate_is_named_and_counts_as_no_refused_login(
    servers: Servers, protocol: str, stranger: Secret
) -> None:
    own = {"ca_file": str(servers.authority.certificate)}
    for options, said in (
        ({}, "self-signed certificate in certificate chain; if the server is yours, name its authority in ca_file"),
        (own, "no login without a client certificate that it knows"),
        (own | {"client_certificate": stranger}, "no login without a client certificate that it knows"),
    ):
        result = checked(an_inbox(servers, protocol, **options))
        assert (result.step, said in result.message) == (Step.TLS, True), result


@pytest.mark.req("TI-05", "NE-20")
def test_a_mail_is_sent_through_a_server_that_requires_a_certificate(servers: Servers) -> None:
    servers.postfix.clear()
    server = a_server(servers, **servers.identified)
    assert smtp.check(server, access=ACCESS).ok
    smtp.send(server, MAIL, "bob@example.com", ["bob@example.com"], access=ACCESS)
    (arrived,) = servers.postfix.mails(1)
    assert b"Subject: one" in arrived


@pytest.mark.req("TI-05", "NE-24")
def test_each_fault_of_a_sending_certificate_is_named(servers: Servers, stranger: Secret) -> None:
    own = {"ca_file": str(servers.authority.certificate)}
    for options, said in (
        ({}, "self-signed certificate in certificate chain; if the server is yours, name its authority in ca_file"),
        (own, "No client certificate presented"),
        (own | {"client_certificate": stranger}, "Client certificate not trusted"),
    ):
        result = smtp.check(a_server(servers, **options), access=ACCESS)
        assert (result.step, said in result.message) == (Step.TLS, True), result
        with pytest.raises(TlsFailed, match=said):
            smtp.send(a_server(servers, **options), MAIL, "bob@example.com", ["bob@example.com"], access=ACCESS)


@pytest.mark.req("TI-05")
def test_the_host_name_is_checked_whoever_signed_it(
    servers: Servers, authority: Authority, tcp_proxy: Callable[..., Proxy]
) -> None:
    other = authority.issue("other.example").server_context()
    proxy = tcp_proxy("127.0.0.1", servers.plain.port, other)
    options = {"ca_file": str(authority.certificate), "port": proxy.port}
    result = checked(an_inbox(servers, "imap", **options))
    assert result.step is Step.TLS
    assert "certificate is not valid for 'localhost'" in result.message


# a server that requires the certificate in the handshake


@pytest.mark.req("TI-05")
@pytest.mark.parametrize("protocol", ["imap", "pop3"])
def test_a_refusal_in_the_handshake_is_named(
    servers: Servers, authority: Authority, tcp_proxy: Callable[..., Proxy], protocol: str, stranger: Secret
) -> None:
    """With TLS 1.3 the refusal arrives with the first answer, after the handshake."""
    dovecot = servers.plain
    port = dovecot.port if protocol == "imap" else dovecot.pop3_port
    proxy = tcp_proxy("127.0.0.1", port, authority.for_server().server_context())
    inbox = Inbox(
        *("i", "bob@example.com"), protocol=protocol, host="localhost", port=proxy.port, tls="implicit", after="delete",
        ca_file=str(authority.certificate),
    )  # fmt: skip
    identified = replace(inbox, client_certificate=Secret(f"file:{authority.issue('desk').together}"))
    assert checked(identified).ok
    assert "requires a client certificate" in checked(inbox).message
    assert "refuses the client certificate (unknown ca)" in checked(replace(inbox, client_certificate=stranger)).message


# mailboxes on the web and token endpoints


class NoRefreshTokens:
    """No person has signed in."""

    def get(self, first: str) -> str:
        return first

    def put(self, first: str, newest: str) -> None:
        raise AssertionError


def tokens_of(inbox: Inbox) -> TokenSource:
    found = Tokens(NoRefreshTokens()).of(inbox)
    assert found is not None
    return found


def with_token(inbox: Inbox) -> Credentials:
    return Credentials(inbox.address, None, tokens_of(inbox))


@pytest.mark.req("TI-05", "TI-02")
def test_graph_and_its_token_endpoint_get_the_certificate(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRAPH_SECRET", SECRET)
    with MicrosoftStub(authority.for_server()) as stub:
        oauth = OAuth(CLIENT, TENANT, Secret("${GRAPH_SECRET}"), authority=stub.url, endpoint=stub.url)
        inbox = Inbox("i", SUPPORT, protocol="graph", oauth=oauth, ca_file=str(authority.certificate))
        identified = replace(inbox, client_certificate=Secret(f"file:{authority.issue('desk').together}"))
        assert mailbox_class("graph")(InboxAccess(identified, with_token(identified))).check().ok
        with pytest.raises(TlsFailed, match="requires a client certificate"):
            tokens_of(inbox).token()
        result = mailbox_class("graph")(InboxAccess(inbox, with_token(identified))).check()
        assert "requires a client certificate" in result.message


@pytest.mark.req("TI-05")
def test_an_outgoing_mail_that_was_refused_in_the_handshake_was_not_sent(authority: Authority) -> None:
    """A lost answer would leave the delivery status unknown, and the mail would be sent twice."""
    with MicrosoftStub(authority.for_server()) as stub:
        oauth = OAuth(CLIENT, TENANT, Secret("${X}"), authority=stub.url, endpoint=stub.url)
        server = MailServer(
            "out", protocol="graph", from_address=SUPPORT, oauth=oauth, ca_file=str(authority.certificate)
        )
        access = ServerAccess(Credentials(SUPPORT, None, StubTokens(stub)))
        with pytest.raises(TlsFailed, match="requires a client certificate"):
            graph.send(server, MAIL, SUPPORT, ["a@example.net"], access=access)


@pytest.mark.req("TI-05")
def test_exchange_gets_the_certificate_for_discovery_and_mail(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ExchangeStub(authority.for_server()) as stub:
        monkeypatch.setattr(ews_discovery, "ADDRESSES", (f"{stub.url}/autodiscover/autodiscover.xml",))
        inbox = Inbox(
            *("i", SUPPORT), protocol="ews", auth="basic", username=SUPPORT,
            ca_file=str(authority.certificate),
        )  # fmt: skip
        identified = replace(inbox, client_certificate=Secret(f"file:{authority.issue('desk').together}"))
        who = Credentials(SUPPORT, EXCHANGE_PASSWORD)
        assert mailbox_class("ews")(InboxAccess(identified, who)).check().ok
        result = mailbox_class("ews")(InboxAccess(inbox, who)).check()
        assert "requires a client certificate" in result.detail


# files that cannot be used


class OneToken:
    """A token without a request for it."""

    def token(self) -> str:
        return "token"

    def rejected(self) -> None:
        pass


@pytest.mark.req("TI-05", "IV-08")
@pytest.mark.parametrize("protocol", ["imap", "pop3", "graph", "ews", "gmail"])
def test_a_missing_file_of_authorities_is_a_failure_of_tls_in_every_protocol(
    protocol: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is sent: no server is asked."""
    oauth = OAuth(CLIENT, TENANT, Secret("${X}"), endpoint="https://localhost:1")
    google = Google("robot@project.example", Secret("${X}"), endpoint="https://localhost:1")
    inbox = Inbox(
        *("i", SUPPORT), protocol=protocol, host="localhost", port=1, after="delete",
        oauth=oauth if protocol == "graph" else None, google=google if protocol == "gmail" else None,
        auth="basic" if protocol == "ews" else "auto", ews_url="https://localhost:1/EWS/Exchange.asmx",
        ca_file=str(tmp_path / "gone.pem"),
    )  # fmt: skip
    result = mailbox_class(protocol)(InboxAccess(inbox, Credentials(SUPPORT, "x", OneToken()))).check()
    assert (result.ok, result.step) == (False, Step.TLS)
    assert "gone.pem cannot be read: No such file" in result.message


@pytest.mark.req("TI-05")
def test_a_mail_waits_while_the_certificate_of_its_server_has_ended(authority: Authority) -> None:
    ended = Secret(f"file:{authority.issue('ended', days=-2).together}")
    with SmtpServer(tls="starttls", certificate=authority.issue("localhost")) as running:
        server = MailServer(
            *("out", "smtp", "localhost", running.port, "starttls"),
            ca_file=str(authority.certificate),
            client_certificate=ended,
        )
        with pytest.raises(Unavailable, match="client_certificate ended on"):
            smtp.send(server, MAIL, "a@example.com", ["b@example.com"])
        assert running.received == []
