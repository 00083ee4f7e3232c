"""What the servers of the tests that are one process share: a private folder, the wait until it answers, its end."""

from __future__ import annotations

import imaplib
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import ClassVar, Self

from tests.servers.presence import PATIENCE_SECONDS


class ProcessServer:
    """A context: the server runs in `home`; at the end, or when it does not start, it is ended and `home` removed."""

    name: ClassVar[str]

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix=f"{self.name.lower()}-"))
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:  # pytest's own way to skip included
            self.__exit__()
            raise
        return self

    def _start(self) -> None:
        """Set `_process`, and return when it answers."""
        raise NotImplementedError

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(PATIENCE_SECONDS)
        shutil.rmtree(self.home, ignore_errors=True)

    def _wait_for(self, connect: Callable[[], AbstractContextManager[object]]) -> None:
        """Until `connect` succeeds; `AssertionError` with the server's log after `PATIENCE_SECONDS`."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            try:
                with connect():
                    return
            except (OSError, imaplib.IMAP4.error):
                time.sleep(0.05)
        raise AssertionError(f"{self.name} does not answer within {PATIENCE_SECONDS:.0f} s. {self.log}")

    @property
    def log(self) -> str:
        """What it logged, where it has a log of its own."""
        return ""
