"""The parent of the parser process: starts it, sends it one mail after the other, reports why it ended.

Takes raw bytes, gives a `Reading`. Each process has one parser process, started for the first mail that needs it. It
is used for many mails and replaced after a crash, after a number of mails or after a large mail. It inherits only its
pipes, and the environment variables that Python itself needs.
"""

from __future__ import annotations

import atexit
import json
import logging
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from typing import IO, Final

from services.parser import frames, limits
from services.parser.limits import Overdue
from services.parser.mime import Reading
from shared.contracts.errors import BoundExceeded, PostroomError, Unavailable, Undecodable
from shared.lazy_pattern import lazy_compile
from shared.text import shortened

log = logging.getLogger(__name__)

ENTRY = "services.parser.child"
"""The module whose `main` it runs; tests replace it."""
MAX_MAILS: Final = 500
LARGE_MAIL_BYTES: Final = 8 << 20
"""The process is replaced after this number of mails, or after a mail of this size, to free memory."""
START_SECONDS: Final = 60.0
GRACE_SECONDS: Final = 5.0
"""Extra waiting time after the limit at which the process ends itself."""
EXIT_SECONDS: Final = 1.0
MAX_ANSWER_BYTES: Final = 64 << 20
"""Most bytes of an answer, in addition to four times the size of the mail."""
ANSWER_TIMES_SIZE: Final = 4
_ERROR_OUTPUT_CHARACTERS: Final = 4_000
_KEPT_VARIABLES: Final = lazy_compile(r"PATH|HOME|LANG|LC_.*|TZ|TMPDIR|VIRTUAL_ENV|PYTHON.*|LD_LIBRARY_PATH|DYLD_.*")
_START: Final = "import sys, json; sys.path[:] = json.loads(sys.argv[1]); from {} import main; main(int(sys.argv[2]))"
_MEMORY_ERRORS: Final = lazy_compile(rb"MemoryError|memory allocation of|bad_alloc|out of memory", re.IGNORECASE)


class _Ended(Exception):
    """The parser process ended, or its answer is late or invalid; an invalid one is described."""


