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
