"""Whatever a mail does to its reader: a refusal with a name, and the next mail is read."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from services.parser import guarded, limits, mime, process
from services.parser.limits import Overdue
from services.parser.process import ParserProcess
from shared.contracts.errors import BoundExceeded, Unavailable
from tests.builders import a_mail
from tests.harness.parser_child import FAULT
from tests.servers.presence import PATIENCE_SECONDS

PLAIN = a_mail("It burns.\n", subject="Fire", files=(("a.bin", "application/octet-stream", b"\0" * 1000),))
LONG = "x" * 70_000
"""What makes a text large."""


def fault(name: str) -> bytes:
    return FAULT + name.encode() + b"\r\n" + PLAIN


def pid_of(parser: ParserProcess) -> int:
    assert parser._child is not None
    return parser._child._process.pid


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def test_a_mail_says_the_same_here_and_in_the_parser_process() -> None:
    assert guarded.read(PLAIN, suspect=True) == guarded.read(PLAIN) == mime.read(PLAIN)


@pytest.mark.parametrize(
    ("name", "bound", "words"),
    [
        ("spin", "parse-time", "more than 2.0 s of processor time"),
        ("eat", "parse-memory", "more than 128 MB of memory"),
        ("die-of-memory", "parse-memory", "MB of memory"),
        ("abort", "parse-crash", "signal SIGABRT"),
        ("segfault", "parse-crash", "signal SIGSEGV"),
        ("kill", "parse-crash", "signal SIGKILL"),
        ("exit", "parse-crash", "exit code 3"),
        ("raise", "parse-crash", "KeyError: 'no such thing'"),
        ("recurse", "parse-crash", "RecursionError"),
        ("lie", "parse-crash", "its answer is invalid"),
        ("promise", "parse-crash", "its answer is too long"),
    ],
)
def test_a_fault_is_a_refusal_with_a_name_and_the_next_mail_is_read(
    faulty: ParserProcess, name: str, bound: str, words: str
) -> None:
    with pytest.raises(BoundExceeded, match=words) as raised:
        faulty.read(fault(name))
    assert raised.value.bound == bound
    assert faulty.read(PLAIN) == mime.read(PLAIN)


@pytest.mark.parametrize("name", ["chatter", "term"])
def test_what_a_library_prints_and_signals_that_mean_the_parent_disturb_nothing(
    faulty: ParserProcess, name: str
) -> None:
    assert faulty.read(fault(name)).mail.subject == "Fire"


def test_time_that_passes_is_not_a_fault_of_the_mail(faulty: ParserProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine may be busy: only processor time makes a dead letter."""
    monkeypatch.setattr(process, "GRACE_SECONDS", 0.2 - limits.wall_seconds(len(fault("sleep"))))
    with pytest.raises(Overdue, match="the machine is busy"):
        faulty.read(fault("sleep"))


def test_a_mail_is_not_blamed_for_what_one_before_it_did_to_the_process(faulty: ParserProcess) -> None:
    faulty.read(PLAIN)
    os.kill(pid := pid_of(faulty), signal.SIGSTOP)
    killer = signalled_while_it_reads(faulty, pid, signal.SIGKILL)
    assert faulty.read(PLAIN) == mime.read(PLAIN)
    killer.join()


