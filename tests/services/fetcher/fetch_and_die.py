"""Fetches in processes of their own, each of which kills itself at a named step. Run by `test_crashes`.

Reads lines of JSON, the arguments of `main`; forks a child for each and answers with how it ended (negative: the
signal). The modules are imported once.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from services.fetcher import visit
from services.fetcher.imap import ImapMailbox
from services.fetcher.ledger import Ledger
from services.fetcher.source import FetcherSource, Wiring
from services.fetcher.visit import FetchedMail
from shared.config.model import Settings
from shared.embedded.documents import EmbeddedDocuments
from tests.services.fetcher.conftest import an_inbox


class Fate:
    """Counts the steps and ends the process at the chosen one."""

    def __init__(self, step: str) -> None:
        self.step, self.seen = step, 0

    def at(self, step: str) -> None:
        """A step was reached."""
        if not self.step.endswith(step):
            return
        self.seen += 1
        if self.seen == 1 + self.step.startswith("second "):
            os.kill(os.getpid(), signal.SIGKILL)

    def after(self, owner: type, method: str, step: str) -> None:
        """Make the end of a method a step."""
        original: Callable[..., Any] = getattr(owner, method)

        def watched(*args: Any, **options: Any) -> Any:
            result = original(*args, **options)
            self.at(step)
            return result

        setattr(owner, method, watched)


def main(port: str, folder: str, step: str, after: str) -> None:
    fate, path = Fate(step), Path(folder)
    visit.PUT_AWAY_MAILS = visit.BATCH_MAILS  # each batch has all steps

    def hand_over(arrivals: Sequence[FetchedMail]) -> None:
        fate.at("before hand-over")
        with (path / "handed-over").open("a") as out:
            out.writelines(hashlib.sha256(each.raw).hexdigest() + "\n" for each in arrivals)
            out.flush()
            os.fsync(out.fileno())
        fate.at("after hand-over")

    fate.after(Ledger, "taken", "after ledger")
    for method in ("archive", "delete", "mark_read"):
        fate.after(ImapMailbox, method, "after archive")
    inbox = an_inbox(int(port), after=after)
    source = FetcherSource(EmbeddedDocuments(path), Wiring(hand_over, lambda: [inbox], Settings))
    failures = [failure for polled in source.once() for failure in polled.failures]
    assert not failures, failures


def serve() -> None:
    for line in sys.stdin:
        pid = os.fork() or child(*json.loads(line))
        _, status = os.waitpid(pid, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def child(*arguments: str) -> NoReturn:
    try:
        main(*arguments)
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


if __name__ == "__main__":
    serve()
