"""The file of the embedded default, as it is opened."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from shared.embedded.file import FILE_NAME, FORMAT, LocalFile
from shared.errors import Misconfigured


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
