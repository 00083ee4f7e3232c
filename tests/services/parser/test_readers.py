"""Readers beside the writer: they read as the parser does, and whatever happens to them, every mail is read."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.parser import guarded, mime, readers
from services.parser.readers import ReaderEnded, Readers
from shared.contracts.errors import BoundExceeded
from tests.builders import a_mail
from tests.servers.presence import PATIENCE_SECONDS

pytestmark = pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="readers need Linux")
MAILS = [a_mail("text " * n, subject=f"mail {n}") for n in range(1, 9)]


@pytest.fixture
def beside() -> Iterator[Readers]:
    """Readers that end with the test."""
    made = Readers()
    yield made
    made.close()


def test_they_read_as_the_parser_does(beside: Readers) -> None:
    mails = [*MAILS, a_mail(html="<p>text</p>", files=(("a.pdf", "application/pdf", b"%PDF" * 100_000),))]
    beside.ask(mails, 2)
    assert [beside.reading(raw) for raw in mails] == [mime.read(raw) for raw in mails]


def test_what_was_not_asked_for_is_read_here(beside: Readers) -> None:
    beside.ask(MAILS[:2], 1)
    assert beside.reading(MAILS[3]) is None
    assert beside.reading(bytes(bytearray(MAILS[0]))) is None
    assert beside.reading(MAILS[0]) is not None
    assert beside.reading(MAILS[0]) is None


def test_batches_overlap_and_what_nobody_wanted_is_forgotten(beside: Readers) -> None:
    beside.ask(MAILS[:2], 2)
    beside.ask(MAILS[2:4], 2)
    assert beside.reading(MAILS[1]) == mime.read(MAILS[1])
    beside.ask(MAILS[4:6], 2)
    assert [beside.reading(raw) for raw in MAILS[2:6]] == [mime.read(raw) for raw in MAILS[2:6]]


def test_an_empty_mail_is_read_here_and_gets_no_other_mails_content(beside: Readers) -> None:
    beside.ask([b"", *MAILS[:2]], 1)
    assert beside.reading(MAILS[1]) == mime.read(MAILS[1])
    assert beside.reading(b"") is None
    assert beside.reading(MAILS[0]) == mime.read(MAILS[0])


def test_mails_that_nobody_wants_do_not_pile_up(beside: Readers) -> None:
    for _ in range(5):
        beside.ask([bytes(bytearray(raw)) for raw in MAILS], 1)
    assert len(beside._asked) <= 2 * len(MAILS)


def test_a_limit_of_the_parser_is_reported(beside: Readers, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(_: bytes) -> mime.Reading:
        raise BoundExceeded("parts", "too many")

    monkeypatch.setattr(mime, "read", read)
    beside.ask(MAILS[:1], 1)
    with pytest.raises(BoundExceeded, match="too many"):
        beside.reading(MAILS[0])


def test_a_bug_is_left_to_the_worker(beside: Readers, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(mime, "read", lambda _: 1 / 0)
        beside.ask(MAILS[:1], 1)
    assert beside.reading(MAILS[0]) is None


def dies_at(mail: bytes) -> object:
    """A parser that ends its process at one mail."""
    original = mime.read

    def read(raw: bytes) -> mime.Reading:
        if raw == mail:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(raw)

    return read


def test_where_a_reader_ends_the_mail_is_a_suspect_and_the_others_are_not(
    beside: Readers, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(mime, "read", dies_at(MAILS[1]))
        beside.ask(MAILS[:4], 1)
    assert beside.reading(MAILS[0]) == mime.read(MAILS[0])
    with pytest.raises(ReaderEnded):
        beside.reading(MAILS[1])
    assert beside.reading(MAILS[2]) is None
    beside.ask(MAILS[4:], 1)
    assert beside.reading(MAILS[4]) == mime.read(MAILS[4])


def test_a_reader_that_ended_without_work_is_replaced(beside: Readers) -> None:
    def ask() -> None:
        beside.ask(MAILS[:1], 1)
        assert beside.reading(MAILS[0]) is not None

    thread = threading.Thread(target=ask)  # the reader ends with it
    thread.start()
    thread.join()
    (reader,) = beside._readers
    os.waitid(os.P_PID, reader._pid, os.WEXITED | os.WNOWAIT)
    beside.ask(MAILS[1:2], 1)
    assert beside.reading(MAILS[1]) == mime.read(MAILS[1])


def test_a_mail_at_which_an_idle_looking_reader_ended_stays_a_suspect(
    beside: Readers, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(mime, "read", dies_at(MAILS[0]))
        beside.ask(MAILS[:1], 1)
    (reader,) = beside._readers
    os.waitid(os.P_PID, reader._pid, os.WEXITED | os.WNOWAIT)
    beside.ask(MAILS[1:2], 1)
    with pytest.raises(ReaderEnded):
        beside.reading(MAILS[0])
    assert beside.reading(MAILS[1]) is None


@pytest.mark.usefixtures("faulty")
def test_a_suspect_is_read_in_the_parser_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would end the worker as it ended the reader; the process with limits says so without harm."""
    raw = b"X-Fault: segfault\r\n" + MAILS[0]
    readers.READERS.close()  # those of other tests
    with monkeypatch.context() as patch:
        patch.setattr(mime, "read", dies_at(raw))
        readers.READERS.ask([raw], 1)
    try:
        with pytest.raises(BoundExceeded) as caught:
            guarded.read(raw)
    finally:
        readers.READERS.close()
    assert caught.value.bound == "parse-crash"


