"""Mail at Exchange, Gmail and Microsoft 365 through the whole desk: fetched, recorded, archived, and answered there."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest

from services import runner
from services.operator.inbox import inboxes, mail_servers
from shared.config.model import CommandPolicy, Configuration, Google, Inbox, MailServer, OAuth
from shared.config.values import Secret
from tests.desk import Desk
from tests.servers import exchange, microsoft
from tests.servers.exchange import ExchangeStub
from tests.servers.google import GoogleStub
from tests.servers.microsoft import MicrosoftStub
from tests.servers.tls import Certificate
from tests.servers.token_endpoint import TokenEndpoint

ADDRESS = "support@example.com"
ANSWERS = CommandPolicy(reply_on_create=True)


@dataclass(frozen=True)
class Provider:
    """A stub, how an inbox and a mail server reach it, and what its mailbox holds."""

    keys: dict[str, Any]
    deliver: Callable[..., object]
    archived: Callable[[], list[bytes]]
    sent: list[bytes]


class _At:
    """Starts the stubs of one test."""

    def __init__(self, stack: ExitStack, certificate: Certificate, folder: Path) -> None:
        self._stack, self._certificate, self._folder = stack, certificate, folder

    def exchange(self) -> Provider:
        """An Exchange server on the premises, with a password."""
        stub = self._stack.enter_context(ExchangeStub(self._certificate))
        password = self._file("password", exchange.PASSWORD)
        keys = {"protocol": "ews", "auth": "basic", "username": ADDRESS, "password": password, "ews_url": stub.ews_url}
        return Provider(keys, stub.deliver, lambda: stub.support.in_folder("Archive"), stub.support.sent)

    def gmail(self) -> Provider:
        """Google Workspace, with a service account whose tokens come from Google's endpoint."""
        stub = self._stack.enter_context(GoogleStub(self._certificate))
        tokens = self._stack.enter_context(TokenEndpoint(self._certificate))
        stub.valid.update({"token1", "token2"})
        command = ["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]
        pem = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        key = self._file("key.json", json.dumps({"private_key": pem, "token_uri": tokens.token_uri}))
        account = Google("postroom@project.iam.gserviceaccount.com", key, ADDRESS, endpoint=stub.url)
        keys = {"protocol": "gmail", "google": account}
        return Provider(keys, stub.deliver, lambda: stub.support.labelled("Archive"), stub.support.sent)

    def graph(self) -> Provider:
        """Microsoft 365, with an application."""
        stub = self._stack.enter_context(MicrosoftStub(self._certificate))
        application = OAuth(
            client_id=microsoft.CLIENT,
            client_secret=self._file("secret", microsoft.SECRET),
            tenant_id=microsoft.TENANT,
            authority=stub.url,
            endpoint=stub.url,
        )
        keys = {"protocol": "graph", "oauth": application}
        return Provider(keys, stub.deliver, lambda: stub.support.in_folder("Archive"), stub.support.sent)

    def _file(self, name: str, text: str) -> Secret:
        path = self._folder / name
        path.write_text(text)
        return Secret(f"file:{path}")


@pytest.fixture(params=["exchange", "gmail", "graph"])
def provider(
    request: pytest.FixtureRequest, certificate: Certificate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Provider]:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.certificate))
    with ExitStack() as stack:
        yield getattr(_At(stack, certificate, tmp_path), request.param)()


def configured(desk: Desk, provider: Provider) -> None:
    """A desk that reads and answers by this provider."""
    inbox = Inbox("support", ADDRESS, mail_server="out", commands=ANSWERS, **provider.keys)
    desk.configure(
        Configuration(inboxes=(inbox,), mail_servers=(MailServer("out", from_address=ADDRESS, **provider.keys),))
    )


def run_once(desk: Desk) -> None:
    """What `postroom up --once` does: fetch, process, send."""
    runner.run_all(desk.app, threading.Event(), once=True)


def a_mail(number: int, subject: str) -> bytes:
    return (
        f"From: Anna Becker <anna@customer.example>\r\nTo: {ADDRESS}\r\nSubject: {subject}\r\n"
        f"Message-ID: <printer-{number}@customer.example>\r\n\r\nIt is on fire ({number}).\r\n"
    ).encode()


@pytest.mark.req("TI-01", "NE-01", "NE-20", "IV-04", "VF-01")
def test_a_mail_becomes_a_record_is_archived_and_answered_by_the_same_api(desk: Desk, provider: Provider) -> None:
    configured(desk, provider)
    mails = [a_mail(1, "Printer"), a_mail(2, "Scanner")]
    provider.deliver(*mails)
    run_once(desk)
    records = desk.records("incident")
    assert [each["subject"] for each in records] == ["Printer", "Scanner"]
    assert sorted(provider.archived()) == mails
    answers = [message_from_bytes(each, policy=policy.default) for each in provider.sent]
    assert [(each["To"], each["From"]) for each in answers] == [("anna@customer.example", ADDRESS)] * 2
    assert [each["In-Reply-To"] for each in answers] == ["<printer-1@customer.example>", "<printer-2@customer.example>"]
    assert {each["state"] for each in desk.store.find("outbox", {})} == {"sent"}
    # the customer's answer to that answer belongs to the record
    reply = a_mail(3, f"Re: {answers[0]['Subject']}").replace(b"\r\n\r\n", b"\r\nIn-Reply-To: <x@y>\r\n\r\n", 1)
    provider.deliver(reply.replace(b"<x@y>", str(answers[0]["Message-ID"]).encode()))
    run_once(desk)
    assert len(desk.records("incident")) == 2
    assert len(desk.activities(records[0])) == 2
    assert desk.app.arrivals.count() == 3
    run_once(desk)
    assert (desk.app.arrivals.count(), len(provider.sent)) == (3, 2)


@pytest.mark.req("IV-08", "NE-24")
def test_reading_and_sending_are_tested_with_the_stored_configuration(desk: Desk, provider: Provider) -> None:
    configured(desk, provider)
    assert inboxes.check_connection(desk.app, "support").ok
    assert mail_servers.check_mail_server(desk.app, "out").ok
