"""What an app begins with on a folder that nobody has used."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from services.queues import QUEUES
from shared.app import App, Location
from shared.contracts.errors import Unavailable
from shared.embedded.documents import EmbeddedDocuments
from shared.embedded.file import FILE_NAME
from shared.store import configuration


def tables(folder: Path) -> list[str]:
    """The tables of documents, as another process sees them."""
    with sqlite3.connect(folder / FILE_NAME) as db:
        return [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE name GLOB 'c_*'")]


def test_a_new_folder_begins_with_everything_or_with_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One commit instead of one for each table: on a slow disk that is a second of the first start."""

    def unavailable(_: object) -> None:
        raise Unavailable("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(configuration, "seed_defaults", unavailable)
        with pytest.raises(Unavailable):
            App.open(Location(tmp_path), QUEUES)
    assert tables(tmp_path) == []
    app = App.open(Location(tmp_path), QUEUES)
    assert tables(tmp_path)
    assert app.directory.current().default_inbox
    app.close()


def test_others_write_between_the_indexes_of_a_folder_that_was_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Filling a new one may take long."""
    App.open(Location(tmp_path), QUEUES).close()
    written = list[bool]()

    def ensure(self: EmbeddedDocuments, _: object) -> None:
        self.insert("notes", {"_id": "ours"})
        other = EmbeddedDocuments(tmp_path)
        written.append(other.insert("notes", {"_id": "theirs"}))
        other.close()

    monkeypatch.setattr(EmbeddedDocuments, "ensure", ensure)
    monkeypatch.setattr("shared.embedded.file.BUSY_SECONDS", 0.1)
    App.open(Location(tmp_path), QUEUES).close()
    assert written == [True]
