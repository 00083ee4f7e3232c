"""The parser process as a fork of a process that has imported it: stands for `subprocess` in `services.parser.process`.

Starting Python and importing the parser takes a third of a second of processor time, more than the rest of a child's
work. What a fresh process does is shown by `tests/services/parser/test_guarded.py` and `tests/system/test_one_mail.py`.
"""

from __future__ import annotations

import gc
import os
import signal
import time
from collections.abc import Sequence
from subprocess import PIPE, TimeoutExpired
from typing import IO, Final, NoReturn

import services.parser.process
from services.parser import child

__all__ = ["PIPE", "Popen", "TimeoutExpired", "use"]

FIRST_OTHER: Final = 3
"""Descriptors from here on are not input, output and error output."""
REST_SECONDS: Final = 0.002


def use() -> None:
    """Fork the parser processes of this process."""
    services.parser.process.subprocess = __import__(__name__, fromlist=["use"])  # type: ignore[attr-defined]


class Popen:
    """As much of `subprocess.Popen` as the parent of the parser process uses."""

    def __init__(self, args: Sequence[str], *, stderr: IO[bytes], **_: object) -> None:
        self.returncode: int | None = None
        asked, to = os.pipe()
        answers_from, answers = os.pipe()
        parent = os.getpid()
        self.pid = os.fork()
        if not self.pid:
            _work(asked, answers, stderr.fileno(), parent)
        os.close(asked)
        os.close(answers)
        self.args = args
        self.stdin, self.stdout = open(to, "wb", buffering=0), open(answers_from, "rb", buffering=0)  # noqa: PTH123, SIM115

    def poll(self) -> int | None:
        """How it ended, None while it runs."""
        if self.returncode is None:
            done, status = os.waitpid(self.pid, os.WNOHANG)
            self.returncode = os.waitstatus_to_exitcode(status) if done else None
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended. Raises `TimeoutExpired` after `timeout` seconds."""
        began = time.monotonic()
        while (code := self.poll()) is None:
            if timeout is not None and time.monotonic() - began > timeout:
                raise TimeoutExpired(self.args, timeout)
            time.sleep(REST_SECONDS)
        return code

    def kill(self) -> None:
        """End it at once."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)


def _work(asked: int, answers: int, errors: int, parent: int) -> NoReturn:
    """Be the parser process; never returns."""
    try:
        gc.freeze()
        os.setsid()
        for place, descriptor in enumerate((asked, answers, errors)):
            os.dup2(descriptor, place)
        os.closerange(FIRST_OTHER, os.sysconf("SC_OPEN_MAX"))
        child.main(parent)
    finally:
        os._exit(0)
