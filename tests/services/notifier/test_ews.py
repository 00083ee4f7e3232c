"""Sending by EWS, against a stub that answers in the documented shapes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from services.notifier import ews
from services.notifier.smtp import Deferred, MailRefused, ServerAccess, Uncertain
from shared.config.model import MailServer, OAuth
from shared.config.values import Secret
from shared.contracts.errors import Misconfigured
from shared.mail_network.connection import AuthenticationRefused, Step, Throttled
from shared.mail_network.sasl import Credentials
from tests.servers.exchange import PASSWORD, SUPPORT, ExchangeStub
from tests.servers.tls import Certificate
from tests.servers.web import StubTokens

RECIPIENTS = ["anna@example.net", "hidden@example.net"]
MAIL = (
    b"From: support@example.com\r\nTo: anna@example.net\r\nSubject: Call INC1\r\n"
    b"Message-ID: <a@support.example.com>\r\n\r\nGr\xc3\xbc\xc3\x9fe\r\n"
)


@pytest.fixture
def stub(certificate: Certificate, monkeypatch: pytest.MonkeyPatch) -> Iterator[ExchangeStub]:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.certificate))
    with ExchangeStub(certificate) as running:
        yield running


def a_server(stub: ExchangeStub, **options: Any) -> MailServer:
    """A mail server at the stub."""
    stated = {"name": "exchange", "protocol": "ews", "auth": "basic", "username": SUPPORT, "ews_url": stub.ews_url}
    return MailServer(**(stated | {"password": Secret("${EWS_PASSWORD}")} | options))


ACCESS = ServerAccess(Credentials(SUPPORT, PASSWORD))


@pytest.mark.req("NE-20")
def test_a_mail_is_sent_as_it_was_composed(stub: ExchangeStub) -> None:
    assert ews.send(a_server(stub), MAIL, SUPPORT, RECIPIENTS, access=ACCESS).accepted == tuple(RECIPIENTS)
    assert stub.support.sent == [b"Bcc: hidden@example.net\r\n" + MAIL]


@pytest.mark.req("NE-20", "TI-02")
def test_an_application_sends_with_a_token_and_renews_one_that_is_refused(stub: ExchangeStub) -> None:
    server = a_server(stub, auth="oauth", oauth=OAuth("app", Secret("${EWS_PASSWORD}"), "tenant"))
    tokens = StubTokens(stub)
    access = ServerAccess(Credentials(SUPPORT, None, tokens))
    ews.send(server, MAIL, SUPPORT, RECIPIENTS, access=access)
    stub.valid.clear()
    ews.send(server, MAIL, SUPPORT, RECIPIENTS, access=access)
    assert (len(stub.support.sent), len(tokens.given)) == (2, 2)


@pytest.mark.parametrize(
    ("code", "raised"),
    [
        ("ErrorInvalidRecipients", MailRefused),
        ("ErrorMimeContentInvalid", MailRefused),
        ("ErrorSendAsDenied", MailRefused),
        ("ErrorMessageSizeExceeded", MailRefused),
        ("ErrorQuotaExceeded", Deferred),
        ("ErrorAccessDenied", AuthenticationRefused),
        ("ErrorServerBusy", Throttled),
    ],
)
def test_each_answer_is_permanent_or_temporary(code: str, raised: type[Exception], stub: ExchangeStub) -> None:
    stub.refuse("CreateItem", code, times=9)
    with pytest.raises(raised, match=code):
        ews.send(a_server(stub), MAIL, SUPPORT, RECIPIENTS, access=ACCESS)
    assert stub.support.sent == []


def test_without_an_answer_the_status_is_unknown(stub: ExchangeStub) -> None:
    stub.gate = lambda request: b"CreateItem" in request.body and stub.fail("POST /EWS", drop=True)
    with pytest.raises(Uncertain):
        ews.send(a_server(stub), MAIL, SUPPORT, RECIPIENTS, access=ACCESS)


def test_a_wrong_password_is_a_refused_login(stub: ExchangeStub) -> None:
    with pytest.raises(AuthenticationRefused):
        ews.send(a_server(stub), MAIL, SUPPORT, RECIPIENTS, access=ServerAccess(Credentials(SUPPORT, "wrong")))


def test_without_a_login_a_mail_server_is_misconfigured(stub: ExchangeStub) -> None:
    with pytest.raises(Misconfigured, match="ews needs username and password"):
        ews.send(a_server(stub), MAIL, SUPPORT, RECIPIENTS)


@pytest.mark.req("NE-24", "IV-08")
def test_the_connection_test_sends_nothing(stub: ExchangeStub) -> None:
    assert ews.check(a_server(stub), access=ACCESS).ok
    stub.refuse("GetFolder", "ErrorAccessDenied", times=9)
    assert ews.check(a_server(stub), access=ACCESS).step == Step.INBOX
    assert stub.support.sent == []
