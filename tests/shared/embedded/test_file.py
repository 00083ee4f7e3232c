"""The file of the embedded default, as it is opened."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Final

import pytest

from shared.contracts.errors import Misconfigured, Unavailable
from shared.embedded import file as file_module
from shared.embedded import write_ahead_log
from shared.embedded.file import FILE_NAME, FORMAT, LOOK_SECONDS, LocalFile
from tests.conformance.lanes import eventually
from tests.servers.presence import PATIENCE_SECONDS


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
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=PATIENCE_SECONDS, check=False)
    assert b"locked" in other.stderr
    first.close()


@pytest.fixture
def file(tmp_path: Path) -> Iterator[LocalFile]:
    """With a table."""
    made = LocalFile(tmp_path)
    made.make("CREATE TABLE IF NOT EXISTS t(x)")
    yield made
    made.close()


def keepers() -> list[threading.Thread]:
    """The threads that keep a log."""
    return [each for each in threading.enumerate() if each.name == "write-ahead log"]


def write(file: LocalFile, size: int = 1) -> None:
    with file.writing() as db:
        db.execute("INSERT INTO t VALUES(randomblob(?))", (size,))


def test_a_write_that_waits_for_another_begins_soon_after_it(
    file: LocalFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An `up` with a backlog leaves others only moments to write in."""
    other, looks = LocalFile(tmp_path), list[float]()
    other.connection.execute("BEGIN IMMEDIATE")

    def sleep(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 3:
            other.connection.execute("COMMIT")

    monkeypatch.setattr(time, "sleep", sleep)
    write(file)
    assert looks == [LOOK_SECONDS] * 3
    other.close()


def test_a_write_that_waited_too_long_is_unavailable_and_reads_wait_as_before(
    file: LocalFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_module, "BUSY_SECONDS", 0.02)
    other = LocalFile(tmp_path)
    other.connection.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable, match="locked"):
        write(file)
    assert file.connection.execute("PRAGMA busy_timeout").fetchone() == (20,)
    other.connection.execute("COMMIT")
    other.close()


@pytest.fixture
def syncs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that Python syncs, from here on; SQLite's own syncs are not among them."""
    made, original = list[str](), os.fsync

    def fsync(descriptor: int) -> None:
        original(descriptor)
        made.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)

    monkeypatch.setattr(os, "fsync", fsync)
    return made


def test_the_name_of_a_new_folder_is_synced(tmp_path: Path, syncs: list[str]) -> None:
    """A power cut must not lose the folder with all that was synced in it."""
    for _ in range(2):
        LocalFile(tmp_path / "desk" / "data").close()
    assert syncs == ["desk", tmp_path.name]


