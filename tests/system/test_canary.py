"""Canaries through real servers: Postfix takes the probes, Dovecot has the mailboxes, a running desk counts them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest

from services import runner
from services.figures.gauges import samples
from services.operator.health.conservation import check
from services.operator.health.doctor import findings
from services.queues import QUEUES
from shared.app import App, Location
from shared.config.model import Canary, Inbox, MailServer, Settings
from shared.config.values import Secret
from shared.store import configuration as configuration_store
from shared.store.mails import MailQuery
from tests.builders import a_configuration
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.postfix import Postfix
from tests.servers.presence import PATIENCE_SECONDS, free_port

pytestmark = pytest.mark.req("PR-14")

INTO_MAILBOXES: Final = """\
virtual_mailbox_base = {home}/mail
virtual_mailbox_maps = inline:{{ {{support@example.com=bob/}}, {{sales@example.com=alice/}} }}
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
smtpd_sasl_auth_enable = no
smtpd_relay_restrictions = reject_unauth_destination
smtpd_recipient_restrictions = reject_unauth_destination
"""


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    with Dovecot() as running:
        yield running


@pytest.fixture(scope="module")
def postfix(dovecot: Dovecot) -> Iterator[Postfix]:
    with Postfix(dovecot, free_port(), INTO_MAILBOXES.format(home=dovecot.home)) as running:
        yield running


def an_inbox(dovecot: Dovecot, name: str, user: str) -> Inbox:
    return Inbox(
        name,
        f"{name}@example.com",
        protocol="imap",
        host="localhost",
        port=dovecot.port,
        tls="none",
        username=user,
        password=Secret("${MAILBOX_PASSWORD}"),
        poll_interval=timedelta(seconds=1),
        canary=Canary(timedelta(minutes=15)),
    )


@contextmanager
def at_work(app: App) -> Iterator[None]:
    """The whole desk, as `postroom up` runs it."""
    stop = threading.Event()
    working = threading.Thread(target=runner.run_all, args=(app, stop))
    working.start()
    try:
        yield
    finally:
        stop.set()
        working.join(PATIENCE_SECONDS)


def successes(app: App) -> dict[str, float]:
    """Inbox → the gauge of its canary."""
    found = ((figure.short, labels, value) for figure, labels, value in samples(app))
    return {labels[0]: value for short, labels, value in found if short == "canary_last_success_timestamp_seconds"}


def wait_for(holds: Callable[[], bool], what: Callable[[], object]) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < until, what()
        time.sleep(0.1)


def test_a_probe_goes_through_mail_server_and_mailbox_and_moves_the_gauge(
    dovecot: Dovecot, postfix: Postfix, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAILBOX_PASSWORD", PASSWORD)
    monkeypatch.setenv("ANOTHER_PASSWORD", "wrong")
    support = an_inbox(dovecot, "support", "bob")
    sales = replace(an_inbox(dovecot, "sales", "alice"), password=Secret("${ANOTHER_PASSWORD}"))
    server = MailServer("out", host="localhost", port=postfix.port, tls="none", auth="none")
    settings = Settings(allow_cleartext_auth=True)
    app = App.open(Location(tmp_path / "data"), QUEUES)
    try:
        configuration = a_configuration(support, sales, mail_servers=(server,), settings=settings)
        configuration_store.apply(app.documents, configuration, prune=True)
        app.directory.renew()
        began = time.time()
        with at_work(app):
            wait_for(lambda: successes(app).keys() == {"support"}, lambda: (postfix.log, findings(app)))
            wait_for(lambda: len(dovecot.mails("alice")) == 1, lambda: postfix.log)
            wait_for(lambda: len(dovecot.mails("bob", "Archive")) == 1, lambda: dovecot.mails("bob"))
        assert began <= successes(app)["support"] <= time.time()
        (mail,) = app.mails.recent(MailQuery(), 0)
        assert (mail.inbox, mail.outcome, mail.rule) == ("support", "rejected", "canary")
        assert list(app.documents.find("records", {})) == []
        assert {each.state for each in app.outbox.recent(None, 0)} == {"sent"}
        assert dovecot.mails("bob") == []
        assert check(app).problems == ()
        said = [each.what for each in findings(app) if each.check == "canaries"]
        assert "a probe came back" in said[0]
        assert "no probe has come back yet; the latest one was sent" in said[1]
    finally:
        app.close()
