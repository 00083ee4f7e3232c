"""`--metrics-port` of real processes: each serves its own, and one without it imports nothing of it."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from tests.servers.presence import PATIENCE_SECONDS, free_port

ROOT = Path(__file__).parents[3]


@contextmanager
def started(*words: str, data: Path) -> Iterator[None]:
    """A command that runs until the block ends."""
    argv = [sys.executable, "-m", "services.cli.main", *words, "--data", str(data)]
    process = subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)


def page(port: int, path: str, seconds: float = PATIENCE_SECONDS) -> str:
    """What a process serves, as soon as it does."""
    until = time.monotonic() + seconds
    while True:
        try:
            with urlopen(f"http://127.0.0.1:{port}/{path}", timeout=PATIENCE_SECONDS) as answer:
                return str(answer.read().decode())
        except (URLError, OSError):
            assert time.monotonic() < until, f"nothing serves /{path} on {port}"
            time.sleep(0.1)


def adjacent_ports() -> int:
    """The first of two free ports that follow each other."""
    while True:
        first = free_port()
        with socket.socket() as second, suppress(OSError):
            second.bind(("127.0.0.1", first + 1))
            return first


@pytest.mark.req("PR-14")
@pytest.mark.parametrize(
    ("words", "ports"),
    [(("worker", "filter", "--concurrency", "2"), 2), (("console", "--port", "0"), 1), (("up", "--no-console"), 1)],
    ids=["two workers", "the console", "up"],
)
def test_each_process_serves_its_own_metrics(words: Sequence[str], ports: int, tmp_path: Path) -> None:
    first = adjacent_ports()
    with started(*words, "--metrics-port", str(first), data=tmp_path / "data"):
        for port in range(first, first + ports):
            assert page(port, "readyz") == "ok\n"
            assert page(port, "livez") == "ok\n"
            assert "postroom_build_info" in page(port, "metrics")
