"""A whole desk for tests: raw mail in, stored records out, through every queue and stage.

The fixture `desk` runs on the embedded default; `any_desk` on every broker that can be had.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from services import runner
from services.queues import QUEUES
from shared.app import App, Location
from shared.config.model import Configuration
from shared.intake import RawMail
from shared.store import configuration as configuration_store
from shared.store.documents import Document
from shared.store.record import Record

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


class TickingClock:
    """A clock that moves by a millisecond whenever it is read, so that what comes later is later."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        """The next millisecond."""
        self.at += timedelta(milliseconds=1)
        return self.at

    def advance(self, by: timedelta) -> None:
        """Move it."""
        self.at += by


class Desk:
    """One service desk; its time moves only as it is asked for, or as a test moves it."""

    def __init__(self, location: Location) -> None:
        self.clock = TickingClock(NOW)
        self.app = App.open(location, QUEUES, self.clock)
        self.store = self.app.documents

    def configure(self, configuration: Configuration) -> None:
        """Store a configuration; it is in force at once."""
        configuration_store.apply(self.store, configuration, prune=True)
        self.app.directory.renew()

    def hand_in(self, *raws: bytes, inbox: str | None = None, **envelope: Any) -> None:
        """Put mails onto intake, without working."""
        self.app.intake.hand_over([RawMail(raw, inbox, **envelope) for raw in raws])

    def work(self) -> None:
        """Let every stage work until all queues are empty."""
        runner.run_all(self.app, threading.Event(), once=True, sources=False)

    def receive(self, *raws: bytes, inbox: str | None = None, **envelope: Any) -> list[Document]:
        """Hand mails in, work, and return the mails' documents in order of arrival."""
        before = {mail["_id"] for mail in self.mails()}
        self.hand_in(*raws, inbox=inbox, **envelope)
        self.work()
        return [mail for mail in self.mails() if mail["_id"] not in before]

    def mails(self) -> list[Document]:
        """All mails."""
        return list(self.store.find("mails", {}))

    def records(self, type_: str | None = None) -> list[Document]:
        """All records, the oldest first."""
        where = {"type": type_} if type_ else {}
        return list(self.store.find("records", where, sort=(("created_at", 1), ("serial", 1))))

    def record(self, type_: str | None = None) -> Document:
        """The only record."""
        (found,) = self.records(type_)
        return found

    def document(self, record: Record | None) -> Document:
        """A record as it lies in the store by now."""
        assert record is not None
        found = self.store.get("records", record.id)
        assert found is not None
        return found

    def activities(self, record: Document) -> list[Document]:
        """The activities of a record."""
        sort = (("at", 1), ("place", 1))
        return list(self.store.find("activities", {"record_id": record["_id"]}, sort=sort))

    def people(self) -> list[Document]:
        """Everybody."""
        return list(self.store.find("people", {}))

    def outbox(self) -> list[Document]:
        """Outgoing mail."""
        return list(self.store.find("outbox", {}, sort=(("at", 1),)))

    def dead_letters(self) -> list[Document]:
        """Dead letters."""
        return list(self.store.find("dead_letters", {}))

    def close(self) -> None:
        """Release the files."""
        self.app.close()


@pytest.fixture(scope="session")
def first_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of a desk that was started once. Its tables take most of the time of a first start."""
    folder = tmp_path_factory.mktemp("first-data") / "data"
    Desk(Location(folder)).close()
    return folder


@pytest.fixture
def desk(tmp_path: Path, first_data: Path) -> Iterator[Desk]:
    """A desk on the embedded default."""
    made = a_copy(first_data, tmp_path / "data")
    yield made
    made.close()


def a_copy(prepared: Path, data: Path, *, broker_url: str | None = None) -> Desk:
    """A desk in the folder `data`, which begins as a copy of a folder that another desk has made and closed."""
    shutil.copytree(prepared, data)
    return Desk(Location(data, broker_url=broker_url))


@pytest.fixture(params=["embedded", "rabbitmq"])
def any_desk(request: pytest.FixtureRequest, tmp_path: Path, first_data: Path) -> Iterator[Desk]:
    """A desk on each broker, with the embedded store."""
    url = None
    if request.param == "rabbitmq":
        url = request.getfixturevalue("rabbit_node").url(request.getfixturevalue("rabbit_vhost"))
    made = a_copy(first_data, tmp_path / "data", broker_url=url)
    yield made
    made.close()
