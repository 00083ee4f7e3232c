"""A real Prometheus for tests, unpacked beside the system and not started as a service (`tests/servers/install.sh`)."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.error import URLError
from urllib.parse import quote
from urllib.request import urlopen

from tests.servers.presence import PATIENCE_SECONDS, free_port, missing

BESIDE: Final = Path("/var/cache/postroom-tests/prometheus/usr/bin")


def program(name: str) -> str:
    """The path of `prometheus` or `promtool`; skips, or fails in continuous integration, when it is missing."""
    beside = BESIDE / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        missing(name)
    return found


class Prometheus:
    """One that runs."""

    def __init__(self, port: int) -> None:
        self.address = f"http://127.0.0.1:{port}"

    def ask(self, path: str) -> Any:
        """What its API answers under /api/v1/."""
        with urlopen(f"{self.address}/api/v1/{path}", timeout=PATIENCE_SECONDS) as answer:
            return json.load(answer)["data"]

    def values(self, query: str) -> dict[tuple[tuple[str, str], ...], float]:
        """The result of a query: labels → value."""
        found = self.ask(f"query?query={quote(query)}")["result"]
        return {tuple(sorted(each["metric"].items())): float(each["value"][1]) for each in found}


@contextmanager
def running(folder: Path, target: str, rules: Path | None = None) -> Iterator[Prometheus]:
    """Prometheus that scrapes `target` (host:port) every second, and evaluates rules as often."""
    files = f"rule_files: [{json.dumps(str(rules))}]\n" if rules else ""
    config = folder / "prometheus.yml"
    config.write_text(
        f"global: {{scrape_interval: 1s, evaluation_interval: 1s}}\n{files}"
        f"scrape_configs: [{{job_name: postroom, static_configs: [{{targets: [{json.dumps(target)}]}}]}}]\n"
    )
    port = free_port()
    listen, data = f"--web.listen-address=127.0.0.1:{port}", f"--storage.tsdb.path={folder / 'tsdb'}"
    command = [program("prometheus"), f"--config.file={config}", listen, data]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
    try:
        _wait_until_ready(port)
        yield Prometheus(port)
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)


def _wait_until_ready(port: int, seconds: float = PATIENCE_SECONDS) -> None:
    until = time.monotonic() + seconds
    while True:
        try:
            with urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=2):
                return
        except (URLError, OSError):
            assert time.monotonic() < until, "Prometheus did not start"
            time.sleep(0.1)
