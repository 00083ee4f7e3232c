"""Large and hostile mails stay within time and memory; each is measured in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SLACK = 5

PROGRAM = """
import base64, json, sys, time
from services.parser import mime
from shared.contracts.errors import BoundExceeded
HEAD = b"From: a@b.example\\r\\nMIME-Version: 1.0\\r\\n"
MIXED = HEAD + b"Content-Type: multipart/mixed; boundary=x\\r\\n\\r\\n"
FILE = b"--x\\r\\nContent-Type: application/octet-stream; name=a.bin\\r\\nContent-Transfer-Encoding: %s\\r\\n\\r\\n"
N = int(sys.argv[2])
RAW = {
    "base64": lambda: MIXED + FILE % b"base64" + base64.encodebytes(bytes(range(256)) * (N // 347)) + b"--x--\\r\\n",
    "8bit": lambda: MIXED + FILE % b"8bit" + b"\\x80abc\\n" * (N // 5) + b"--x--\\r\\n",
    "broken-base64": lambda: MIXED + FILE % b"base64" + b"AA==\\r\\n" * (N // 6) + b"--x--\\r\\n",
    "quoted-printable": lambda: MIXED + FILE % b"quoted-printable" + b"=41=\\r\\n" * (N // 6) + b"--x--\\r\\n",
    "yenc": lambda: MIXED + FILE % b"x-yenc" + b"=ybegin line=128\\r\\n" + (b"=a" * 64 + b"\\r\\n") * (N // 130),
    "uuencode": lambda: MIXED + FILE % b"uuencode" + b"begin 644 a\\n" + (b"M" + b"A" * 60 + b"\\n") * (N // 62),
    "text": lambda: HEAD + b"\\r\\n" + b"some words to be read\\r\\n" * (N // 23),
    "one-line": lambda: HEAD + b"\\r\\n" + b"a" * N,
    "html": lambda: HEAD + b"Content-Type: text/html\\r\\n\\r\\n" + b"<p>some <b>words</b></p>" * (N // 24),
    "most-elements": lambda: HEAD + b"Content-Type: text/html\\r\\n\\r\\n" + b"<p>a" * min(N // 4, 99_000),
    "deep-html": lambda: HEAD + b"Content-Type: text/html\\r\\n\\r\\n" + b"<div>" * (N // 5),
    "delimiters": lambda: MIXED + b"--x\\n" * (N // 4),
    "near-delimiters": lambda: MIXED + b"--xa\\n" * (N // 5),
    "attached-mail": lambda: HEAD + b"Content-Type: message/rfc822\\r\\n\\r\\n" + HEAD + b"\\n" + b"a\\n" * (N // 2),
    "bare-cr": lambda: (HEAD + b"\\r\\n").replace(b"\\r\\n", b"\\r") + b"abc\\r" * (N // 4),
    "parameters": lambda: HEAD + b"Content-Type: text/plain" + b"; a" * (N // 3) + b"\\r\\n\\r\\nx",
    "addresses": lambda: b"From: " + b'"(<' * (N // 3) + b"\\r\\n\\r\\nx",
    "encoded-words": lambda: HEAD + b"Subject: " + b"=?a?q?" * (N // 6) + b"\\r\\n\\r\\nx",
    "nul": lambda: b"\\0" * N,
    "header-litter": lambda: HEAD + b"litter\\r\\n" * min(N // 8, 19_000) + b"\\r\\nx",
    "flowed": lambda: HEAD + b"Content-Type: text/plain; format=flowed\\r\\n\\r\\n" + b"a \\n" * (N // 3),
    "quoted": lambda: HEAD + b"In-Reply-To: <a@b>\\r\\n\\r\\n" + b"> a\\n" * (N // 4),
}
mime.read(HEAD + b"Content-Type: text/html\\r\\n\\r\\n<p>x</p>")
raw = RAW[sys.argv[1]]()
def memory(name):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(name)) // 1024
idle = memory("VmRSS") - len(raw) // 1_048_576
open("/proc/self/clear_refs", "w").write("5")
began = time.process_time()
try:
    mime.read(raw)
except BoundExceeded as refused:
    pass
print(json.dumps({"seconds": time.process_time() - began, "mb": memory("VmHWM") - idle}))
"""
KINDS = [line.split('"')[1] for line in PROGRAM.splitlines() if line.startswith('    "')]


def measured(kind: str, size: int) -> dict[str, float]:
    command = [sys.executable, "-c", PROGRAM, kind, str(size)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="measures memory through Linux's /proc")
@pytest.mark.parametrize("kind", KINDS)
def test_a_mail_of_one_megabyte_is_read_in_time(kind: str) -> None:
    assert measured(kind, 1_000_000)["seconds"] < 2 * SLACK


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="measures memory through Linux's /proc")
@pytest.mark.parametrize("kind", ["base64", "8bit", "near-delimiters", "text"])
def test_a_mail_of_fifty_megabytes_is_read_in_time_and_memory(kind: str) -> None:
    figures = measured(kind, 50_000_000)
    assert figures["seconds"] < 10 * SLACK
    assert figures["mb"] < 250


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_any_mail_of_fifty_megabytes_is_read_in_time_and_memory(kind: str) -> None:
    figures = measured(kind, 50_000_000)
    assert figures["seconds"] < 10 * SLACK
    assert figures["mb"] < 250
