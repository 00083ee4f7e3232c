"""Processes beside this one that read mails before their turn.

Takes raw bytes ahead, gives the `Reading` of each when it is asked for. The processes are forked when there is a
backlog, so that they share what this one has imported, and hold no descriptor but those to talk to it. They work within
the limits of the parser process, and their answers are read as strictly. They pass no verdict but the bounds of the
parser itself: a mail that one could not read is read by `guarded` in its turn, and one at which it ended is a suspect
there (decision 0092).
"""

from __future__ import annotations

import atexit
import gc
import logging
import os
import select
import signal
import struct
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from typing import Final, NoReturn

from services.parser import child, frames, limits, mime
from services.parser.mime import Reading
from shared.contracts.errors import BoundExceeded, Undecodable
from shared.lazy_dataclass import dataclass

log = logging.getLogger(__name__)

GRACE_SECONDS: Final = 5.0
_JOB: Final = struct.Struct(">QQQQ")
"""Number of a mail, slot, and where its bytes, or its answer, lie in the slot's file: offset and size."""
_SLOTS: Final = 2


class ReaderEnded(Exception):
    """The process that read this mail ended."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """A mail that was sent to a reader."""

    raw: bytes
    reader: _Reader
    number: int
    slot: int


class Readers:
    """The readers of this process. Two batches may be on their way: the one whose turn it is, and the next."""

    def __init__(self) -> None:
        self._readers: list[_Reader] = []
        self._asked: dict[int, _Asked] = {}
        self._slot = 0

    def start(self, count: int) -> None:
        """Let so many run; those that ended are replaced."""
        self._readers = [each for each in self._readers if each.is_alive()]
        while len(self._readers) < count:
            self._readers.append(_Reader())

    def ask(self, raws: Sequence[bytes], count: int) -> None:
        """Let `count` processes read these, empty ones aside; what was asked for before the last call is forgotten."""
        self.start(count)
        self._slot = (self._slot + 1) % _SLOTS
        kept = [(key, each) for key, each in self._asked.items() if each.slot != self._slot]
        self._asked = {key: each for key, each in kept if each.reader in self._readers}
        for reader in self._readers:
            reader.clear(self._slot)
        for raw in filter(None, raws):
            reader = min(self._readers, key=lambda each: each.sent(self._slot))
            self._asked[id(raw)] = _Asked(raw, reader, reader.send(raw, self._slot), self._slot)

    def reading(self, raw: bytes) -> Reading | None:
        """The content of a mail, None when it has to be read here. Raises `BoundExceeded`, `ReaderEnded`."""
        asked = self._asked.pop(id(raw), None)
        return asked.reader.reading(asked.number) if asked is not None and asked.raw is raw else None

    def close(self) -> None:
        """End the processes, also in the middle of a mail. Safe to call twice."""
        readers, self._readers = self._readers, []
        self._asked.clear()
        for reader in readers:
            reader.end(signal.SIGKILL)


class _Slot:
    """The mails of a batch for one reader in a file of memory, and its answers in another."""

    def __init__(self, files: ExitStack) -> None:
        self.mails, self.answers = _memory("mails", files), _memory("answers", files)
        self.sent = 0


def _memory(name: str, files: ExitStack) -> int:
    """A file of memory, which `files` closes."""
    descriptor = os.memfd_create(name)
    files.callback(os.close, descriptor)
    return descriptor


def _pipe(for_reading: ExitStack, for_writing: ExitStack) -> tuple[int, int]:
    """Both ends of a pipe, and who closes them."""
    ends = os.pipe()
    for end, files in zip(ends, (for_reading, for_writing), strict=True):
        files.callback(os.close, end)
    return ends


class _Reader:
    """One process. Its pipes carry jobs of 32 bytes, so that neither side ever waits to write."""

    def __init__(self) -> None:
        self._owner, self._number = os.getpid(), 0
        self._waiting: dict[int, tuple[int, int]] = {}
        self._answered: dict[int, tuple[int, int, int]] = {}
        self._suspect = -1
        with ExitStack() as files, ExitStack() as of_the_reader:
            self._slots = [_Slot(files) for _ in range(_SLOTS)]
            asked, self._to = _pipe(of_the_reader, files)
            self._from, answers = _pipe(files, of_the_reader)
            if not (pid := os.fork()):
                _work(asked, answers, self._slots, self._owner)
            self._pid, self._files = pid, files.pop_all()

    def is_alive(self) -> bool:
        """Whether it belongs to this process and may be asked. The kernel ends it with the thread that started it.

        One that owes answers is not looked at: if it has ended, the mail that it was reading is a suspect.
        """
        if not self._pid or self._owner != os.getpid():
            return False
        if not self._waiting and os.waitpid(self._pid, os.WNOHANG) != (0, 0):
            self._pid = 0
            self._files.close()
        return bool(self._pid)

    def sent(self, slot: int) -> int:
        """Bytes of mail in a slot."""
        return self._slots[slot].sent

    def clear(self, slot: int) -> None:
        """Forget what was asked for in a slot, once the reader has done with it."""
        with suppress(ReaderEnded):
            while any(place == slot for place, _ in self._waiting.values()):
                self._receive()
        self._answered = {number: found for number, found in self._answered.items() if found[0] != slot}
        if self._pid:
            os.ftruncate(self._slots[slot].mails, 0)
            os.ftruncate(self._slots[slot].answers, 0)
        self._slots[slot].sent = 0

    def send(self, raw: bytes, slot: int) -> int:
        """Ask for a mail; return its number."""
        self._number += 1
        place = self._slots[slot]
        if self._pid:
            _write(place.mails, [raw], place.sent)
            with suppress(BrokenPipeError):  # its end is noticed when it should answer
                os.write(self._to, _JOB.pack(self._number, slot, place.sent, len(raw)))
            place.sent += len(raw)
            self._waiting[self._number] = (slot, len(raw))
        return self._number

    def reading(self, number: int) -> Reading | None:
        """The content of a mail; None when it could not read it, or has ended before."""
        while number in self._waiting:
            self._receive()
        if number == self._suspect:
            raise ReaderEnded
        slot, offset, size = self._answered.pop(number, (0, 0, 0))
        return self._decoded(self._slots[slot].answers, offset, number) if size else None

    def _decoded(self, answers: int, offset: int, number: int) -> Reading:
        place = offset

        def take(size: int) -> bytes:
            nonlocal place
            place += size
            return os.pread(answers, size, place - size)

        try:
            said, following = frames.HEAD.unpack(take(frames.HEAD.size))
            return frames.reading(take(said), take, following)
        except (Undecodable, struct.error, MemoryError, OverflowError):
            self._lose(number)
            raise ReaderEnded from None

    def _receive(self) -> None:
        """The next answer. Raises `ReaderEnded` when there is none: the mail it was to be for is a suspect."""
        number, (_, size) = next(iter(self._waiting.items()))
        poll = select.poll()
        poll.register(self._from, select.POLLIN)
        ready = poll.poll((limits.wall_seconds(size) + GRACE_SECONDS) * 1000)
        job = os.read(self._from, _JOB.size) if ready else b""
        if len(job) < _JOB.size:
            self._lose(number)
            raise ReaderEnded
        number, slot, offset, size = _JOB.unpack(job)
        self._waiting.pop(number, None)
        self._answered[number] = (slot, offset, size)

    def _lose(self, suspect: int) -> None:
        """It ended, or is not to be trusted; the rest of what it was asked for is read by others."""
        log.warning("reader_ended", extra={"pid": self._pid})
        self._suspect = suspect
        self._waiting.clear()
        self._answered.clear()
        self.end(signal.SIGKILL)

    def end(self, signal_: int = 0) -> None:
        """Close its pipe, at which it ends, or send a signal first."""
        pid, self._pid = self._pid, 0
        if not pid or self._owner != os.getpid():
            return
        with suppress(ProcessLookupError):
            os.kill(pid, signal_)
        self._files.close()
        with suppress(ChildProcessError):
            os.waitpid(pid, 0)


def _work(asked: int, answers: int, slots: Sequence[_Slot], parent: int) -> NoReturn:
    """Read mails until the pipe ends; in the new process, which never returns from here."""
    try:
        gc.freeze()
        _keep_only([2, asked, answers, *(file for slot in slots for file in (slot.mails, slot.answers))])
        child.set_signals_and_priority()
        child.die_with_parent(parent)
        base, ends = child.data_bytes(), [0] * len(slots)
        while len(job := os.read(asked, _JOB.size)) == _JOB.size:
            number, slot, offset, size = _JOB.unpack(job)
            start = ends[slot] if offset else 0
            length = _write(slots[slot].answers, _answer(os.pread(slots[slot].mails, size, offset), base), start)
            ends[slot] = start + length
            os.write(answers, _JOB.pack(number, slot, start, length))
    finally:
        os._exit(0)


def _answer(raw: bytes, base: int | None) -> Sequence[bytes]:
    """The frame of a mail, or nothing: the worker then reads it itself, and says why it cannot."""
    try:
        with child.limited(len(raw), base):
            return frames.of_reading(mime.read(raw))
    except BoundExceeded as error:
        return frames.of_bound(error)
    except Exception:
        return ()


def _keep_only(descriptors: Sequence[int]) -> None:
    """Close every other descriptor: sockets, the data file, the pipes of other readers."""
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    kept = sorted({0, 1, *descriptors})
    for low, high in zip(kept, [*kept[1:], os.sysconf("SC_OPEN_MAX")], strict=True):
        os.closerange(low + 1, high)


def _write(file: int, pieces: Sequence[bytes], offset: int) -> int:
    """Write at a place; return the number of bytes."""
    start = offset
    for piece in pieces:
        left = memoryview(piece)
        while left:
            written = os.pwrite(file, left, offset)
            left, offset = left[written:], offset + written
    return offset - start


READERS: Final = Readers()
"""The readers of this process."""
atexit.register(READERS.close)
