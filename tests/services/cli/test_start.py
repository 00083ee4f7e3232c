"""What a command imports, which is most of its start. Modules are counted, no clock is read."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
COMMAND = """
import json, sys
from services.cli.main import main
try:
    main()
except SystemExit as done:
    print(json.dumps(sorted(sys.modules)))
    raise SystemExit(done.code)
"""
NEVER = {"pika", "pymongo", "yaml", "regex", "ssl", "email.message", "http.client", "mailparser", "selectolax", "nh3"}
"""Packages that take long, of which neither needs one."""
STAGES = {
    "services.parser.mime",
    "services.filter.rules",
    "services.record_writer.commit",
    "services.notifier.smtp",
    "services.exporter.connection",
}
CONFIGURATION = {"shared.config.model", "services.runner", "shared.runtime.worker"}


def modules(data: Path, *words: str) -> set[str]:
    """The modules that a command has imported at its end."""
    command = [sys.executable, "-c", COMMAND, *words, "--data", str(data)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder that is there already."""
    folder = tmp_path_factory.mktemp("start") / "data"
    modules(folder, "mails", "list")
    return folder


@pytest.mark.parametrize("words", [("mails", "list"), ("records", "list"), ("queues",)], ids=" ".join)
def test_a_command_that_looks_imports_no_stage_and_no_configuration(data: Path, words: tuple[str, ...]) -> None:
    assert modules(data, *words) & (NEVER | STAGES | CONFIGURATION) == set()


def test_a_run_with_nothing_to_do_imports_no_stage(data: Path) -> None:
    assert modules(data, "up", "--once") & (NEVER - {"ssl"} | STAGES) == set()  # the fetcher knows the errors of TLS
