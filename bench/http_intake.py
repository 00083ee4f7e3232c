"""Measure HTTP intake into the embedded default: `python -m bench.http_intake`.

The server has one core of its own, the client another. Each mail is durable before its 202; afterwards as many messages
have to wait on intake as were answered so.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.processes import POSTROOM, ROOT, Failed, cpu_of, environment, peak_mb_of

INBOX = "support"
TEXT = "The printer on the second floor shows error 50.4, and the light of tray two blinks. "


def a_mail(number: int, size: int) -> bytes:
    """A mail of about so many bytes."""
    head = (
        f"From: Anna <anna{number}@customer.example>\r\nTo: support@desk.example\r\nSubject: Printer {number}\r\n"
        f"Message-ID: <{number}@customer.example>\r\nDate: Fri, 20 Nov 2026 09:00:00 +0000\r\n\r\n"
    )
    return (head + TEXT * (max(0, size - len(head)) // len(TEXT))).encode()


@contextmanager
def server(data: Path, core: int) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """HTTP intake on one core, and its port."""
    command = ("taskset", "-c", str(core), *POSTROOM, "worker", "http-intake", "--listen", "127.0.0.1:0")
    env = environment(POSTROOM_DATA=str(data), POSTROOM_LOG="WARNING")
    process = subprocess.Popen(command, cwd=ROOT, env=env, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        if "listens on" not in line:
            raise Failed(f"the server did not start: {line}{process.stderr.read()}")
        yield process, int(line.rsplit(":", 1)[1].split("/")[0])
    finally:
        process.terminate()
        process.wait(30)


def new_token(data: Path) -> str:
    """A token for the inbox, on the data folder of this run."""
    command = (*POSTROOM, "token", "add", INBOX, "--rate", "100000000", "--json", "--data", str(data))
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=True)
    return str(json.loads(done.stdout)["token"])


def waiting_on_intake(data: Path) -> int:
    """The messages in the queue of intake."""
    command = (*POSTROOM, "queues", "--json", "--data", str(data))
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=True)
    return next(int(each["ready"]) for each in map(json.loads, done.stdout.splitlines()) if each["name"] == "intake")


async def hand_in(port: int, token: str, mails: Sequence[bytes], connections: int) -> list[float]:
    """Post all mails over so many connections; the seconds that each waited for its answer."""
    left, waits = list(enumerate(mails))[::-1], list[float]()

    async def work() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while left:
            number, mail = left.pop()
            head = (
                f"POST /intake/{INBOX} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n"
                f"Content-Type: message/rfc822\r\nIdempotency-Key: bench-{number}\r\n"
                f"Content-Length: {len(mail)}\r\n\r\n"
            )
            began = time.perf_counter()
            writer.write(head.encode() + mail)
            answer = await reader.readuntil(b"\r\n\r\n")
            if not answer.startswith(b"HTTP/1.1 202 "):
                raise Failed(answer.decode("latin-1"))
            length = int(answer.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
            waits.append(time.perf_counter() - began)
        writer.close()

    await asyncio.gather(*(work() for _ in range(connections)))
    return waits


def measured(given: argparse.Namespace) -> dict[str, float]:
    """One run on a folder of its own."""
    given.work.mkdir(parents=True, exist_ok=True)
    data = Path(tempfile.mkdtemp(prefix="http-", dir=given.work))
    try:
        token, mails = new_token(data), [a_mail(number, given.size) for number in range(given.mails)]
        cores = sorted(os.sched_getaffinity(0))
        with server(data, cores[0]) as (process, port):
            os.sched_setaffinity(0, {cores[-1]})
            before, began = cpu_of(process.pid), time.perf_counter()
            waits = sorted(asyncio.run(hand_in(port, token, mails, given.connections)))
            seconds, cpu, peak = time.perf_counter() - began, cpu_of(process.pid) - before, peak_mb_of(process.pid)
        os.sched_setaffinity(0, set(cores))
        if (kept := waiting_on_intake(data)) != given.mails:
            raise Failed(f"{given.mails} mails were answered with 202, {kept} wait on intake")
    finally:
        shutil.rmtree(data)
    return {
        "mails_per_s": round(given.mails / seconds, 1),
        "cpu_ms_per_mail": round(cpu / given.mails * 1000, 3),
        "p50_ms": round(waits[len(waits) // 2] * 1000, 1),
        "p99_ms": round(waits[len(waits) * 99 // 100] * 1000, 1),
        "peak_rss_mb": round(peak, 1),
    }


def main() -> None:
    """Measure several times, and print medians as JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.http_intake", description=__doc__)
    parser.add_argument("--mails", type=int, default=5000, help="of one run (%(default)s)")
    parser.add_argument("--size", type=int, default=4000, help="bytes of a mail (%(default)s)")
    parser.add_argument("--connections", type=int, default=64, help="at a time (%(default)s)")
    parser.add_argument("--runs", type=int, default=5, help="number of runs, whose medians count (%(default)s)")
    parser.add_argument("--work", type=Path, default=Path("bench/work"), help="for data (%(default)s)")
    given = parser.parse_args()
    rows = [measured(given) for _ in range(given.runs)]
    print(json.dumps({name: statistics.median(row[name] for row in rows) for name in rows[0]}))


if __name__ == "__main__":
    main()
