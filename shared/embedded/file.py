"""The one SQLite file of the embedded default: connections, transactions, errors.

Both embedded adapters (broker and documents) keep their tables here. Each thread has its own connection.
Writes are durable when their transaction ends: write-ahead log with `synchronous=FULL`. Inside `sync_later` they are in
the log, which survives the process, and are synced a moment later, or with the next transaction that is (decision
0189). A write transaction always begins IMMEDIATE, so that it never fails half-way because the write lock is taken.
"""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from shared.contracts.errors import Misconfigured, Unavailable
from shared.embedded.write_ahead_log import WriteAheadLog
from shared.lazy_pattern import lazy_compile

FILE_NAME = "postroom.sqlite"
BUSY_SECONDS = 30.0
LOOK_SECONDS = 0.005
"""How often a write that waits for another looks whether that has ended.

SQLite looks ever more seldom, at last ten times a second, and misses the moments between the transactions of an `up`
that works through a backlog.
"""
FORMAT = 2
"""Kept as `user_version`; goes up when a program of before cannot work with a file of this one."""
BROUGHT_UP_TO_DATE = frozenset({1})
"""Formats of before: 1 kept the values of arrays by the id of their document. Indexes are then made anew."""
_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "cache_size=-16384",
    "wal_autocheckpoint=8000",
    "secure_delete=OFF",  # some builds fill each freed page with zeros: every message that leaves its queue
)


_NAMED = lazy_compile(r"IF NOT EXISTS (\w+)")
_CANNOT_SYNC_FOLDERS = frozenset({errno.EINVAL, errno.ENOTSUP})
"""What some file systems answer when a folder is to be synced."""
_FULL_BYTES = 64 << 10
"""With less space SQLite cannot begin its log, and calls that an I/O error."""
_ERRORS_OF_THE_CALLER = (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.DataError)


def _is_full(folder: Path) -> bool:
    """Whether the disk of a folder has no space left; a folder that cannot be asked has some."""
    try:
        return shutil.disk_usage(folder).free < _FULL_BYTES
    except OSError:
        return False


def _cause(file: Path) -> str:
    """What the disk says, where SQLite's own words do not."""
    if _is_full(file.parent):
        return "its disk is full: "
    if os.access(file, os.F_OK) and not os.access(file, os.R_OK | os.W_OK):
        return "this user may not read and write it: "
    if not os.access(file.parent, os.W_OK):
        return "this user may not write in its folder: "
    return ""


class _Thread(threading.local):
    """The state of one thread: its connection, whether its commits are synced, and the batch it is in."""

    connection: sqlite3.Connection | None = None
    synced = True
    postponed = False
    depth = 0
    broken: Unavailable | None = None
    seen: dict[Any, Any] | None = None


