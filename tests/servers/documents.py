"""The document port on both adapters, for tests.

Load it in a conftest with `pytest_plugins = ["tests.servers.mongodb", "tests.servers.documents"]`. The
fixture `place` runs a test twice, `embedded` and `mongodb`, each on an empty store; `documents` is that
store opened. A child process gets a place as three plain values and calls `opened(kind, address, database)`.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

from shared.contracts.errors import PostroomError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.store.documents import Documents, Filter, Sort
    from tests.servers.mongodb import MongoServer

Kind = Literal["embedded", "mongodb"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where an empty store lies: a folder, or a server's URL and a database."""

    kind: Kind
    address: str
    database: str = ""
    server: MongoServer | None = None

    def open(self) -> Documents:
        """A connection of its own to this store."""
        return opened(self.kind, self.address, self.database)

    @contextmanager
    def may_differ(self, rule: str) -> Iterator[None]:
        """A block that fails where the stand-in is known to break this rule of MongoDB's, and only there."""
        instead = self.server.lacks(rule) if self.server is not None else None
        if instead is None:
            yield
            return
        try:
            yield
        except (AssertionError, PostroomError, pytest.fail.Exception):
            pytest.xfail(f"the stand-in: {instead}")
        pytest.fail(f"the stand-in keeps the rule {rule!r} now: take it off DIFFERENCES")


def opened(kind: str, address: str, database: str) -> Documents:
    """Open a store by plain values, in this or in another process."""
    if kind == "embedded":
        from shared.embedded.documents import EmbeddedDocuments

        return EmbeddedDocuments(Path(address))
    from shared.mongodb.documents import MongoDocuments

    return MongoDocuments(address, database=database)


SERVED = {"IXSCAN", "IDHACK", "COUNT_SCAN", "DISTINCT_SCAN", "EXPRESS_IXSCAN", "CLUSTERED_IXSCAN"}
"""Stages of MongoDB's plans that read an index."""


def uses_index(store: Documents, collection: str, where: Filter, sort: Sort = ()) -> bool:
    """Whether an index finds the documents. A sort of what was found may still happen in memory.

    Raises `Unsupported` on a server without the `explain` command.
    """
    from shared.embedded.documents import EmbeddedDocuments
    from shared.mongodb.documents import MongoDocuments, _filter_to_server

    if isinstance(store, EmbeddedDocuments):
        table = store._table(collection)
        clause, values, _ = table.narrow(where)
        statement = f"EXPLAIN QUERY PLAN SELECT doc FROM {table.name}{clause}{table.order(sort) or ''}"
        plan = store.file.connection.execute(statement, values).fetchall()
        return not any(str(step[3]) == f"SCAN {table.name}" for step in plan)
    assert isinstance(store, MongoDocuments)
    query = {"find": collection, "filter": _filter_to_server(where), **({"sort": dict(sort)} if sort else {})}
    with store._bounded():
        answer = store._database.command("explain", query, verbosity="queryPlanner")
    stages = set(_stages(answer.get("queryPlanner", {}).get("winningPlan")))
    return "COLLSCAN" not in stages and not stages.isdisjoint(SERVED)


def _stages(plan: Any) -> Iterator[str]:
    if isinstance(plan, dict):
        if isinstance(stage := plan.get("stage"), str):
            yield stage
        plan = list(plan.values())
    for part in plan if isinstance(plan, list) else ():
        yield from _stages(part)


@pytest.fixture(params=["embedded", "mongodb"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """An empty store of each kind."""
    if request.param == "embedded":
        return Place("embedded", str(tmp_path / "data"))
    server: MongoServer = request.getfixturevalue("mongodb")
    return Place("mongodb", server.url, request.getfixturevalue("mongodb_database"), server)


@pytest.fixture
def documents(place: Place) -> Iterator[Documents]:
    """The empty store, opened."""
    with closing_documents(place) as store:
        yield store


@contextmanager
def closing_documents(place: Place) -> Iterator[Documents]:
    """Another connection for the length of a block."""
    store = place.open()
    try:
        yield store
    finally:
        store.close()
