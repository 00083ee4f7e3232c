"""A test run leaves nothing in the temporary folder but what failed, by runs of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers.presence import PATIENCE_SECONDS

ROOT = Path(__file__).parents[1]
HEAD = """
import pytest

pytest_plugins = ["tests.temporary"]

@pytest.fixture(scope="session")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("server")
    (folder / "data").mkdir()
    (folder / "data" / "mail").write_text("large")
    (folder / "server.log").write_text("started")
    return folder

def test_passes(tmp_path, server):
    (tmp_path / "a").write_text("a")
"""
FAILS = """
def test_fails(tmp_path, server):
    (tmp_path / "evidence").write_text("b")
    assert not server.exists()
"""


def left_by(folder: Path, tests: str) -> set[str]:
    """Files and folders, by their last two names, that a run leaves in its temporary folder."""
    temporary = folder / "tmp"
    temporary.mkdir()
    (folder / "conftest.py").write_text(tests.partition("def test")[0])
    (folder / "test_some.py").write_text("def test" + tests.partition("def test")[2])
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", ROOT / "pyproject.toml"]
    places = dict.fromkeys(("TMPDIR", "PYTEST_DEBUG_TEMPROOT"), str(temporary))
    environment = {**os.environ, **places, "PYTHONPATH": str(ROOT)}
    subprocess.run(
        [*command, f"--rootdir={folder}", folder], env=environment, cwd=folder, timeout=PATIENCE_SECONDS, check=False
    )
    files = [path for path in temporary.rglob("*") if not path.is_dir() and not path.is_symlink()]
    return {"/".join(path.parts[-2:]) for path in files if path.name != ".lock"} | {
        path.name for path in temporary.iterdir()
    }


def test_a_run_that_fails_leaves_the_folder_of_the_failed_test_and_the_logs_of_servers(tmp_path: Path) -> None:
    left = left_by(tmp_path, HEAD + FAILS)
    assert {name for name in left if not name.startswith("pytest-of-")} == {
        "test_fails0/evidence",
        "server0/server.log",
    }


SKIPS = """
def test_skips(tmp_path, server):
    import pytest
    pytest.skip("no reason")
"""


@pytest.mark.parametrize(
    "tests", [HEAD, HEAD + SKIPS, HEAD.partition("def test")[0]], ids=["passed", "skipped", "no tests"]
)
def test_a_run_without_failures_leaves_nothing(tmp_path: Path, tests: str) -> None:
    assert left_by(tmp_path, tests) == set()
