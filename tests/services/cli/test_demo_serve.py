"""`postroom demo --serve`: a filled desk, and the console's address with the token for the first user."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx

from tests.servers.presence import PATIENCE_SECONDS
from tests.services.cli.conftest import Run


def test_the_demo_opens_a_console_on_its_desk(tmp_path: Path) -> None:
    command = (sys.executable, "-m", "services.cli.main", "demo", "--serve", "--port", "0", "--data", str(tmp_path))
    env = {name: value for name, value in os.environ.items() if not name.startswith("POSTROOM_")}
    process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        said = next(line for line in process.stderr if "The console is at" in line)
        found = re.search(r"(http://127\.0\.0\.1:\d+/)(set-up\?token=\S+);", said)
        assert found, said
        assert httpx.get(f"{found[1]}{found[2]}").status_code == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_SECONDS) == 0
    finally:
        process.kill()
        process.communicate()


def test_the_conversation_is_not_served(run: Run) -> None:
    refused = run("demo", "--serve", "--scenario", "conversation")
    assert refused.code == 2
    assert "clock" in refused.err
