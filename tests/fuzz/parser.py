"""Feeds mutated mails to the parser and counts what it must never do.

    python -m tests.fuzz.parser --executions 20000 --seed 1

Seeds are the mails of tests/corpus, those of a corpus folder when one lies beside the checkout, and a few bombs.
The run is decided by its seed alone. Exit code 0 when nothing was raised but BoundExceeded, nothing took longer or more
memory than its size allows and everything that was read survives JSON in UTF-8 and back; 1 otherwise, with the mails
kept in --keep.

One execution in `GROWTH` makes a mail grow (`tests.fuzz.growth`) and compares: twice as many of something may cost
little more than twice the processor time and memory. What costs more is looked at once more, at twice that size.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import random
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from services.parser import mime
from shared.contracts import codec
from shared.contracts.errors import BoundExceeded
from tests.fuzz.growth import Growing, growing, times_for

ROOT = Path(__file__).resolve().parents[2]
_LARGEST_SEED = 200_000
GROWTH = 60
"""One execution in so many is a mail that grows."""
GROWN_BYTES = 40_000
"""By how much, at first."""
RATIO = 3.2
"""Twice the size may cost so many times as much; a quadratic algorithm takes four times."""
NOTICEABLE_SECONDS, NOTICEABLE_MEGABYTES = 0.1, 16.0
"""Less is not compared: it is mostly what every mail costs."""
SECONDS_PER_MEGABYTE, MEGABYTES_PER_MEGABYTE = 1.5, 80.0
"""What a mail may cost beyond `limit` and `IDLE_MEGABYTES`."""
IDLE_MEGABYTES = 60.0
HANGING_SECONDS = 20
MEMORY_BYTES = 2 << 30
"""No mail takes more: the run goes on with a MemoryError."""

TOKENS = [
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b"\r\n\r\n",
    b" ",
    b"\t",
    b":",
    b";",
    b"=",
    b'"',
    b"<",
    b">",
    b"(",
    b")",
    b"[",
    b"@",
    b",",
    b"--",
    b"=?utf-8?q?",
    b"=?utf-8?B?",
    b"?=",
    b"=?x?",
    b"=?iso-2022-jp?B?GyRC?=",
    b"\x1b$B",
    b"\x1b(B",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"charset=utf-7",
    b"charset=idna",
    b"charset=rot13",
    b"charset=zlib",
    b"charset=utf-16",
    b"charset=undefined",
    b"charset=hz",
    b"charset=unicode_escape",
    b'charset="',
    b"charset=iso2022_jp_ext",
    b"charset=utf-32",
    b"charset=cp65001",
    b"charset=big5hkscs",
    b"Content-Type: multipart/mixed; boundary=x\r\n",
    b"Content-Type: message/rfc822\r\n",
    b"Content-Type: text/html\r\n",
    b"Content-Type: application/ms-tnef\r\n",
    b"Content-Type: multipart/report; report-type=delivery-status\r\n",
    b"Content-Type: message/delivery-status\r\n",
    b"Content-Type: text/calendar\r\n",
    b"Content-Type: multipart/alternative\r\n",
    b"Content-Transfer-Encoding: base64\r\n",
    b"Content-Transfer-Encoding: x-uuencode\r\n",
    b"Content-Transfer-Encoding: yenc\r\n",
    b"Content-Transfer-Encoding: quoted-printable\r\n",
    b"Content-Disposition: attachment; filename=",
    b"filename*0*=",
    b"name*9999999=",
    b"From: ",
    b"From: a@b, c@d\r\n",
    b"Date: Mon, 1 Jan 99999999999 00:00:00 +0000\r\n",
    b"begin 644 x\n",
    b"end\n",
    b"=ybegin ",
    b"<div>",
    b"</",
    b"<!--",
    b"<blockquote>",
    b"<table><tr><td>",
    b"<svg><style>",
    b"+2D8-",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"=\r\n",
    b"=ZZ",
    b"= ",
    b"%",
    b"''",
    b"*0*=",
    b"On Mon, x wrote:\r\n> ",
    b"> ",
    b"\xe2\x80\xae",
    b"../",
    b"\x78\x9f\x3e\x22",
]


@dataclass(slots=True)
class Tally:
    """What a run has seen."""

    executions: int = 0
    refused: int = 0
    slowest: float = 0.0
    largest: float = 0.0
    failures: list[tuple[str, bytes]] = field(default_factory=list)


def seeds() -> list[bytes]:
    """Our own hard mails first, then others' when they are at hand, then bombs."""
    folders = [ROOT / "tests" / "corpus", ROOT.parent / "shared" / "corpus"]
    paths = [path for folder in folders for path in sorted(folder.rglob("*.eml"))]
    mails = [path.read_bytes() for path in paths if path.stat().st_size < _LARGEST_SEED]
    return [*mails, _nested(30), b"", b"From: a@b\r\n\r\nx"]


