"""Test runs leave nothing in the temporary folder but what failed: the folders of failed tests, and logs of servers.

pytest removes the folder of each test that passed (`tmp_path_retention_policy`). It keeps those that fixtures share,
data of servers included, as soon as one test failed, and its own folder for each user always.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

FAILED = pytest.StashKey[set[Path]]()
"""Temporary folders of failed tests."""
LOGS = "*.log"


def pytest_configure(config: pytest.Config) -> None:
    config.stash[FAILED] = set()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Note the folder of a test that failed."""
    report = yield
    folder = getattr(item, "funcargs", {}).get("tmp_path")
    if report.failed and folder is not None:
        item.config.stash[FAILED].add(folder)
    return report


@pytest.fixture(scope="session", autouse=True)
def shared_folders_are_removed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """Set up before the fixtures that share folders, so that it ends after their servers."""
    yield
    if request.config.option.basetemp is None:
        prune(tmp_path_factory.getbasetemp(), request.config.stash[FAILED])


def prune(base: Path, failed: set[Path]) -> None:
    """Remove what is neither in a folder of `failed` nor, if anything failed at all, a log."""
    for folder in base.iterdir():
        if folder in failed or folder.is_symlink() or not folder.is_dir():
            continue
        if failed:
            _keep_logs(folder)
        else:
            shutil.rmtree(folder, ignore_errors=True)


def _keep_logs(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):  # what is inside a folder comes before the folder
        if path.is_dir() and not path.is_symlink():
            with suppress(OSError):
                path.rmdir()
        elif not path.match(LOGS):
            path.unlink(missing_ok=True)
    with suppress(OSError):
        folder.rmdir()


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the folder of this user, when it is empty."""
    factory = getattr(config, "_tmp_path_factory", None)  # no public name gives it outside a fixture
    base = getattr(factory, "_basetemp", None)
    if base is not None and config.option.basetemp is None:
        remove_empty(base)


def remove_empty(base: Path) -> None:
    """Remove a session's folder and that of its user, as far as they hold nothing but locks and dead links."""
    for folder in (base, base.parent):
        with suppress(OSError):
            left = list(folder.iterdir())
            if all(path.name == ".lock" or (path.is_symlink() and not path.exists()) for path in left):
                shutil.rmtree(folder)
