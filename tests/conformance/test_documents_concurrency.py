"""What holds when many write at once: one wins, none is lost, no number repeats."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TYPE_CHECKING, Any

import pytest

from shared.store.documents import Index
from tests.servers.presence import PATIENCE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.store.documents import Documents
    from tests.servers.documents import Place

THREADS = 8
ROUNDS = 25


def at_once(work: Callable[..., Any], *arguments: Any) -> list[Any]:
    """`work(thread, *arguments)` in all threads, let go together; what they returned."""
    gate = Barrier(THREADS)

    def run(thread: int) -> Any:
        gate.wait(PATIENCE_SECONDS)
        return work(thread, *arguments)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(run, range(THREADS)))


def test_of_eight_that_insert_one_id_exactly_one_wins(documents: Documents) -> None:
    def insert(thread: int, id_: str) -> bool:
        return documents.insert("things", {"_id": id_, "by": thread})

    for id_ in map(str, range(ROUNDS)):
        wins = at_once(insert, id_)
        assert wins.count(True) == 1
        assert documents.get("things", id_) == {"_id": id_, "by": wins.index(True)}


def test_of_eight_that_insert_one_unique_value_exactly_one_wins(documents: Documents) -> None:
    documents.ensure([Index("things", ("type", "number"), unique=True)])

    def insert(thread: int, number: int) -> bool:
        return documents.insert("things", {"_id": f"{number}-{thread}", "type": "CHG", "number": number})

    for number in range(ROUNDS):
        assert at_once(insert, number).count(True) == 1
    assert documents.count("things", {"type": "CHG"}) == ROUNDS


def test_of_eight_that_insert_the_same_many_each_is_new_once(documents: Documents) -> None:
    rows = [{"_id": f"m{n}"} for n in range(200)]
    assert sum(at_once(lambda _: documents.insert_many("things", rows))) == 200
    assert documents.count("things", {}) == 200


def test_no_conditional_update_is_lost(documents: Documents) -> None:
    """Each writer reads, plans on what it read, and writes on condition that the version is still that one."""
    documents.insert("things", {"_id": "a", "version": 0, "by": []})

    def plan_and_write(thread: int) -> None:
        for round_ in range(ROUNDS):
            while not try_to_add(documents, f"{thread}/{round_}"):
                pass

    at_once(plan_and_write)
    after = documents.get("things", "a")
    assert after is not None
    assert after["version"] == THREADS * ROUNDS
    assert sorted(after["by"]) == sorted(f"{thread}/{round_}" for thread in range(THREADS) for round_ in range(ROUNDS))


def try_to_add(documents: Documents, entry: str) -> bool:
    found = documents.get("things", "a")
    assert found is not None
    where = {"_id": "a", "version": found["version"]}
    return documents.update("things", where, {"$set": {"by": [*found["by"], entry]}, "$inc": {"version": 1}})


def test_a_version_is_taken_by_one(documents: Documents) -> None:
    def take(thread: int, id_: str) -> bool:
        return documents.update("things", {"_id": id_, "version": 1}, {"$set": {"version": 2, "by": thread}})

    for id_ in map(str, range(ROUNDS)):
        documents.insert("things", {"_id": id_, "version": 1})
        wins = at_once(take, id_)
        assert wins.count(True) == 1
        assert documents.get("things", id_) == {"_id": id_, "version": 2, "by": wins.index(True)}


def test_a_counter_never_repeats(documents: Documents) -> None:
    numbers = at_once(lambda _: [documents.upsert("counters", "chg", {"$inc": {"n": 1}})["n"] for _ in range(ROUNDS)])
    flat = [number for of_thread in numbers for number in of_thread]
    assert sorted(flat) == list(range(1, THREADS * ROUNDS + 1))
    assert all(of_thread == sorted(of_thread) for of_thread in numbers)


def test_eight_that_create_by_upsert_make_one_document(documents: Documents) -> None:
    def push(thread: int, id_: str) -> None:
        documents.upsert("things", id_, {"$push": {"by": thread}})

    for id_ in map(str, range(ROUNDS)):
        at_once(push, id_)
        made = documents.get("things", id_)
        assert made is not None
        assert sorted(made["by"]) == list(range(THREADS))


def test_eight_that_replace_leave_one_of_theirs(documents: Documents) -> None:
    def put(thread: int, id_: str) -> None:
        documents.replace("things", {"_id": id_, "by": thread, "also": thread})

    for id_ in map(str, range(ROUNDS)):
        at_once(put, id_)
        left = documents.get("things", id_)
        assert left is not None
        assert left["by"] == left["also"]


@pytest.mark.parametrize("operator", ["$push", "$addToSet"])
def test_nothing_added_to_an_array_is_lost(documents: Documents, operator: str) -> None:
    documents.insert("things", {"_id": "a", "all": []})
    at_once(
        lambda thread: [
            documents.update("things", {"_id": "a"}, {operator: {"all": thread * ROUNDS + n}}) for n in range(ROUNDS)
        ]
    )
    after = documents.get("things", "a")
    assert after is not None
    assert sorted(after["all"]) == list(range(THREADS * ROUNDS))


def test_connections_of_their_own_count_together(place: Place, documents: Documents) -> None:
    def count(_: int) -> list[int]:
        store = place.open()
        try:
            return [store.upsert("counters", "chg", {"$inc": {"n": 1}})["n"] for _ in range(ROUNDS)]
        finally:
            store.close()

    numbers = [number for of_connection in at_once(count) for number in of_connection]
    assert sorted(numbers) == list(range(1, THREADS * ROUNDS + 1))
    assert documents.get("counters", "chg") == {"_id": "chg", "n": THREADS * ROUNDS}


def test_one_blob_put_by_eight_is_kept_once(documents: Documents) -> None:
    content = b"the same attachment" * 50_000
    hashes = at_once(lambda _: documents.put_blob(content))
    assert len(set(hashes)) == 1
    assert documents.get_blob(hashes[0]) == content