def _nested(levels: int) -> bytes:
    mail = b"Content-Type: text/plain\r\n\r\nx\r\n"
    for level in range(levels):
        mark = b"b%d" % level
        mail = b"Content-Type: multipart/mixed; boundary=%b\r\n\r\n--%b\r\n%b\r\n--%b--\r\n" % (mark, mark, mail, mark)
    return b"From: a@b.example\r\n" + mail


def _flip(mail: bytearray, rng: random.Random, _: list[bytes]) -> None:
    for _time in range(rng.randint(1, 8)):
        mail[rng.randrange(len(mail))] = rng.randrange(256)


def _cut(mail: bytearray, rng: random.Random, _: list[bytes]) -> None:
    start = rng.randrange(len(mail))
    del mail[start : start + rng.choice((1, 3, 20, 300, len(mail)))]


def _insert(mail: bytearray, rng: random.Random, _: list[bytes]) -> None:
    for _time in range(rng.randint(1, 6)):
        start = rng.randrange(len(mail) + 1)
        mail[start:start] = rng.choice(TOKENS) * rng.choice((1, 1, 1, 2, 30, 400))


def _repeat(mail: bytearray, rng: random.Random, _: list[bytes]) -> None:
    start = rng.randrange(len(mail))
    piece = bytes(mail[start : start + rng.choice((2, 15, 120, 1_000))])
    mail[start:start] = piece * rng.choice((1, 2, 10, 60))


def _splice(mail: bytearray, rng: random.Random, others: list[bytes]) -> None:
    other = rng.choice(others)
    if other:
        start = rng.randrange(len(other))
        mail[rng.randrange(len(mail)) :] = other[start : start + 20_000]


def _lines(mail: bytearray, rng: random.Random, _: list[bytes]) -> None:
    lines = bytes(mail).split(b"\n")
    first, second = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[first], lines[second] = lines[second], lines[first]
    mail[:] = rng.choice((b"\n", b"\n", b"\r\n", b"\r")).join(lines)


MUTATIONS: list[Callable[[bytearray, random.Random, list[bytes]], None]] = [
    _flip,
    _cut,
    _insert,
    _insert,
    _repeat,
    _splice,
    _lines,
]


def mails(executions: int, seed: int) -> Iterator[bytes]:
    """The mails of a run: every seed as it is, then mutations."""
    rng = random.Random(seed)
    known = seeds()
    yield from known[:executions]
    for _ in range(executions - len(known)):
        mail = bytearray(rng.choice(known))
        for _ in range(rng.choice((1, 1, 2, 3, 5))):
            if mail:
                rng.choice(MUTATIONS)(mail, rng, known)
        yield bytes(mail[: 4 * _LARGEST_SEED])


@dataclass(frozen=True, slots=True)
class Cost:
    """What reading a mail took, in CPU seconds and in megabytes beyond what was there."""

    seconds: float
    megabytes: float
    refused: bool = False
    wrong: str | None = None


class Hanging(BaseException):
    """A mail takes so long that nothing else would be done."""


def cost(mail: bytes) -> Cost:
    """Read a mail, and say what is wrong with how it was read."""
    before, began = peak(reset=True), time.process_time()
    signal.setitimer(signal.ITIMER_PROF, HANGING_SECONDS)
    try:
        refused, wrong = attempt(mail)
    except Hanging:
        refused, wrong = False, f"hangs for {HANGING_SECONDS} s"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return Cost(time.process_time() - began, peak() - before, refused, wrong)


def attempt(mail: bytes) -> tuple[bool, str | None]:
    """(Whether it was refused, what was raised or lost)."""
    try:
        read = mime.read(mail).mail
        said = json.dumps(codec.mail_to_json(read), ensure_ascii=False).encode("utf-8")
        same = codec.mail_from_json(json.loads(said)) == read
    except BoundExceeded:
        return True, None
    except Exception as error:  # this is what the run is looking for
        return False, f"{type(error).__name__}: {error}"
    return False, None if same else "changed on the wire"