class LocalFile:
    """A SQLite file in `folder`, made when missing.

    Raises `Unavailable` for errors of disk or locks, `Misconfigured` for a file that another version wrote.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE_NAME
        self._mine = _Thread()
        self._all: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        self.rollbacks = 0
        """How often a batch was taken back, and with it a table that it made."""
        self._log = WriteAheadLog(self.path)
        self._translation, self._whole = _Translation(self), _WholeWrite(self)
        try:
            _make_folder(folder)
        except OSError as error:
            raise Unavailable(f"cannot make the data folder {folder}: {error.strerror}") from error
        _keep_private(self.path)

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection of this thread, opened at its first use."""
        if self._mine.connection is None:
            self._mine.connection = self._open()
        return self._mine.connection

    def _open(self) -> sqlite3.Connection:
        with self.translated():
            connection = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
            for pragma in _PRAGMAS:
                connection.execute(f"PRAGMA {pragma}")
            self._agree_on_format(connection)
        with self._lock:
            self._all.append(connection)
        return connection

    def _agree_on_format(self, connection: sqlite3.Connection) -> None:
        """A new file gets our format, and one that we can bring up to date; any other is not touched.

        Raises `Misconfigured`.
        """
        if format_of(connection) == FORMAT:
            return
        connection.execute("BEGIN IMMEDIATE")
        if not connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
            connection.execute(f"PRAGMA user_version = {FORMAT}")
        elif format_of(connection) in BROUGHT_UP_TO_DATE:
            connection.execute("DROP TABLE IF EXISTS ensured")  # so that every declared index is looked at
            connection.execute(f"PRAGMA user_version = {FORMAT}")
        connection.execute("COMMIT")
        if (found := format_of(connection)) != FORMAT:
            connection.close()
            formats = f"format {found}, this one has {FORMAT}"
            problem = f"{self.path.parent} was written by another version of Postroom ({formats})"
            raise Misconfigured(f'{problem}; use that version, or another folder; see docs/operations.md, "Upgrading"')

    def translated(self) -> _Translation:
        """Turn SQLite's operational errors (locked, full, unreadable) into `Unavailable`."""
        return self._translation

    def unavailable(self, error: BaseException) -> Unavailable:
        """The error as ours; a batch that this thread is in cannot be committed any more."""
        broken = Unavailable(f"the data file {self.path} cannot be used: {_cause(self.path)}{error}")
        if self._mine.depth:
            self._mine.broken = broken
        return broken

    def make(self, schema: str) -> None:
        """Make the tables and indexes of a schema that are missing.

        It looks first, without the write lock: a command that only looks must not wait for a worker that writes.
        """
        with self.translated():
            there = {str(row[0]) for row in self.connection.execute("SELECT name FROM sqlite_master")}
        if there.issuperset(_NAMED.findall(schema)):
            return
        with self.writing() as db:
            for statement in filter(str.strip, schema.split(";")):
                db.execute(statement)

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One atomic write: a transaction of its own, or a savepoint of the batch this thread is in."""
        connection = self.connection
        with self.translated():
            if self._joined(connection):
                connection.execute("SAVEPOINT write")
            else:
                self._begin(connection)
        try:
            with self.translated():
                yield connection
                if self._mine.depth:
                    connection.execute("RELEASE write")
                else:
                    self._commit(connection)
        except BaseException:
            self._undo(connection)
            raise

    @contextmanager
    def sync_later(self) -> Iterator[None]:
        """Let this thread's transactions inside the block be synced a moment later.

        For what is done again from something that is synced, and of which nothing leaves this machine before another
        transaction, which is synced and takes along all that is before it in the log.
        """
        self._mine.postponed = True
        try:
            yield
        finally:
            self._mine.postponed = False

    def sync(self) -> None:
        """Sync what waits for it, of all threads. Raises `Unavailable`."""
        try:
            self._log.sync()
        except OSError as error:
            raise self.unavailable(error) from error

    def _begin(self, connection: sqlite3.Connection) -> None:
        if not self._log.can_sync_later:
            self.sync()  # what was committed before and could not be synced: nothing is written behind it
        synced = not (self._mine.postponed and self._log.can_sync_later)
        if synced is not self._mine.synced:
            connection.execute(f"PRAGMA synchronous={'FULL' if synced else 'NORMAL'}")
            self._mine.synced = synced
        connection.execute("PRAGMA busy_timeout=0")
        try:
            _lock(connection)
        finally:
            connection.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000:.0f}")

    def _commit(self, connection: sqlite3.Connection) -> None:
        connection.execute("COMMIT")
        self._log.committed(synced=self._mine.synced)

    def writing_whole(self) -> AbstractContextManager[sqlite3.Connection]:
        """A write that fails at its first statement or not at all: in a batch it needs no savepoint.

        A failure of the disk behind the first statement takes the whole batch back.
        """
        return self._whole if self._mine.depth else self.writing()

    def join(self) -> sqlite3.Connection:
        """The connection of this thread inside the transaction of its batch."""
        connection = self.connection
        self._joined(connection)
        return connection

    @property
    def seen(self) -> dict[Any, Any] | None:
        """What this thread's batch has read and written since its transaction began, for who keeps it here.

        Until the transaction ends nobody else can write. None outside of a batch, and before its first write.
        """
        return self._mine.seen

    def _joined(self, connection: sqlite3.Connection) -> bool:
        """Whether this thread is in a batch; its transaction begins with the first write."""
        if not self._mine.depth:
            return False
        if self._mine.broken:
            raise self._mine.broken
        if not connection.in_transaction:
            self._begin(connection)
            self._mine.seen = {}
        return True

    def _undo(self, connection: sqlite3.Connection) -> None:
        """Roll back the write. A full disk makes SQLite end the whole transaction by itself."""
        if self._mine.seen:
            self._mine.seen.clear()
        if not connection.in_transaction:
            return
        try:
            connection.execute("ROLLBACK TO write" if self._mine.depth else "ROLLBACK")
            if self._mine.depth:
                connection.execute("RELEASE write")
        except sqlite3.Error:
            if connection.in_transaction:
                connection.rollback()

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Writes of this thread inside the block become durable together at its end, or not at all."""
        mine = self._mine
        if mine.depth:
            yield
            return
        mine.depth, mine.broken = 1, None
        try:
            yield
        except BaseException:
            self._end(commit=False)
            raise
        broken = mine.broken
        self._end(commit=broken is None)
        if broken:
            raise broken

    def _end(self, *, commit: bool) -> None:
        self._mine.depth, self._mine.broken, self._mine.seen = 0, None, None
        connection = self._mine.connection
        self.rollbacks += not commit
        if connection is None or not connection.in_transaction:
            return
        try:
            with self.translated():
                if commit:
                    self._commit(connection)
                else:
                    connection.execute("ROLLBACK")
        except Unavailable:
            self.rollbacks += 1
            if connection.in_transaction:
                connection.rollback()
            raise

    def close(self) -> None:
        """Close every thread's connection. Safe to call twice."""
        self._log.close()
        with self._lock:
            connections, self._all = self._all, []
        for connection in connections:
            connection.close()
        self._mine = _Thread()


