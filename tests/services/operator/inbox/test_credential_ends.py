"""Administrators are warned before a secret or certificate ends, and told when it has."""

from __future__ import annotations

import subprocess
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.operator.health.doctor import findings
from services.operator.inbox.credential_ends import CredentialEnd, credential_end
from services.operator.inbox.inboxes import inbox_views
from shared.config.model import OAuth
from shared.config.values import Secret
from tests.builders import a_configuration, an_inbox
from tests.desk import Desk
from tests.servers.tls import Authority

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
MAILBOX: dict[str, Any] = {"protocol": "imap", "host": "mail.example", "auth": "xoauth2"}


def with_secret(day: str) -> OAuth:
    return OAuth("app", "tenant", client_secret=Secret("${APP_SECRET}"), client_secret_ends=day)


@pytest.mark.parametrize(
    ("days", "said"),
    [
        (15, None),
        (14, "the client secret of box ends on 2026-12-04: renew it"),
        (0, "the client secret of box ends on 2026-11-20: renew it"),
        (-1, "the client secret of box ended on 2026-11-19: its logins are refused"),
    ],
)
def test_the_warning_begins_two_weeks_before(days: int, said: str | None) -> None:
    assert CredentialEnd("box", "client secret", NOW.date() + timedelta(days)).warning(NOW) == said


@pytest.mark.req("TI-02")
def test_doctor_and_list_say_when_a_secret_ends(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP_SECRET", "s3cret")
    today = desk.app.clock.now().date()
    boxes = [
        an_inbox(name, **MAILBOX, oauth=with_secret((today + timedelta(days)).isoformat()))
        for name, days in (("later", 100), ("soon", 3), ("over", -3))
    ]
    desk.configure(a_configuration(*boxes))
    found = [(each.status, each.what) for each in findings(desk.app) if "client secret of" in each.what]
    assert [(status, what.split(" of ")[1].split(" on ")[0]) for status, what in found] == [
        ("note", "soon ends"),
        ("problem", "over ended"),
    ]
    listed = {view.inbox.name: view.as_json()["credential_ends"] for view in inbox_views(desk.app)}
    assert listed["later"] == (today + timedelta(100)).isoformat()


def test_a_certificate_says_its_end_itself(tmp_path: Path) -> None:
    key, certificate, both = tmp_path / "a.key", tmp_path / "a.pem", tmp_path / "both.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=app"]
    subprocess.run([*command, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    both.write_text(key.read_text() + certificate.read_text())
    inbox = an_inbox("box", **MAILBOX, oauth=OAuth("app", "tenant", client_certificate=Secret(f"file:{both}")))
    found = credential_end(inbox)
    assert found is not None
    assert timedelta(28) < found.day - date.today() < timedelta(32)


@pytest.mark.req("TI-05")
def test_doctor_and_list_say_when_a_client_certificate_ends(desk: Desk, tmp_path: Path) -> None:
    authority, today = Authority(tmp_path), (desk.app.clock.now() - datetime.now(UTC)).days
    boxes = [
        an_inbox(name, protocol="imap", host="h", auth="none", client_certificate=Secret(f"file:{made.together}"))
        for name, made in (
            ("soon", authority.issue("soon", days=today + 3)),
            ("over", authority.issue("over", days=today - 3)),
        )
    ]
    desk.configure(a_configuration(*boxes))
    found = [(each.status, each.what) for each in findings(desk.app) if "client certificate of" in each.what]
    assert [(status, what.split(" on ")[0]) for status, what in found] == [
        ("note", "the client certificate of soon ends"),
        ("problem", "the client certificate of over ended"),
    ]
    listed = {view.inbox.name: view.as_json()["credential_ends"] for view in inbox_views(desk.app)}
    assert listed["soon"] > listed["over"]


def test_without_a_stated_end_nothing_is_known() -> None:
    assert credential_end(an_inbox("box")) is None
    oauth = OAuth("app", "tenant", client_certificate=Secret("file:/nowhere/app.pem"))
    assert credential_end(an_inbox("box", **MAILBOX, oauth=oauth)) is None