def peak(*, reset: bool = False) -> float:
    """The most memory that this process had in megabytes, since the last reset; 0 where nobody says."""
    try:
        if reset:
            give_back_freed_memory()
            Path("/proc/self/clear_refs").write_text("5")
        return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024
    except (OSError, IndexError):
        return 0.0


def give_back_freed_memory() -> None:
    """Else what a large mail has left behind hides what the next one takes; where the C library can do it."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def complaint(mail: bytes, took: Cost, limit: float) -> str | None:
    """What is wrong with a mail that cost so much; `limit` is CPU seconds for any."""
    if took.wrong:
        return took.wrong
    size = len(mail) / 1e6
    if took.seconds > limit + SECONDS_PER_MEGABYTE * size:
        return f"took {took.seconds:.2f} s for {size:.2f} MB"
    if took.megabytes > IDLE_MEGABYTES + MEGABYTES_PER_MEGABYTE * size:
        return f"took {took.megabytes:.0f} MB for {size:.2f} MB"
    return None


def growth_complaint(grown: Growing, limit: float) -> tuple[str | None, bytes, Cost]:
    """What is wrong with how the cost grows, twice in a row, and the mail that shows it."""
    times = times_for(grown, GROWN_BYTES)
    before, small = cost(grown.mail(times)), None
    for factor in (2, 4):
        mail = grown.mail(times * factor)
        took = cost(mail)
        if wrong := complaint(mail, took, limit):
            return f"{wrong}: {grown.words}", mail, took
        small = outgrows(before, took)
        if not small:
            return None, mail, took
        before = took
    return f"{small}: {grown.words}", mail, took


def outgrows(before: Cost, after: Cost) -> str | None:
    """Whether twice the size costs far more than twice as much."""
    if after.seconds > max(NOTICEABLE_SECONDS, RATIO * before.seconds):
        return f"time grows from {before.seconds:.2f} to {after.seconds:.2f} s"
    if after.megabytes > max(NOTICEABLE_MEGABYTES, RATIO * before.megabytes):
        return f"memory grows from {before.megabytes:.0f} to {after.megabytes:.0f} MB"
    return None


def run(executions: int, seed: int, limit: float = 1.0) -> Tally:
    """Read `executions` mails; `limit` is CPU seconds for one, whatever its size."""
    tally, rng = Tally(), random.Random(seed)
    for number, mail in enumerate(mails(executions, seed)):
        if number % GROWTH == GROWTH - 1:
            wrong, mail, took = growth_complaint(growing(mail[:_LARGEST_SEED], TOKENS, rng), limit)  # noqa: PLW2901
        else:
            took = cost(mail)
            wrong = complaint(mail, took, limit)
        tally.executions += 1
        tally.refused += took.refused
        tally.slowest = max(tally.slowest, took.seconds)
        tally.largest = max(tally.largest, took.megabytes)
        if wrong:
            tally.failures.append((wrong, mail))
    return tally


def be_limited() -> None:
    """A mail that hangs or eats memory ends by an exception, and the run goes on."""

    def hang(*_: object) -> None:
        raise Hanging

    signal.signal(signal.SIGPROF, hang)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, resource.RLIM_INFINITY))


def main() -> int:
    """Run from the command line."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--executions", type=int, default=20_000)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--limit", type=float, default=1.0, help="CPU seconds for one mail")
    options.add_argument("--keep", type=Path, help="folder for mails that failed")
    chosen = options.parse_args()
    be_limited()
    tally = run(chosen.executions, chosen.seed, chosen.limit)
    for number, (wrong, mail) in enumerate(tally.failures):
        sys.stderr.write(f"{wrong}\n")
        if chosen.keep:
            chosen.keep.mkdir(parents=True, exist_ok=True)
            (chosen.keep / f"{number:04}.eml").write_bytes(mail)
    sys.stdout.write(
        json.dumps(
            {
                "executions": tally.executions,
                "seed": chosen.seed,
                "refused": tally.refused,
                "failures": len(tally.failures),
                "slowest_seconds": round(tally.slowest, 3),
                "largest_megabytes": round(tally.largest),
            }
        )
        + "\n"
    )
    return 1 if tally.failures else 0


if __name__ == "__main__":
    sys.exit(main())
