"""What the integrators' examples say of what a person can put right; no broker is needed for that.

What they do on a real one is in `tests/test_docs_examples.py`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers.presence import PATIENCE_SECONDS

EXAMPLES = Path(__file__).parents[3] / "examples"


def run(*words: str | Path, url: str = "amqp://localhost:1/%2F") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "POSTROOM_BROKER_URL": url, "RABBITMQ_API": "http://localhost:1"}
    command = [str(word) for word in words]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )


@pytest.fixture
def mail(tmp_path: Path) -> Path:
    path = tmp_path / "one.eml"
    path.write_bytes(b"Subject: x\n\ny\n")
    return path


@pytest.mark.parametrize("url", ["nonsense", "amqp://localhost:no/"])
@pytest.mark.parametrize("script", ["publish.py", "listen.py"])
def test_an_invalid_broker_url_is_a_temporary_failure(script: str, url: str, mail: Path) -> None:
    mails = [mail] if script == "publish.py" else []
    done = run(sys.executable, EXAMPLES / script, *mails, url=url)
    assert (done.returncode, done.stdout) == (75, "")
    assert "POSTROOM_BROKER_URL must look like amqp://user:password@host:5672/%2F" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_address_without_a_server_is_reported(mail: Path) -> None:
    done = run(sys.executable, EXAMPLES / "publish.py", mail)
    assert (done.returncode, done.stderr.startswith("not taken: RabbitMQ at localhost:1: ")) == (75, True)


def test_the_shell_example_does_not_take_a_folder_for_an_empty_mail(tmp_path: Path) -> None:
    done = run("sh", EXAMPLES / "publish.sh", tmp_path)
    assert (done.returncode, done.stderr) == (75, f"not taken: {tmp_path} cannot be read\n")
