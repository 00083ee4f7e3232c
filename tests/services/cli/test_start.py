"""What commands that only look import: reading the configuration, or the parser, would double the time they take."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_SCRIPT = """
import sys
from services.cli.main import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print(*sorted(sys.modules), file=sys.stderr)
"""
HEAVY = (
    "shared.config.model",
    "services.parser.mime",
    "services.fetcher",
    "services.notifier",
    "yaml",
    "tenacity",
    "ssl",
)


@pytest.mark.parametrize(
    "words", [["--help"], ["mails", "list"], ["records", "list"], ["queues"], ["outbox", "list"]], ids=" ".join
)
def test_a_command_that_only_looks_imports_no_more_than_it_needs(tmp_path: Path, words: list[str]) -> None:
    command = [sys.executable, "-c", _SCRIPT, "--data", str(tmp_path / "data"), *words]
    for _ in range(2):  # the first one makes the store, with the default configuration
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert [each for each in HEAVY if each in done.stderr.split()] == []
