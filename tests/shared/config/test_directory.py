"""The snapshot that workers see."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared.clock import FixedClock
from shared.config.directory import Directory
from shared.config.model import DEFAULT, Configuration, Rule, Settings
from shared.config.problems import InvalidConfiguration
from shared.embedded.documents import EmbeddedDocuments
from shared.store.configuration import apply, switch
from shared.store.documents import Documents

CLOCK = FixedClock(datetime(2024, 5, 1, 12, tzinfo=UTC))


@pytest.fixture
def documents(tmp_path: Path) -> Iterator[Documents]:
    store = EmbeddedDocuments(tmp_path)
    apply(store, DEFAULT)
    yield store
    store.close()


def test_the_snapshot_is_the_same_object_until_the_revision_moves(documents: Documents) -> None:
    directory = Directory(documents, CLOCK, refresh=timedelta(0))
    first = directory.current()
    assert directory.current() is first
    apply(documents, replace(Configuration(), settings=Settings(max_per_poll=5), sections=frozenset({"settings"})))
    assert directory.current().settings.max_per_poll == 5


def test_the_store_is_not_asked_again_within_the_refresh_time(documents: Documents) -> None:
    directory = Directory(documents, CLOCK, refresh=timedelta(hours=1))
    first = directory.current()
    switch(documents, "inboxes", "support", "enabled", False)
    assert directory.current() is first
    assert directory.renew().inboxes[0].enabled is False


def test_people_are_not_in_the_snapshot(documents: Documents) -> None:
    assert Directory(documents, CLOCK).current().people == ()


def test_names_and_aliases_are_looked_up(documents: Documents) -> None:
    directory = Directory(documents, CLOCK)
    support = directory.inbox("support")
    call = directory.type_named("Call")
    assert support is not None
    assert directory.inbox("") == support
    assert directory.inbox("nothing") is None
    assert call is not None
    assert call.name == "incident"
    assert directory.type_named("nothing") is None


def test_a_broken_configuration_leaves_the_one_before_in_force(
    documents: Documents, caplog: pytest.LogCaptureFixture
) -> None:
    directory = Directory(documents, CLOCK, refresh=timedelta(0))
    first = directory.current()
    switch(documents, "inboxes", "support", "protocol", "carrier pigeon")
    assert directory.current() is first
    assert "configuration_refused" in caplog.messages
    with pytest.raises(InvalidConfiguration):
        Directory(documents, CLOCK).current()


def test_a_snapshot_holds_the_rules_in_order(documents: Documents) -> None:
    rules = (Rule("b", {"sender": ("xx",)}), Rule("a", {"sender": ("yy",)}))
    apply(documents, replace(Configuration(), rules=rules, sections=frozenset({"rules"})))
    assert Directory(documents, CLOCK).current().rules == rules