def _lock(connection: sqlite3.Connection) -> None:
    """Begin a transaction that writes, once no other does."""
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() >= until:
                raise
            time.sleep(LOOK_SECONDS)
        else:
            return


class _WholeWrite:
    """The context of `writing_whole` in a batch: without state, like that of `translated`."""

    def __init__(self, file: LocalFile) -> None:
        self._file = file

    def __enter__(self) -> sqlite3.Connection:
        with self._file.translated():
            return self._file.join()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._file.translated().__exit__(kind, error, trace)


class _Translation:
    """The context of `translated`: without state, so that one object serves every statement of every thread."""

    def __init__(self, file: LocalFile) -> None:
        self._file = file

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, _ERRORS_OF_THE_CALLER):
            raise self._file.unavailable(error) from error


def _make_folder(folder: Path) -> None:
    """Make a folder, and its name durable: a power cut must not lose it with what was synced in it."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for each in missing:
        try:
            descriptor = os.open(each.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except PermissionError:  # a folder that may be written but not read
            continue
        try:
            os.fsync(descriptor)
        except OSError as error:
            if error.errno not in _CANNOT_SYNC_FOLDERS:
                raise
        finally:
            os.close(descriptor)


def _keep_private(path: Path) -> None:
    """Make the data file if it is missing, for its owner alone; SQLite gives its other files the same mode.

    A link is not followed: it could lead to a place that another user chose. An existing file is never opened here,
    because closing it would end the locks that SQLite holds on it. Raises `Misconfigured`, `Unavailable`.
    """
    ours = (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm"))
    if link := next((each for each in ours if each.is_symlink()), None):
        raise Misconfigured(f"{link} is a symbolic link; remove it, or name the folder that holds the file itself")
    try:
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise Unavailable(f"the data file {path} cannot be used: {error.strerror}") from error
    for each in ours:
        _tighten(each)


def _tighten(path: Path) -> None:
    """Remove other users' rights to a file; a file of another owner is left unchanged."""
    with suppress(FileNotFoundError, PermissionError):
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            path.chmod(mode & 0o700)


def format_of(connection: sqlite3.Connection) -> int:
    """The format of a file; 0 for one that no version of Postroom wrote."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
