"""From a mailbox on a real IMAP server to records, with the commands that an administrator types."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.builders import a_mail
from tests.servers.dovecot import PASSWORD, Dovecot

CONFIGURATION = """\
inboxes:
  - name: support
    address: support@example.com
    protocol: imap
    host: localhost
    port: {port}
    tls: none
    username: bob
    password: ${{MAILBOX_PASSWORD}}
    after: {after}
settings:
  allow_cleartext_auth: true
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Dovecot]:
    with Dovecot() as running:
        yield running


@pytest.fixture
def mailbox(server: Dovecot) -> Dovecot:
    server.clear("bob")
    return server


class Shell:
    """The command line in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {**os.environ, "POSTROOM_DATA": str(folder / "data"), "MAILBOX_PASSWORD": PASSWORD}

    def __call__(self, *words: str) -> str:
        command = [sys.executable, "-m", "services.cli.main", *words]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=120, check=True)
        return done.stdout

    def json(self, *words: str) -> list[dict[str, object]]:
        return [json.loads(line) for line in self(*words, "--json").splitlines()]


@pytest.mark.req("IV-01", "IV-03", "IV-04", "IV-30", "TI-08", "VF-01", "PR-16")
@pytest.mark.parametrize(("after", "left", "archived"), [("archive", 0, 4), ("delete", 0, 0), ("mark_read", 4, 0)])
def test_mail_is_taken_once_and_put_away_as_configured(
    mailbox: Dovecot, tmp_path: Path, after: str, left: int, archived: int
) -> None:
    shell = Shell(tmp_path)
    file = tmp_path / "postroom.yaml"
    file.write_text(CONFIGURATION.format(port=mailbox.port, after=after))
    broken = b"X-H: v\r\n" * 120_000 + b"\r\nbody"
    mailbox.deliver("bob", a_mail(subject="One"), broken, a_mail(subject="Two"), a_mail(sender="postmaster@mx.example"))
    shell("up", "--once", "--config", str(file))
    shell("up", "--once")
    assert sorted(mail["outcome"] for mail in shell.json("mails", "list")) == [
        "dead",
        "recorded",
        "recorded",
        "rejected",
    ]
    subjects = [str(record["subject"]) for record in shell.json("records", "list")]
    assert {"One", "Two"} <= set(subjects)
    assert len(subjects) == 3
    assert len(mailbox.mails("bob")) == left
    folders = mailbox.folders("bob")
    assert (len(mailbox.mails("bob", "Archive")) if "Archive" in str(folders) else 0) == archived
    shell("doctor")


BOTH = """\
settings: {{allow_cleartext_auth: true}}
inboxes:
  - {{name: support, address: support@example.com, protocol: imap, username: bob, {access}, port: {imap}}}
  - {{name: sales, address: sales@example.com, protocol: pop3, username: alice, {access}, port: {pop3}}}
  - {{name: old, address: old@example.com, protocol: pop3, username: carol, {access}, port: {pop3}, enabled: false}}
"""


@pytest.mark.req("VS-01", "IV-01", "IV-02", "VF-01")
def test_a_desk_reads_imap_and_pop3_side_by_side(server: Dovecot, tmp_path: Path) -> None:
    """Each mail becomes a record of its inbox, once, and leaves its mailbox; a disabled inbox keeps its mail."""
    for user, subject in (("bob", "By IMAP"), ("alice", "By POP3"), ("carol", "Left")):
        server.clear(user)
        server.deliver(user, a_mail(subject=subject, Message_ID=f"<{user}@customer.example>"))
    shell, file = Shell(tmp_path), tmp_path / "postroom.yaml"
    access = "host: localhost, tls: none, password: '${MAILBOX_PASSWORD}'"
    file.write_text(BOTH.format(imap=server.port, pop3=server.pop3_port, access=access))
    shell("up", "--once", "--config", str(file))
    shell("up", "--once")
    found = {(str(mail["inbox"]), str(mail["subject"]), mail["outcome"]) for mail in shell.json("mails", "list")}
    assert found == {("support", "By IMAP", "recorded"), ("sales", "By POP3", "recorded")}
    assert sorted(str(record["subject"]) for record in shell.json("records", "list")) == ["By IMAP", "By POP3"]
    assert [len(server.mails(user)) for user in ("bob", "alice", "carol")] == [0, 0, 1]
    states = {str(each["name"]): each["state"] for each in shell.json("inbox", "list")}
    assert states == {"support": "running", "sales": "running", "old": "disabled"}
