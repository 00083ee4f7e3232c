"""The script of the checkout; the environment is there already, because these tests run in it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
MADE_BY_SETUP = any((ROOT / ".venv").glob("*.ready"))


@pytest.mark.skipif(not MADE_BY_SETUP, reason="this environment was not made by setup.sh")
def test_the_script_runs_from_anywhere_and_through_a_link(tmp_path: Path) -> None:
    link = tmp_path / "with a blank"
    link.symlink_to(ROOT / "postroom")
    done = subprocess.run([link, "--version"], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("postroom ")
