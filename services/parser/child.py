"""The parser process: reads one mail after the other from a pipe, each within limits of time and memory.

Started by `services.parser.process`, which gives it no socket, no file and no secret. It sets the limits on itself:
the kernel ends it when a mail takes more processor time than `limits` allows, and refuses more memory. It ends when
its parent ends.
"""

from __future__ import annotations

import faulthandler
import io
import os
import resource
import signal
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from services.parser import frames, limits, mime
from shared.contracts.errors import BoundExceeded

MAX_ERROR_OUTPUT_BYTES: Final = 1 << 20
"""What one process may write to its error output, a file."""
_STATM: Final = Path("/proc/self/statm")
_PR_SET_PDEATHSIG: Final = 1


def main(parent: int) -> None:
    """Read mails until the pipe ends."""
    asked, answers = _pipes()
    set_signals_and_priority()
    _limit(resource.RLIMIT_FSIZE, MAX_ERROR_OUTPUT_BYTES)
    die_with_parent(parent)
    base = data_bytes()
    _write(answers, [frames.READY])
    while head := asked.read(frames.HEAD.size):
        said, size = frames.HEAD.unpack(head)
        asked.read(said)
        _write(answers, answer(asked.read(size), base))


def answer(raw: bytes, base: int | None) -> Sequence[bytes]:
    """Return the frame with the content of a mail, or the reason why it cannot be read."""
    try:
        with limited(len(raw), base):
            return frames.of_reading(mime.read(raw))
    except BoundExceeded as error:
        return frames.of_bound(error)
    except MemoryError:
        return frames.of_bound(limits.out_of_memory(len(raw)))
    except Exception as error:
        traceback.print_exc(limit=-20)
        return frames.of_bound(limits.broken(error))


@contextmanager
def limited(size: int, base: int | None) -> Iterator[None]:
    """Limits of memory, of processor time (SIGPROF ends the process) and of time (SIGALRM does)."""
    if base is not None:
        _limit(resource.RLIMIT_DATA, base + limits.memory_bytes(size))
    signal.setitimer(signal.ITIMER_PROF, limits.cpu_seconds(size))
    signal.setitimer(signal.ITIMER_REAL, limits.wall_seconds(size))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)


def _limit(what: int, value: int) -> None:
    """Lower a soft limit; the hard one stays, so that the next mail may have more."""
    hard = resource.getrlimit(what)[1]
    soft = value if hard == resource.RLIM_INFINITY else min(value, hard)
    with suppress(OSError, ValueError):  # not available on every system
        resource.setrlimit(what, (soft, hard))


def data_bytes() -> int | None:
    """Bytes used of the memory that RLIMIT_DATA counts (proc(5), statm); None if unknown."""
    try:
        return int(_STATM.read_text().split()[5]) * resource.getpagesize()
    except (OSError, IndexError, ValueError):
        return None


def _pipes() -> tuple[io.BufferedReader, int]:
    """The pipe of mails and that of answers; what a library prints goes to the error output."""
    asked, answers = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return io.BufferedReader(io.FileIO(asked)), answers


def set_signals_and_priority() -> None:
    """Ignore signals meant for the parent, write no core files, and be the first to be killed when memory runs out."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    for number in (signal.SIGPROF, signal.SIGALRM):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    _limit(resource.RLIMIT_CORE, 0)
    faulthandler.enable()
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def die_with_parent(parent: int) -> None:
    """End when the parent ends, also in the middle of a mail; without Linux, the end of the pipe does this."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(0)


def _write(answers: int, pieces: Sequence[bytes]) -> None:
    for piece in pieces:
        left = memoryview(piece)
        while left:
            left = left[os.write(answers, left) :]