@pytest.mark.parametrize(
    "answer", [b"\0" * 15 + b"\x02{}", b"\0" * 3, b"\0\0\1" + b"\0" * 13], ids=["no frame", "short", "endless"]
)
def test_an_answer_that_is_no_answer_is_not_believed(
    beside: Readers, monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("services.parser.frames.of_reading", lambda _: [answer])
        beside.ask(MAILS[:1], 1)
    with pytest.raises(ReaderEnded):
        beside.reading(MAILS[0])


def test_a_reader_that_does_not_answer_in_time_is_ended(beside: Readers, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(mime, "read", lambda _: time.sleep(60))
        patch.setattr("services.parser.limits.wall_seconds", lambda _: 0.2)
        patch.setattr(readers, "GRACE_SECONDS", 0.0)
        beside.ask(MAILS[:1], 1)
        with pytest.raises(ReaderEnded):
            beside.reading(MAILS[0])


def test_a_reader_holds_no_descriptor_of_ours(beside: Readers, tmp_path: Path) -> None:
    with (tmp_path / "ours").open("w"):
        beside.ask(MAILS[:2], 2)
        assert all(beside.reading(raw) is not None for raw in MAILS[:2])  # so that both have begun to work
        (*_, last) = beside._readers
        held = [str(each.readlink()) for each in Path(f"/proc/{last._pid}/fd").iterdir()]
    kinds = [each.partition(":")[0] for each in held if each.startswith(("/memfd:", "pipe:"))]
    assert sorted(kinds) == ["/memfd"] * 4 + ["pipe"] * 2
    assert len(held) <= len(kinds) + 3, "besides, only the standard streams"


@pytest.mark.parametrize(("name", "works"), [("memfd_create", 2), ("pipe", 1), ("fork", 0)])
def test_a_reader_that_cannot_be_started_leaves_no_descriptor(
    monkeypatch: pytest.MonkeyPatch, name: str, works: int
) -> None:
    """It is tried again each minute: few descriptors may be why it failed."""
    original = getattr(os, name)
    answers = iter([original] * works)

    def refused(*given: Any) -> Any:
        if (answer := next(answers, None)) is None:
            raise OSError(24, "Too many open files")
        return answer(*given)

    before = set(os.listdir("/proc/self/fd"))  # noqa: PTH208
    with monkeypatch.context() as patch:
        patch.setattr(os, name, refused)
        with pytest.raises(OSError, match="Too many"):
            Readers().start(1)
    assert set(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def test_readers_end_with_a_parent_that_is_killed() -> None:
    script = (
        "import os, signal; from services.parser.readers import READERS; READERS.ask([b'a: b\\r\\n\\r\\nc'], 2)\n"
        "print(*(each._pid for each in READERS._readers), flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    pids = done.stdout.split()
    assert len(pids) == 2
    until = time.monotonic() + PATIENCE_SECONDS
    while any(Path(f"/proc/{pid}").exists() and "Z" not in _state(pid) for pid in pids):
        assert time.monotonic() < until, "a reader is left"
        time.sleep(0.02)


def _state(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return "Z"
