"""Backup and restore: one file, of one moment, checked, private; nothing is overwritten unasked."""

from __future__ import annotations

import sqlite3
import stat
import threading
from pathlib import Path

import pytest

from shared.contracts.errors import Misconfigured
from shared.embedded.backup import backup, restore
from shared.embedded.documents import EmbeddedDocuments
from shared.embedded.file import FILE_NAME, FORMAT


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    store = EmbeddedDocuments(folder)
    store.insert_many("mails", [{"_id": f"m{number}", "text": "x" * 2000} for number in range(100)])
    store.put_blob(b"raw")
    store.close()
    return folder


def ids(folder: Path) -> set[str]:
    store = EmbeddedDocuments(folder)
    try:
        return {each["_id"] for each in store.find("mails", {})}
    finally:
        store.close()


def test_a_backup_that_is_restored_holds_the_same(data: Path, tmp_path: Path) -> None:
    rows = backup(data, tmp_path / "copy")
    assert rows["c_mails"] == 100
    assert restore(tmp_path / "copy", tmp_path / "new") == rows
    assert ids(tmp_path / "new") == ids(data)


def test_a_backup_is_one_file_for_its_owner_alone(data: Path, tmp_path: Path) -> None:
    backup(data, tmp_path / "copy")
    assert stat.S_IMODE((tmp_path / "copy").stat().st_mode) == 0o600
    assert {path.name for path in tmp_path.iterdir()} == {"copy", "data"}


def test_a_backup_is_of_one_moment_while_others_write(data: Path, tmp_path: Path) -> None:
    stop, store = threading.Event(), EmbeddedDocuments(data)

    def write() -> None:
        number = 0
        while not stop.is_set():
            with store.batch():  # each moment has as many of one as of the other
                store.insert("mails", {"_id": f"n{number}"})
                store.insert("records", {"_id": f"n{number}"})
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        copies = [backup(data, tmp_path / f"copy{number}") for number in range(5)]
    finally:
        stop.set()
        writer.join()
        store.close()
    assert all(rows["c_mails"] - 100 == rows.get("c_records", 0) for rows in copies)


def test_a_backup_overwrites_nothing(data: Path, tmp_path: Path) -> None:
    (tmp_path / "copy").write_text("precious")
    with pytest.raises(Misconfigured, match="overwrites nothing"):
        backup(data, tmp_path / "copy")
    assert (tmp_path / "copy").read_text() == "precious"


def test_there_is_no_backup_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="there is no data"):
        backup(tmp_path / "data", tmp_path / "copy")
    assert not (tmp_path / "data").exists()


def test_a_folder_with_something_in_it_is_replaced_only_when_asked(data: Path, tmp_path: Path) -> None:
    backup(data, tmp_path / "copy")
    other = EmbeddedDocuments(tmp_path / "other")
    other.insert("mails", {"_id": "theirs"})
    other.close()
    with pytest.raises(Misconfigured, match="not empty"):
        restore(tmp_path / "copy", tmp_path / "other")
    assert ids(tmp_path / "other") == {"theirs"}
    restore(tmp_path / "copy", tmp_path / "other", replace=True)
    assert ids(tmp_path / "other") == ids(data)


def test_a_file_that_is_not_a_backup_is_not_restored(tmp_path: Path) -> None:
    (tmp_path / "copy").write_bytes(b"no database " * 1000)
    with pytest.raises(Misconfigured, match="not a backup"):
        restore(tmp_path / "copy", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_damaged_backup_is_not_restored(data: Path, tmp_path: Path) -> None:
    backup(data, tmp_path / "copy")
    content = bytearray((tmp_path / "copy").read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 4096] = b"\xff" * 4096
    (tmp_path / "copy").write_bytes(content)
    with pytest.raises(Misconfigured, match=r"damaged|not a backup"):
        restore(tmp_path / "copy", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_backup_of_another_format_is_not_restored(data: Path, tmp_path: Path) -> None:
    backup(data, tmp_path / "copy")
    with sqlite3.connect(tmp_path / "copy") as copy:
        copy.execute(f"PRAGMA user_version = {FORMAT + 1}")
    copy.close()
    with pytest.raises(Misconfigured, match=f"format {FORMAT + 1}"):
        restore(tmp_path / "copy", tmp_path / "new")
    assert not (tmp_path / "new" / FILE_NAME).exists()