def test_a_full_disk_is_named(file: LocalFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite cannot begin its log then, and calls it an I/O error."""
    error = sqlite3.OperationalError("disk I/O error")
    assert str(file.unavailable(error)) == f"the data file {file.path} cannot be used: disk I/O error"
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=4096))
    assert str(file.unavailable(error)) == f"the data file {file.path} cannot be used: its disk is full: disk I/O error"


@pytest.mark.parametrize(
    ("barred", "cause"),
    [("file", "this user may not read and write it"), ("folder", "this user may not write in its folder")],
)
def test_missing_permissions_are_named(
    file: LocalFile, monkeypatch: pytest.MonkeyPatch, barred: str, cause: str
) -> None:
    """SQLite says of both that it is unable to open the file."""
    where = {"file": file.path, "folder": file.path.parent}[barred]
    monkeypatch.setattr(os, "access", lambda path, mode: mode == os.F_OK or path != where)
    error = sqlite3.OperationalError("unable to open database file")
    assert str(file.unavailable(error)) == f"the data file {file.path} cannot be used: {cause}: {error}"


@pytest.mark.parametrize(("number", "is_made"), [(errno.EINVAL, True), (errno.ENOTSUP, True), (errno.EIO, False)])
def test_some_file_systems_sync_no_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, is_made: bool
) -> None:
    def fsync(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fsync)
    with nullcontext() if is_made else pytest.raises(Unavailable, match="cannot make the data folder"):
        LocalFile(tmp_path / "data")


def test_a_long_log_is_copied_into_the_file_beside_the_work(file: LocalFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write_ahead_log, "EVERY_SECONDS", 0.0)
    file.connection.execute("PRAGMA wal_autocheckpoint=0")
    for _ in range(2):
        write(file, write_ahead_log.WORTH_COPYING)
    eventually(lambda: file.path.stat().st_size > write_ahead_log.WORTH_COPYING)
    file.close()
    assert not keepers()


def test_what_is_synced_needs_no_thread_while_the_log_is_short(file: LocalFile, syncs: list[str]) -> None:
    write(file)
    assert not keepers()
    file.sync()
    assert syncs == []


def test_what_waits_for_its_sync_is_synced_a_moment_later(file: LocalFile, syncs: list[str]) -> None:
    with file.sync_later():
        write(file)
    eventually(lambda: syncs == [f"{FILE_NAME}-wal"])
    file.sync()
    assert len(syncs) == 1, "nothing waits any more"


def test_who_asks_has_it_synced_at_once(file: LocalFile, syncs: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file._log, "_start", lambda: None)
    with file.sync_later():
        write(file)
    file.sync()
    assert syncs == [f"{FILE_NAME}-wal"]


def test_a_synced_commit_that_changes_nothing_leaves_what_waits_waiting(
    file: LocalFile, syncs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite syncs nothing then."""
    monkeypatch.setattr(file._log, "_start", lambda: None)
    with file.sync_later():
        write(file)
    with file.writing() as db:
        db.execute("UPDATE t SET x = 1 WHERE x = 'no such value'")
    file.sync()
    assert syncs == [f"{FILE_NAME}-wal"]


class Disk:
    """Syncs by Python fail `failing` times, then succeed; SQLite's own are not among them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, failing: int) -> None:
        self.asked, self._failing, self._sync = 0, failing, os.fsync
        monkeypatch.setattr(os, "fsync", self.fsync)

    def fsync(self, descriptor: int) -> None:
        self.asked += 1
        if self.asked <= self._failing:
            raise OSError(5, "Input/output error")
        self._sync(descriptor)


def test_where_the_log_cannot_be_synced_beside_every_commit_is_synced(
    file: LocalFile, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What was committed just before is synced at once, not with the next commit that writes."""
    disk, statements = Disk(monkeypatch, failing=1), list[str]()
    file.connection.set_trace_callback(statements.append)
    with file.sync_later():
        write(file)
        eventually(lambda: disk.asked == 2)
        write(file)
    assert [each for each in statements if each.startswith(("PRAGMA synchronous", "COMMIT"))] == [
        "PRAGMA synchronous=NORMAL", "COMMIT", "PRAGMA synchronous=FULL", "COMMIT"
    ]  # fmt: skip
    assert [each.msg for each in caplog.records] == ["log_not_kept_beside"]
    file.sync()
    assert disk.asked == 2, "nothing was left"


def test_nothing_is_written_behind_what_cannot_be_synced(file: LocalFile, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(monkeypatch, failing=4)
    with file.sync_later():
        write(file)
        eventually(lambda: disk.asked == 2)
    for refused in (lambda: write(file), file.sync):
        with pytest.raises(Unavailable, match="Input/output error"):
            refused()
    write(file)
    assert disk.asked == 5
    assert file.connection.execute("SELECT count(*) FROM t").fetchone() == (2,)


def test_what_was_open_while_the_log_ceased_to_be_kept_is_synced_at_once(
    file: LocalFile, syncs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file._log, "_start", lambda: None)
    with file.sync_later(), file.writing() as db:
        db.execute("INSERT INTO t VALUES(1)")
        file._log._cannot_work(OSError(5, "Input/output error"))
    assert syncs == [f"{FILE_NAME}-wal"]


NEW_LOG: Final = """
import os, sys
from pathlib import Path
from shared.embedded.file import LocalFile

folder = Path(sys.argv[1])
file = LocalFile(folder)
file.connection
assert not (folder / "postroom.sqlite-wal").stat().st_size
file._log._start = lambda: None
with file.sync_later(), file.writing() as db:
    db.execute("INSERT INTO t VALUES(1)")
os._exit(0)
"""


def test_sqlite_syncs_the_folder_of_a_new_log_before_anything_is_committed_in_it(tmp_path: Path) -> None:
    """Also where no commit is synced: otherwise a power cut could leave a folder without the log (decision 0189)."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed")
    folder = tmp_path / "data"
    before = LocalFile(folder)
    before.make("CREATE TABLE IF NOT EXISTS t(x)")
    before.close()
    assert not (folder / f"{FILE_NAME}-wal").exists()
    trace = ["-f", "-y", "-e", "trace=fsync,fdatasync", "-o", str(tmp_path / "trace")]
    command = [strace, *trace, sys.executable, "-c", NEW_LOG, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)
    if "PTRACE" in done.stderr:
        pytest.skip("processes cannot be traced here")
    assert done.returncode == 0, done.stderr
    assert f"<{folder}>)" in (tmp_path / "trace").read_text()
