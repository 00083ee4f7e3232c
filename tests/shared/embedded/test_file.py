"""The file of the embedded default, as it is opened."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from shared.contracts.errors import Misconfigured
from shared.embedded import checkpoints
from shared.embedded.file import FILE_NAME, FORMAT, LocalFile


def version_of(folder: Path) -> int:
    with sqlite3.connect(folder / FILE_NAME) as db:
        return int(db.execute("PRAGMA user_version").fetchone()[0])


def test_a_new_file_has_our_format(tmp_path: Path) -> None:
    for _ in range(2):
        file = LocalFile(tmp_path)
        file.connection.execute("CREATE TABLE IF NOT EXISTS t(x)")
        file.close()
    assert version_of(tmp_path) == FORMAT


@pytest.mark.parametrize("version", [0, FORMAT + 1])
def test_a_file_of_another_version_is_refused_and_stays_as_it_is(tmp_path: Path, version: int) -> None:
    with sqlite3.connect(tmp_path / FILE_NAME) as db:
        db.execute("CREATE TABLE t(x)")
        db.execute(f"PRAGMA user_version = {version}")
    told = rf"another version of Postroom \(format {version}, this one has {FORMAT}\)"
    with pytest.raises(Misconfigured, match=told):
        _ = LocalFile(tmp_path).connection
    assert version_of(tmp_path) == version


def modes_of(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mode & 0o777 for path in (folder, *folder.iterdir())}


@pytest.mark.parametrize("there", [False, True])
def test_the_files_are_for_their_owner_alone(tmp_path: Path, there: bool) -> None:
    folder = tmp_path / "data"
    if there:
        folder.mkdir(mode=0o755)
    file = LocalFile(folder)
    file.connection.execute("CREATE TABLE t(x)")
    modes = modes_of(folder)
    assert {name: mode for name, mode in modes.items() if name != "data"} == dict.fromkeys(
        (FILE_NAME, f"{FILE_NAME}-wal", f"{FILE_NAME}-shm"), 0o600
    )
    assert modes["data"] == (0o755 if there else 0o700)
    file.close()


def test_files_that_others_could_read_are_tightened(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / FILE_NAME) as db:
        db.execute(f"PRAGMA user_version = {FORMAT}")
    (tmp_path / FILE_NAME).chmod(0o644)
    LocalFile(tmp_path)
    assert modes_of(tmp_path)[FILE_NAME] == 0o600


@pytest.mark.parametrize("name", [FILE_NAME, f"{FILE_NAME}-wal", f"{FILE_NAME}-shm"])
@pytest.mark.parametrize("dangling", [True, False])
def test_a_link_in_place_of_a_file_of_ours_is_not_followed(tmp_path: Path, name: str, dangling: bool) -> None:
    elsewhere, folder = tmp_path / "elsewhere", tmp_path / "data"
    folder.mkdir()
    (folder / name).symlink_to(elsewhere)
    if not dangling:
        elsewhere.write_bytes(b"")
    with pytest.raises(Misconfigured, match="symbolic link"):
        LocalFile(folder)
    assert elsewhere.exists() is not dangling


def test_a_second_opening_keeps_the_locks_of_the_first(tmp_path: Path) -> None:
    """Closing any handle of the file would end the locks that this process holds on it (POSIX)."""
    first = LocalFile(tmp_path)
    first.connection.execute("BEGIN IMMEDIATE")
    LocalFile(tmp_path)
    code = f"import sqlite3; sqlite3.connect({str(tmp_path / FILE_NAME)!r}, timeout=0).execute('BEGIN IMMEDIATE')"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, check=False)
    assert b"locked" in other.stderr
    first.close()


def test_a_long_log_is_copied_into_the_file_beside_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "EVERY_SECONDS", 0.0)
    file = LocalFile(tmp_path)
    file.connection.execute("PRAGMA wal_autocheckpoint=0")
    file.make("CREATE TABLE IF NOT EXISTS t(x)")
    for _ in range(2):
        with file.writing() as db:
            db.execute("INSERT INTO t VALUES(randomblob(?))", (checkpoints.WORTH_COPYING,))
    deadline = time.monotonic() + 20
    while file.path.stat().st_size < checkpoints.WORTH_COPYING and time.monotonic() < deadline:
        time.sleep(0.01)
    assert file.path.stat().st_size > checkpoints.WORTH_COPYING
    file.close()
    assert not [each for each in threading.enumerate() if each.name == "checkpoints"]


def test_a_short_log_needs_no_thread(tmp_path: Path) -> None:
    file = LocalFile(tmp_path)
    file.make("CREATE TABLE IF NOT EXISTS t(x)")
    with file.writing() as db:
        db.execute("INSERT INTO t VALUES(1)")
    assert not [each for each in threading.enumerate() if each.name == "checkpoints"]
    file.close()
