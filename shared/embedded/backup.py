"""Backup and restore of the embedded default: a copy of its one file, checked before it counts.

Both use SQLite's own copying inside one read transaction, so that the copy is the store and the queues of one moment,
whatever is written meanwhile. A backup appears under its name only when its pages and the numbers of its rows were
checked.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from shared import processes
from shared.contracts.errors import Misconfigured, Unavailable
from shared.embedded.file import BROUGHT_UP_TO_DATE, FILE_NAME, FORMAT, LocalFile, format_of

Rows = Mapping[str, int]
"""How many rows each table has."""


def backup(folder: Path, target: Path) -> Rows:
    """Copy the data of `folder` to a new file, readable by its owner alone. Processes may go on working.

    Raises `Misconfigured` when there is no data or the file exists, `Unavailable` when it cannot be written.
    """
    if not (folder / FILE_NAME).is_file():
        raise Misconfigured(f"there is no data in {folder}; name its folder with --data")
    if target.exists():
        raise Misconfigured(f"{target} exists; a backup overwrites nothing, so name another file")
    if not target.parent.is_dir():
        raise Misconfigured(f"there is no folder {target.parent}; make it, or name a file elsewhere")
    part = target.with_name(f"{target.name}.part")
    try:
        part.unlink(missing_ok=True)
        os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        with closing(_opened(folder / FILE_NAME)) as source, closing(sqlite3.connect(part)) as copy:
            rows = _copied(source, copy)
            copy.execute("PRAGMA journal_mode=DELETE")  # one file, with nothing beside it
        part.rename(target)
    except (OSError, sqlite3.Error) as error:
        part.unlink(missing_ok=True)
        raise Unavailable(f"{target} cannot be written: {error}") from error
    return rows


def restore(file: Path, folder: Path, *, replace: bool = False) -> Rows:
    """Put a backup into `folder`. Raises `Misconfigured` when the folder holds something, unless it is to be replaced,
    when workers of this machine run on it, and when the file is not a backup.
    """
    if folder.exists() and any(folder.iterdir()) and not replace:
        raise Misconfigured(f"{folder} is not empty; name another folder, or use --replace to lose what is there")
    if _is_in_use(folder / FILE_NAME):
        raise Misconfigured(f"Postroom is running on {folder}; stop it first")
    with closing(_opened(file)) as source:
        _refuse_damage(source, file)
        data = LocalFile(folder)
        try:
            with data.translated():
                return _copied(source, data.connection)
        finally:
            data.close()


def _is_in_use(file: Path) -> bool:
    """Whether a process that runs has consumers on the data; of a file that cannot be read, nobody knows."""
    if not file.is_file():
        return False
    try:
        with closing(_opened(file)) as data:
            holders = data.execute("SELECT DISTINCT holder FROM consumers WHERE until >= ?", (time.time(),)).fetchall()
    except sqlite3.Error:
        return False
    return not all(processes.is_gone(holder.rpartition("/")[0]) for (holder,) in holders)


def _opened(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)


def _refuse_damage(source: sqlite3.Connection, file: Path) -> None:
    try:
        found, damage = format_of(source), _damage(source)
    except sqlite3.DatabaseError as error:
        raise Misconfigured(f"{file} is not a backup: {error}") from None
    if damage:
        raise Misconfigured(f"{file} is damaged: {damage}; use another backup")
    if found not in {FORMAT, *BROUGHT_UP_TO_DATE}:
        raise Misconfigured(f"{file} has format {found}, this version reads {FORMAT}; use the version that wrote it")


def _copied(source: sqlite3.Connection, copy: sqlite3.Connection) -> Rows:
    """Copy everything in one moment of the source, and check the copy."""
    source.execute("BEGIN")
    try:
        rows = _rows(source)
        source.backup(copy)
    finally:
        source.execute("ROLLBACK")
    damage = _damage(copy)
    if damage or _rows(copy) != rows:
        raise Unavailable(f"the copy is not what was copied: {damage or 'rows are missing'}")
    return rows


def _damage(connection: sqlite3.Connection) -> str:
    """The first thing that SQLite finds wrong; empty when all is well."""
    found = str(connection.execute("PRAGMA integrity_check(1)").fetchone()[0])
    return "" if found == "ok" else found


def _rows(connection: sqlite3.Connection) -> Rows:
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    names = [str(name) for (name,) in tables.fetchall()]
    return {name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in names}
