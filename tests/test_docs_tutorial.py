"""The tutorial: its commands, one after the other, against a real IMAP server; they print what the page says.

`./postroom` is this checkout on a folder of its own; host and user of the page stand for those of the test's server.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.dovecot import PASSWORD, Dovecot

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/tutorial.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^\$ (.+)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)
ID = re.compile(r"\b[0-9a-f]{12}\b|\b[0-9a-f]{32}\b")
TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
SECONDS = 120.0


class Reader:
    """Does what the page says, in a folder of its own."""

    def __init__(self, folder: Path, dovecot: Dovecot) -> None:
        self.folder, self.dovecot = folder, dovecot
        self.ids: dict[str, str] = {}
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("POSTROOM_")},
            "PYTHONPATH": str(ROOT),
            "SSL_CERT_FILE": str(dovecot.certificate.certificate),
        }

    def do_yaml(self, text: str) -> None:
        """Write the configuration; the server of the test listens elsewhere."""
        text = text.replace("host: imap.example.com", f"host: localhost\n    port: {self.dovecot.tls_port}")
        text = text.replace("username: support@example.com", "username: bob@example.com")
        (self.folder / "postroom.yaml").write_text(text)

    def do_eml(self, text: str) -> None:
        """Send the mail."""
        self.dovecot.deliver("bob", text.replace("\n", "\r\n").encode())

    def do_sh(self, text: str) -> None:
        """What a test cannot do: clone, and run until Ctrl-C."""
        assert text in {"git clone ADDRESS-OF-THIS-REPOSITORY postroom\ncd postroom\n", "./postroom up\n"}

    def do_console(self, text: str) -> None:
        """Run each command and compare what it prints."""
        for command, expected in COMMAND.findall(text):
            if command.startswith("export "):
                self.environment[command.split()[1].partition("=")[0]] = PASSWORD
            else:
                self._run(command, expected)

    def _run(self, command: str, expected: str) -> None:
        for shown, real in self.ids.items():
            command = command.replace(shown, real)
        program, *words = command.split()
        assert program == "./postroom"
        done = subprocess.run(
            [sys.executable, "-m", "services.cli.main", *words],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        printed = done.stdout.replace("imap:localhost:bob@", "imap:imap.example.com:support@")
        assert (done.returncode, done.stderr) == (0, ""), command
        assert masked(printed) == masked(expected), f"{command} printed:\n{printed}"
        self.ids |= {
            shown[:12]: real[:12] for shown, real in zip(ID.findall(expected), ID.findall(printed), strict=True)
        }


def masked(text: str) -> list[str]:
    """Lines without what differs at each run: ids, times, the generation of a folder, the width of columns."""
    text = TIME.sub("TIME", ID.sub("ID", text))
    text = re.sub(r"INBOX:\d+:", "INBOX:N:", text)
    text = re.sub(r"swept \d+ s ago", "swept N s ago", text)
    return [" ".join(line.split()) for line in text.splitlines()]


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    with Dovecot() as server:
        yield server


@pytest.mark.req("IV-01")
def test_the_tutorial_leads_to_a_record(dovecot: Dovecot, tmp_path: Path) -> None:
    reader = Reader(tmp_path, dovecot)
    for kind, text in BLOCK.findall(PAGE.read_text("utf-8")):
        getattr(reader, f"do_{kind}")(text)
    assert len(dovecot.mails("bob", "Archive")) == 3
    assert dovecot.mails("bob") == []