def test_one_process_serves_many_mails_and_is_replaced_after_many_or_a_large_one(
    faulty: ParserProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    faulty.read(PLAIN)
    first = pid_of(faulty)
    faulty.read(PLAIN)
    assert pid_of(faulty) == first
    monkeypatch.setattr(process, "MAX_MAILS", 3)
    faulty.read(PLAIN)
    assert not is_running(first)
    faulty.read(PLAIN)
    monkeypatch.setattr(process, "LARGE_MAIL_BYTES", 100)
    second = pid_of(faulty)
    faulty.read(PLAIN)
    assert not is_running(second)


def test_the_process_inherits_no_secret_and_no_descriptor(
    faulty: ParserProcess, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MAIL_PASSWORD", "hidden")
    with (tmp_path / "store").open("wb") as store:
        os.set_inheritable(store.fileno(), True)
        faulty.read(PLAIN)
        folder = Path(f"/proc/{pid_of(faulty)}")
        assert b"hidden" not in (folder / "environ").read_bytes()
        assert not [each for each in (folder / "fd").iterdir() if str(each.readlink()) == store.name]


def test_an_interrupt_ends_the_reading_at_once_and_leaves_no_process(faulty: ParserProcess) -> None:
    faulty.read(PLAIN)
    pid = pid_of(faulty)
    interrupter = signalled_while_it_reads(faulty, os.getpid(), signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        faulty.read(fault("sleep"))
    interrupter.join()
    assert not is_running(pid)


def signalled_while_it_reads(parser: ParserProcess, pid: int, number: signal.Signals) -> threading.Thread:
    """A thread that sends the signal once the parser process has been sent its second mail."""

    def send() -> None:
        while parser._child is None or parser._child.mails < 2:
            time.sleep(0.01)
        os.kill(pid, number)

    sender = threading.Thread(target=send)
    sender.start()
    return sender


PARENT = """
import sys, threading
from services.parser import process
process.ENTRY = "tests.harness.parser_child"
process.PARSER_PROCESS.read(bytes.fromhex(sys.argv[1]))
print(process.PARSER_PROCESS._child._process.pid, flush=True)
process.PARSER_PROCESS.read(bytes.fromhex(sys.argv[2]))
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("busy", [False, True], ids=["idle", "in the middle of a mail"])
def test_no_parser_process_outlives_its_parent(number: signal.Signals, *, busy: bool) -> None:
    mails = [PLAIN.hex(), fault("sleep" if busy else "chatter").hex()]
    code = PARENT + ("" if busy else "\nimport time; time.sleep(60)")
    parent = subprocess.Popen([sys.executable, "-c", code, *mails], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert is_running(pid)
    parent.send_signal(number)
    parent.wait()
    parent.stdout.close()
    until = time.monotonic() + PATIENCE_SECONDS
    while is_running(pid) and time.monotonic() < until:
        time.sleep(0.02)
    assert not is_running(pid)


def test_a_process_that_cannot_be_started_is_trouble_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    parser = ParserProcess()
    monkeypatch.setattr(process, "ENTRY", "no.such.module")
    with pytest.raises(Unavailable, match="cannot be started: ModuleNotFoundError"):
        parser.read(PLAIN)
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(Unavailable, match="cannot be started"):
        parser.read(PLAIN)


@pytest.mark.parametrize(
    ("error", "bound"),
    [(MemoryError(), "parse-memory"), (RecursionError("deep"), "parse-crash")],
    ids=["memory", "bug"],
)
def test_what_breaks_here_is_a_refusal_too(monkeypatch: pytest.MonkeyPatch, error: Exception, bound: str) -> None:
    def broken(*_: Any) -> None:
        raise error

    monkeypatch.setattr(mime, "read", broken)
    with pytest.raises(BoundExceeded) as raised:
        guarded.read(PLAIN)
    assert raised.value.bound == bound


def test_a_large_or_odd_mail_and_a_suspect_are_read_in_the_parser_process(faulty: ParserProcess) -> None:
    assert guarded.read(fault("exit")).mail.subject == "Fire"
    for read in (
        lambda: guarded.read(fault("exit"), suspect=True),
        lambda: guarded.read(fault("exit") + LONG.encode()),
    ):
        with pytest.raises(BoundExceeded, match="parse-crash"):
            read()


def test_limits_grow_with_the_mail() -> None:
    small, large = 2_000_000, 50_000_000
    assert limits.cpu_seconds(small) == limits.cpu_seconds(0) == 2
    assert limits.cpu_seconds(large) == 26
    assert limits.memory_bytes(small) < 160_000_000
    assert limits.wall_seconds(small) >= 10 * limits.cpu_seconds(small)


@pytest.mark.parametrize("size", [10_000_000, pytest.param(50_000_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", ["application/pdf", "text/plain", "text/html"])
def test_a_large_honest_mail_is_within_the_limits(faulty: ParserProcess, kind: str, size: int) -> None:
    content = b"<p>some words to be read</p>\r\n" * (size // 30)
    body = base64.encodebytes(content) if kind == "application/pdf" else content
    encoding = "base64" if kind == "application/pdf" else "8bit"
    fields = f"From: a@b.example\r\nContent-Type: {kind}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
    reading = guarded.read(fields.encode() + body)
    assert [len(each) for each in reading.contents.values()] == [len(content)]
