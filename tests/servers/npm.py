"""Packages from npm for tests, in a temporary folder: no `node_modules` in the checkout, nothing in the home folder."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.servers.presence import missing

CACHE = Path(__file__).parents[2] / ".test-servers" / "npm"
"""Packages that npm has fetched, so that the second run needs no network."""
OPTIONS = (
    "--no-audit",
    "--no-fund",
    "--no-update-notifier",
    "--fetch-retries=1",
    "--prefer-offline",
    f"--cache={CACHE}",
)
TIMEOUT_SECONDS = 120


def install(project: Path, target: Path) -> Path:
    """Copy a project's own files to `target` and fetch what its lock names. Skips, or fails in CI, when it cannot."""
    if not (shutil.which("node") and shutil.which("npm")):
        missing("node with npm")
    shutil.copytree(project, target, ignore=shutil.ignore_patterns("node_modules"))
    command = ["npm", "ci", *OPTIONS]
    done = subprocess.run(command, cwd=target, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False)
    if done.returncode and os.environ.get("CI") != "true":
        pytest.skip(f"the packages of {project.name} cannot be fetched with npm")
    assert not done.returncode, done.stderr
    return target
