"""A command line on a folder of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from services.cli.main import cli


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command did: exit code, what it printed."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[Any]:
        """The JSON objects that it printed, one a line."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def line(self) -> Any:
        """The only one."""
        (found,) = self.lines
        return found


Run = Callable[..., Ran]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The folder of the embedded default."""
    return tmp_path / "data"


@pytest.fixture
def run(data: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command on the folder; errors of ours never show a traceback."""
    for name in ("POSTROOM_DATA", "POSTROOM_BROKER_URL", "POSTROOM_STORE_URL", "POSTROOM_DEBUG"):
        monkeypatch.delenv(name, raising=False)

    def invoke(*words: str | Path, stdin: bytes = b"") -> Ran:
        done = CliRunner().invoke(cli, [*map(str, words), "--data", str(data)], input=stdin)
        assert "Traceback" not in done.stderr
        return Ran(done.exit_code, done.stdout, done.stderr)

    return invoke


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str | bytes], Path]:
    """Writes a file and gives its path."""

    def write_file(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write_file
