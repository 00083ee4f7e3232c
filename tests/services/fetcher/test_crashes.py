"""The fetching process is killed at each step and started again: nothing lost, and doubled only by content.

The process hands its mails to a file, one line a mail, written through to the disk. The test kills it (SIGKILL) at a
named step, lets a second process finish, and counts.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.servers.dovecot import PASSWORD, Dovecot
from tests.services.fetcher.conftest import a_mail

STEPS = (
    *("before hand-over", "after hand-over", "after ledger", "after archive"),
    *("second before hand-over", "second after hand-over", "second after ledger", "second after archive"),
)
MAILS = 25
_PROGRAM = Path(__file__).with_name("fetch_and_die.py")


Run = Callable[[Dovecot, Path, str, str], int]


@pytest.fixture(scope="module")
def run(dovecot_server: Dovecot) -> Iterator[Run]:
    """Fetches in a process of its own; how it ended."""
    environment = os.environ | {
        "PYTHONPATH": str(Path(__file__).parents[3]),
        "SSL_CERT_FILE": str(dovecot_server.certificate.certificate),
        "BOB_PASSWORD": PASSWORD,
    }
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, str(_PROGRAM)], env=environment, text=True, **pipes) as program:

        def run(dovecot: Dovecot, folder: Path, step: str, after: str) -> int:
            print(json.dumps([str(dovecot.port), str(folder), step, after]), file=program.stdin, flush=True)
            return int(program.stdout.readline())

        yield run
        program.communicate()


@pytest.mark.req("PR-15", "IV-04")
@pytest.mark.parametrize("after", ["archive", "delete", "mark_read"])
@pytest.mark.parametrize("step", STEPS)
def test_killed_at_any_step_nothing_is_lost_or_doubled(
    run: Run, dovecot: Dovecot, tmp_path: Path, step: str, after: str
) -> None:
    mails = [a_mail(number) for number in range(MAILS)]
    dovecot.deliver("bob", *mails)
    assert run(dovecot, tmp_path, step, after) == -signal.SIGKILL
    assert run(dovecot, tmp_path, "never", after) == 0
    handed_over = (tmp_path / "handed-over").read_text().split()
    assert set(handed_over) == {hashlib.sha256(mail).hexdigest() for mail in mails}
    repeated = len(handed_over) - MAILS
    assert repeated == (0 if "after hand-over" not in step else min(20, MAILS - 20 * ("second" in step)))
    assert dovecot.mails("bob", criteria="UNSEEN") == []
    assert sorted(dovecot.mails("bob", "Archive")) == (sorted(mails) if after == "archive" else [])
    assert len(dovecot.mails("bob")) == (MAILS if after == "mark_read" else 0)


@pytest.mark.req("PR-15", "IV-04")
def test_killed_again_and_again_every_mail_is_taken(run: Run, dovecot: Dovecot, tmp_path: Path) -> None:
    """The small form of `python -m bench.mailboxes large`."""
    mails = [a_mail(number) for number in range(10 * MAILS)]
    dovecot.deliver("bob", *mails)
    for step in STEPS:
        assert run(dovecot, tmp_path, step, "archive") == -signal.SIGKILL
    while dovecot.mails("bob"):
        assert run(dovecot, tmp_path, "never", "archive") == 0
    handed_over = (tmp_path / "handed-over").read_text().split()
    assert set(handed_over) == {hashlib.sha256(mail).hexdigest() for mail in mails}
    assert sorted(dovecot.mails("bob", "Archive")) == sorted(mails)
