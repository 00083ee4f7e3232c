"""Sending by the Gmail API, against a stub that answers in the documented shapes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from services.notifier import gmail
from services.notifier.smtp import MailRefused, ServerAccess, Uncertain
from shared.config.model import Google, MailServer
from shared.config.values import Secret
from shared.contracts.errors import Misconfigured, Unavailable
from shared.mail_network.connection import AuthenticationRefused, Step, Throttled
from shared.mail_network.sasl import Credentials
from tests.servers.google import SUPPORT, GoogleStub, error
from tests.servers.tls import Certificate
from tests.servers.web import StubTokens

RECIPIENTS = ["anna@example.net", "hidden@example.net"]
MAIL = (
    b"From: support@example.com\r\nTo: anna@example.net\r\nSubject: Call INC1\r\n"
    b"Message-ID: <a@support.example.com>\r\n\r\nGr\xc3\xbc\xc3\x9fe\r\n"
)


@pytest.fixture
def stub(certificate: Certificate, monkeypatch: pytest.MonkeyPatch) -> Iterator[GoogleStub]:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.certificate))
    with GoogleStub(certificate) as running:
        yield running


def a_server(stub: GoogleStub, **options: Any) -> MailServer:
    """A mail server at the stub."""
    google = Google("robot@project.iam.example", Secret("${GOOGLE_KEY}"), SUPPORT, endpoint=stub.url)
    return MailServer(**({"name": "workspace", "protocol": "gmail", "google": google} | options))


def access(stub: GoogleStub) -> ServerAccess:
    """Tokens that the stub takes."""
    return ServerAccess(Credentials(SUPPORT, None, StubTokens(stub)))


@pytest.mark.req("NE-01", "NE-20")
def test_a_mail_is_sent_as_it_was_composed(stub: GoogleStub) -> None:
    sent = gmail.send(a_server(stub), MAIL, SUPPORT, RECIPIENTS, access=access(stub))
    assert sent.accepted == tuple(RECIPIENTS)
    assert stub.support.sent == [b"Bcc: hidden@example.net\r\n" + MAIL]


@pytest.mark.parametrize(
    ("status", "reason", "raised"),
    [
        (400, "invalidArgument", MailRefused),
        (403, "forbidden", AuthenticationRefused),
        (401, "authError", AuthenticationRefused),
        (403, "userRateLimitExceeded", Throttled),
        (429, "rateLimitExceeded", Throttled),
        (500, "backendError", Unavailable),
        (502, "backendError", Uncertain),
    ],
)
def test_each_answer_is_permanent_temporary_or_unknown(
    status: int, reason: str, raised: type[Exception], stub: GoogleStub
) -> None:
    stub.fail("POST", status, error(status, reason).body, times=9)
    with pytest.raises(raised) as caught:
        gmail.send(a_server(stub), MAIL, SUPPORT, RECIPIENTS, access=access(stub))
    assert isinstance(caught.value, Uncertain) == (raised is Uncertain)


def test_without_an_answer_the_status_is_unknown(stub: GoogleStub) -> None:
    stub.fail("POST", drop=True)
    with pytest.raises(Uncertain):
        gmail.send(a_server(stub), MAIL, SUPPORT, RECIPIENTS, access=access(stub))


def test_a_mail_above_what_gmail_takes_is_refused_without_a_request(stub: GoogleStub) -> None:
    with pytest.raises(MailRefused, match="Gmail takes 36700160"):
        gmail.send(a_server(stub), MAIL + b"x" * gmail.MAX_BYTES, SUPPORT, RECIPIENTS, access=access(stub))
    assert stub.seen == []


def test_without_a_service_account_a_mail_server_is_misconfigured(stub: GoogleStub) -> None:
    with pytest.raises(Misconfigured, match="gmail needs google"):
        gmail.send(a_server(stub), MAIL, SUPPORT, RECIPIENTS)


@pytest.mark.req("NE-24", "IV-08")
def test_the_connection_test_sends_nothing(stub: GoogleStub) -> None:
    assert gmail.check(a_server(stub), access=access(stub)).ok
    stub.fail("GET", 403, error(403, "forbidden").body)
    assert gmail.check(a_server(stub), access=access(stub)).step == Step.INBOX
    assert stub.support.sent == []
