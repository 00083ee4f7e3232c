"""Sending by Graph, against a stub that answers in the documented shapes (no other can be had)."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

import pytest

from services.notifier import graph
from services.notifier.smtp import Deferred, MailRefused, ServerAccess, Uncertain
from shared.config.model import MailServer, OAuth
from shared.config.values import Secret
from shared.contracts.errors import Misconfigured, PostroomError, Unavailable
from shared.mail_network.connection import AuthenticationRefused, Step, Throttled
from shared.mail_network.sasl import Credentials
from tests.servers.microsoft import CLIENT, OTHER, SUPPORT, TENANT, MicrosoftStub, error, throttled
from tests.servers.presence import PATIENCE_SECONDS, closed_port
from tests.servers.tls import Certificate
from tests.servers.web import StubTokens

RECIPIENTS = ["anna@example.net", "bert@example.net", "hidden@example.net"]
SMALL = (
    b"From: Service Desk <support@example.com>\r\nTo: Anna <anna@example.net>\r\nCc: bert@example.net\r\n"
    b"Subject: Call INC1\r\nMessage-ID: <a-very-long-message-id-that-nobody-may-fold-0123456789012345678901234567890"
    b"123456789@support.example.com>\r\nIn-Reply-To: <first@example.net>\r\nReferences: <first@example.net>\r\n"
    b'Content-Type: text/plain; charset="utf-8"\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGr\xc3\xbc\xc3\x9fe\r\n'
)


@pytest.fixture
def stub(certificate: Certificate, monkeypatch: pytest.MonkeyPatch) -> Iterator[MicrosoftStub]:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.certificate))
    with MicrosoftStub(certificate) as running:
        yield running


def a_server(stub: MicrosoftStub, **options: Any) -> MailServer:
    """A mail server at the stub."""
    oauth = OAuth(CLIENT, Secret("${GRAPH_SECRET}"), TENANT, authority=stub.url, endpoint=stub.url)
    return MailServer(**({"name": "m365", "protocol": "graph", "oauth": oauth} | options))


def access(stub: MicrosoftStub) -> ServerAccess:
    """Tokens that the stub takes."""
    return ServerAccess(Credentials(SUPPORT, None, StubTokens(stub)))


def send(stub: MicrosoftStub, message: bytes = SMALL, **options: Any) -> Any:
    """Send one mail."""
    return graph.send(a_server(stub, **options), message, SUPPORT, RECIPIENTS, access=access(stub))


def with_attachments(*sizes: int) -> bytes:
    """A mail with attachments of these sizes."""
    mail = EmailMessage(policy=SMTP)
    mail["From"], mail["To"], mail["Subject"] = SUPPORT, "anna@example.net", "Files"
    mail["Message-ID"], mail["In-Reply-To"] = "<files@support.example.com>", "<first@example.net>"
    mail.set_content("See the files.\n")
    for number, size in enumerate(sizes):
        mail.add_attachment(os.urandom(size), maintype="application", subtype="pdf", filename=f"Ä {number}.pdf")
    return mail.as_bytes()


@pytest.mark.req("TI-41", "NE-20")
def test_a_mail_is_sent_as_it_was_composed(stub: MicrosoftStub) -> None:
    assert send(stub).accepted == tuple(RECIPIENTS)
    (sent,) = stub.support.sent
    assert sent == b"Bcc: hidden@example.net\r\n" + SMALL
    (request,) = stub.requests("POST")
    assert request.path == f"/v1.0/users/{SUPPORT}/sendMail"
    assert request.headers["content-type"] == "text/plain"


@pytest.mark.req("TI-02", "TI-41")
def test_the_mailbox_that_sends_may_be_named(stub: MicrosoftStub) -> None:
    stub.allowed.add(OTHER)
    send(stub, username=OTHER)
    assert (len(stub.accounts[OTHER].sent), len(stub.support.sent)) == (1, 0)


@pytest.mark.req("NE-20")
def test_a_large_mail_becomes_a_draft_with_uploads_and_keeps_its_header(stub: MicrosoftStub) -> None:
    message = with_attachments(1000, 9_000_001)
    send(stub, message)
    (sent,) = stub.support.sent
    mail = message_from_bytes(sent)
    assert (mail["Message-ID"], mail["In-Reply-To"]) == ("<files@support.example.com>", "<first@example.net>")
    assert mail["Bcc"] == "bert@example.net,\r\n hidden@example.net"
    draft = stub.support.uploads["sent"]
    whole = message_from_bytes(message)
    contents = [each.get_payload(decode=True) for each in whole.walk() if each.get_content_disposition()]
    assert [content for _, content in draft["attachments"]] == contents
    assert [about["name"] for about, _ in draft["attachments"]] == ["Ä 0.pdf", "Ä 1.pdf"]
    assert {about["contentType"] for about, _ in draft["attachments"]} == {"application/pdf"}
    assert len(stub.requests("PUT")) == 3
    assert stub.support.drafts == {}


@pytest.mark.parametrize(
    ("pattern", "status"), [("PUT", 500), ("POST .*/attachments", 400), ("POST .*/send", 400)], ids=str
)
def test_a_draft_that_could_not_be_sent_is_removed(pattern: str, status: int, stub: MicrosoftStub) -> None:
    stub.fail(pattern, status, error(status, "ErrorInternalServerError").body)
    with pytest.raises(PostroomError):
        send(stub, with_attachments(4_000_000))
    assert (stub.support.sent, stub.support.drafts) == ([], {})


def test_a_text_that_is_too_large_is_refused_permanently(stub: MicrosoftStub) -> None:
    with pytest.raises(MailRefused, match="the text alone has"):
        send(stub, SMALL + b"x" * 3_000_000)
    assert stub.support.sent == []


@pytest.mark.parametrize(
    ("status", "code", "raised", "words"),
    [
        (400, "ErrorInvalidRecipients", MailRefused, "ErrorInvalidRecipients"),
        (400, "ErrorMimeContentInvalid", MailRefused, "ErrorMimeContentInvalid"),
        (413, "RequestEntityTooLarge", MailRefused, "RequestEntityTooLarge"),
        (403, "ErrorSendAsDenied", MailRefused, "may not send as this sender"),
        (403, "ErrorAccessDenied", AuthenticationRefused, "may not use the mailbox"),
        (401, "InvalidAuthenticationToken", AuthenticationRefused, "refuses the access token"),
        (404, "ErrorInvalidUser", Misconfigured, "there is no mailbox"),
        (400, "ErrorExceededMessageLimit", Deferred, "ErrorExceededMessageLimit"),
        (400, "ErrorQuotaExceeded", Deferred, "ErrorQuotaExceeded"),
        (500, "ErrorInternalServerError", Unavailable, "status 500"),
        (502, "BadGateway", Uncertain, "status 502"),
        (504, "GatewayTimeout", Uncertain, "status 504"),
    ],
    ids=lambda value: str(value) if isinstance(value, int) else "",
)
def test_each_answer_is_permanent_temporary_or_unknown(
    status: int, code: str, raised: type[Exception], words: str, stub: MicrosoftStub
) -> None:
    stub.fail("POST", status, error(status, code).body, times=9)
    with pytest.raises(raised, match=words) as caught:
        send(stub)
    assert isinstance(caught.value, Uncertain) == (raised is Uncertain)


@pytest.mark.parametrize("status", [429, 503])
def test_a_limit_is_an_outage_of_the_server_and_not_of_the_mail(status: int, stub: MicrosoftStub) -> None:
    stub.fail("POST", status, throttled().body)
    with pytest.raises(Throttled, match="does not say how long to wait"):
        send(stub)


def test_without_an_answer_the_status_is_unknown(stub: MicrosoftStub) -> None:
    stub.fail("POST", drop=True)
    with pytest.raises(Uncertain):
        send(stub)


def test_without_an_answer_in_time_the_status_is_unknown(stub: MicrosoftStub) -> None:
    stop = threading.Event()
    stub.gate = lambda _: stop.wait(PATIENCE_SECONDS) and None
    try:
        with pytest.raises(Uncertain, match="no answer in time"):
            send(stub, timeout=timedelta(seconds=1))
    finally:
        stop.set()


def test_a_server_that_cannot_be_reached_got_nothing(stub: MicrosoftStub) -> None:
    with closed_port() as nobody, pytest.raises(Unavailable) as caught:
        send(stub, oauth=replace(a_server(stub).oauth, endpoint=f"https://localhost:{nobody}"))  # type: ignore[type-var]
    assert not isinstance(caught.value, Uncertain)


@pytest.mark.req("NE-24", "IV-08")
@pytest.mark.parametrize(
    ("status", "code", "step", "sentence"),
    [
        (0, "", Step.DONE, "The connection works."),
        (403, "ErrorAccessDenied", Step.INBOX, "access permission issue"),
        (401, "InvalidAuthenticationToken", Step.LOGIN, "The server refused the login."),
        (404, "ErrorInvalidUser", Step.INBOX, "there is no mailbox"),
        (429, "ApplicationThrottled", Step.CONNECT, "The server limits requests"),
    ],
)
def test_the_connection_test_asks_for_the_right_to_send_and_sends_nothing(
    status: int, code: str, step: Step, sentence: str, stub: MicrosoftStub
) -> None:
    if status:
        stub.fail("POST", status, error(status, code).body, times=9)
    result = graph.check(a_server(stub, from_address=SUPPORT), access=access(stub))
    assert (result.step, sentence in result.message) == (step, True), result.message
    assert stub.support.sent == []


def test_without_an_application_a_mail_server_is_misconfigured(stub: MicrosoftStub) -> None:
    with pytest.raises(Misconfigured, match="graph needs oauth"):
        graph.send(a_server(stub), SMALL, SUPPORT, RECIPIENTS)
