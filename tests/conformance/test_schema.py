"""The version of the stored documents: compared before anything else is done with a store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from services.queues import QUEUES
from shared.app import App, Location
from shared.contracts.errors import Misconfigured
from shared.embedded.documents import EmbeddedDocuments
from shared.store.schema import READ, SCHEMA, VERSION, agree_on_version

if TYPE_CHECKING:
    from shared.store.documents import Documents

OTHERS = [(VERSION + 1, "a newer"), (min(READ) - 1, "an older")]


def test_a_store_without_a_version_gets_ours(documents: Documents) -> None:
    agree_on_version(documents)
    agree_on_version(documents)
    assert documents.get(SCHEMA, SCHEMA) == {"_id": SCHEMA, "version": VERSION}


@pytest.mark.parametrize("version", sorted(READ))
def test_a_store_of_a_version_that_is_read_gets_ours(documents: Documents, version: int) -> None:
    documents.insert(SCHEMA, {"_id": SCHEMA, "version": version})
    agree_on_version(documents)
    assert documents.get(SCHEMA, SCHEMA) == {"_id": SCHEMA, "version": VERSION}


@pytest.mark.parametrize(("version", "age"), OTHERS)
def test_a_store_of_another_version_is_refused_with_the_remedy(documents: Documents, version: int, age: str) -> None:
    documents.insert(SCHEMA, {"_id": SCHEMA, "version": version})
    told = rf"{age} version of Postroom \(schema {version}, this version reads {VERSION}\).*Upgrading"
    with pytest.raises(Misconfigured, match=told):
        agree_on_version(documents)


def test_nothing_is_written_into_a_store_of_another_version(tmp_path: Path) -> None:
    store = EmbeddedDocuments(tmp_path)
    store.insert(SCHEMA, {"_id": SCHEMA, "version": VERSION + 1})
    with pytest.raises(Misconfigured):
        App.open(Location(tmp_path), QUEUES)
    assert store.get("settings", "settings") is None
    store.close()
