"""The fetching process is killed at each step and started again: nothing lost, and doubled only by content.

The process hands its mails to a file, one line a mail, written through to the disk. The test kills it (SIGKILL) at a
named step, lets a second process finish, and counts.
"""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers.dovecot import Dovecot
from tests.services.fetcher.conftest import a_mail

STEPS = (
    *("before hand-over", "after hand-over", "after ledger", "after archive"),
    *("second before hand-over", "second after hand-over", "second after ledger", "second after archive"),
)
MAILS = 25
_PROGRAM = Path(__file__).with_name("fetch_and_die.py")


def run(dovecot: Dovecot, folder: Path, step: str, after: str) -> int:
    command = [sys.executable, str(_PROGRAM), str(dovecot.port), str(folder), step, after]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    return subprocess.run(command, env=environment, timeout=60, check=False).returncode


@pytest.mark.req("PR-15", "IV-04")
@pytest.mark.parametrize("after", ["archive", "delete", "mark_read"])
@pytest.mark.parametrize("step", STEPS)
def test_killed_at_any_step_nothing_is_lost_or_doubled(dovecot: Dovecot, tmp_path: Path, step: str, after: str) -> None:
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
def test_killed_again_and_again_every_mail_is_taken(dovecot: Dovecot, tmp_path: Path) -> None:
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