class ParserProcess:
    """Reads mails in a process with limits. Threads take turns."""

    def __init__(self) -> None:
        self._child: _Child | None = None
        self._lock = threading.Lock()

    def read(self, raw: bytes) -> Reading:
        """Read one mail.

        Raises `BoundExceeded` (`parse-time`, `parse-memory`, `parse-crash`, or what the mail itself exceeds),
        `Overdue`, and `Unavailable` when no process can be started.
        """
        with self._lock:
            child = self._ready_child()
            try:
                return self._attempt(child, raw)
            except _Ended as ended:
                if child.mails <= 1 or child.took_too_long():
                    raise child.verdict(len(raw), ended) from None
            return self._retry_in_new_process(raw)  # an earlier mail may have damaged the process

    def _retry_in_new_process(self, raw: bytes) -> Reading:
        child = self._ready_child()
        try:
            return self._attempt(child, raw)
        except _Ended as ended:
            raise child.verdict(len(raw), ended) from None

    def _attempt(self, child: _Child, raw: bytes) -> Reading:
        try:
            reading = child.read(raw)
        except BoundExceeded:
            raise
        except BaseException:  # also on interruption: its next output would be read as the answer to another mail
            self._child = None
            child.end()
            raise
        if child.mails >= MAX_MAILS or len(raw) > LARGE_MAIL_BYTES:
            self._close()
        return reading

    def _ready_child(self) -> _Child:
        if self._child is not None and not self._child.is_alive():
            self._close()
        if self._child is None:
            self._child = _Child()
        return self._child

    def close(self) -> None:
        """End the process. Safe to call twice; the next mail starts another."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.end(EXIT_SECONDS)


class _Child:
    """One parser process."""

    def __init__(self) -> None:
        self.mails, self._owner, self._late = 0, os.getpid(), False
        start = [sys.executable, "-P", "-c", _START.format(ENTRY), json.dumps(sys.path), str(self._owner)]
        environment = {name: value for name, value in os.environ.items() if _KEPT_VARIABLES.fullmatch(name)}
        try:
            self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `end`
        except OSError as error:
            raise _not_started(error) from error
        try:
            self._process = subprocess.Popen(
                start,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                bufsize=0,
                env=environment,
                start_new_session=True,
            )
        except OSError as error:
            self._errors.close()
            raise _not_started(error) from error
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._to, self._from = self._process.stdin, self._process.stdout
        os.set_blocking(self._to.fileno(), False)
        self._await_ready()

    def _await_ready(self) -> None:
        try:
            if self._receive(len(frames.READY), time.monotonic() + START_SECONDS) == frames.READY:
                return
            words = "it does not report that it is ready"
        except _Ended:
            words = self._error_output_end().rpartition("\n")[2] or "it ends at once"
        except BaseException:
            self.end()
            raise
        self.end()
        raise _not_started(shortened(words, 500))

    def is_alive(self) -> bool:
        """Whether this process may send it a mail (a fork of its parent may not)."""
        return self._owner == os.getpid() and self._process.poll() is None

    def read(self, raw: bytes) -> Reading:
        """Send it a mail and read the answer. Raises `_Ended`, `BoundExceeded`."""
        self.mails += 1
        until = time.monotonic() + limits.wall_seconds(len(raw)) + GRACE_SECONDS
        for piece in frames.frame({}, raw):
            self._send(piece, until)
        said, following = frames.HEAD.unpack(self._receive(frames.HEAD.size, until))
        if said + following > MAX_ANSWER_BYTES + ANSWER_TIMES_SIZE * len(raw):
            raise _Ended("its answer is too long")
        try:
            return frames.reading(self._receive(said, until), lambda size: self._receive(size, until), following)
        except Undecodable as error:
            raise _Ended(f"its answer is invalid: {error}") from error

    def _send(self, data: bytes, until: float) -> None:
        left = memoryview(data)
        while left:
            self._await(self._to, select.POLLOUT, until)
            try:
                left = left[os.write(self._to.fileno(), left) :]
            except BlockingIOError:
                continue
            except BrokenPipeError:
                raise _Ended from None

    def _receive(self, size: int, until: float) -> bytes:
        taken = bytearray(size)
        left = memoryview(taken)
        while left:
            self._await(self._from, select.POLLIN, until)
            count = os.readv(self._from.fileno(), [left])
            if not count:
                raise _Ended
            left = left[count:]
        left.release()
        return bytes(taken)

    def _await(self, pipe: IO[bytes], event: int, until: float) -> None:
        poll = select.poll()
        poll.register(pipe, event)
        if not poll.poll(max(0.0, until - time.monotonic()) * 1000):
            self._late = True
            raise _Ended

    def end(self, seconds: float = 0.0) -> None:
        """Close its input, and kill it when it has not ended after `seconds`."""
        if self._owner != os.getpid():
            self._process.returncode = 0  # another process is its parent
            return
        self._to.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds or 0.05)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._from.close()
        self._error_output = self._error_output_end()
        self._errors.close()

    def took_too_long(self) -> bool:
        """Whether it exceeded a time limit."""
        return self._late or -(self._process.returncode or 0) in {signal.SIGPROF, signal.SIGXCPU, signal.SIGALRM}

    def verdict(self, size: int, ended: _Ended) -> PostroomError:
        """The error for the mail of `size` bytes at which it ended."""
        code = self._process.returncode or 0
        log.warning("parser_process_ended", extra={"code": code, "reason": self._error_output})
        if self._late or code == -signal.SIGALRM:
            return Overdue(f"reading the mail took more than {limits.wall_seconds(size):.0f} s; the machine is busy")
        if code in {-signal.SIGPROF, -signal.SIGXCPU}:
            return limits.out_of_time(size)
        if _MEMORY_ERRORS.search(self._error_output.encode()):
            return limits.out_of_memory(size)
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        return BoundExceeded("parse-crash", f"reading it ended the parser process: {str(ended) or how}")

    def _error_output_end(self) -> str:
        """The end of what it wrote to its error output."""
        size = self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, size - _ERROR_OUTPUT_CHARACTERS))
        return self._errors.read().decode("utf-8", "replace").strip()


def _not_started(why: object) -> Unavailable:
    return Unavailable(f"the parser process cannot be started: {why}")


PARSER_PROCESS: Final = ParserProcess()
"""The parser process of this process."""
atexit.register(PARSER_PROCESS.close)
