"""One round on MongoDB: few commands, and the same answers as one question after the other."""

from __future__ import annotations

import hashlib
import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from pymongo.collection import Collection
from pymongo.errors import DocumentTooLarge

from shared.contracts.errors import Unavailable
from shared.mongodb.blobs import Upload
from shared.mongodb.documents import MongoDocuments
from shared.store.exchange import BLOBS, Count, Find, Get, GetBlob, GetSmallBlob, NextNumber, Read, Write
from shared.store.vocabulary import predicate, sort_documents

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.mongodb import MongoServer

AT = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.fixture
def store(mongodb: MongoServer, mongodb_database: str) -> Iterator[MongoDocuments]:
    made = MongoDocuments(mongodb.url, database=mongodb_database)
    yield made
    made.close()


@pytest.fixture
def queries(store: MongoDocuments, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The filters that were really asked."""
    asked: list[Any] = []
    find = store.find

    def noted(collection: str, where: Any, **rest: Any) -> Any:
        asked.append(where)
        return find(collection, where, **rest)

    monkeypatch.setattr(store, "find", noted)
    return asked


def mails(store: MongoDocuments, count: int = 40) -> list[dict[str, Any]]:
    made = [
        {"_id": f"{n:02}", "key": f"k{n % 7}", "tags": [f"t{n % 3}", f"t{n % 5}"], "at": AT + timedelta(hours=n)}
        for n in range(count)
    ]
    store.insert_many("mails", made)
    return made


def answers(store: MongoDocuments, *reads: Read) -> list[Any]:
    return store.exchange(reads, ())[0]


def test_documents_by_id_are_one_query(store: MongoDocuments, queries: list[Any]) -> None:
    made = mails(store)
    assert answers(store, Get("mails", "03"), Get("mails", "none"), Get("mails", "03")) == [made[3], None, made[3]]
    assert len(queries) == 1


@pytest.mark.parametrize("seed", range(6))
def test_questions_of_one_form_are_one_query_with_each_answer_its_own(
    store: MongoDocuments, queries: list[Any], seed: int
) -> None:
    made, chance = mails(store), random.Random(seed)
    field = ("key", "tags")[seed % 2]
    reads = [
        Find(
            "mails",
            {
                field: f"{field[0]}{chance.randrange(7)}",
                "at": {
                    "$gte": (start := AT + timedelta(hours=chance.randrange(40))),
                    "$lt": start + timedelta(hours=9),
                },
            },
            (("at", chance.choice((1,))),),
            limit=5,
        )
        for _ in range(8)
    ]
    expected = [sort_documents(filter(predicate(each.where), made), each.sort)[:5] for each in reads]
    assert answers(store, *reads) == expected
    assert len(queries) == 1


def test_lists_of_values_are_asked_together(store: MongoDocuments, queries: list[Any]) -> None:
    made = mails(store)
    first, second = answers(
        store, Find("mails", {"key": {"$in": ["k1", "k2"]}}), Find("mails", {"key": {"$in": ["k2", "none"]}})
    )
    assert sorted(each["_id"] for each in first) == [each["_id"] for each in made if each["key"] in ("k1", "k2")]
    assert sorted(each["_id"] for each in second) == [each["_id"] for each in made if each["key"] == "k2"]
    assert queries == [{"key": {"$in": ["k1", "k2", "none"]}}]


def test_where_the_common_answer_is_too_long_each_asks_alone(store: MongoDocuments, queries: list[Any]) -> None:
    made = mails(store)
    reads = [Find("mails", {"key": key}, (("at", 1),), limit=1) for key in ("k1", "k2")]
    assert answers(store, *reads) == [[made[1]], [made[2]]]
    assert len(queries) == 3


def test_questions_of_another_form_are_asked_apart(store: MongoDocuments, queries: list[Any]) -> None:
    mails(store)
    wheres = [{"key": "k1"}, {"key": None}, {"key": "k1", "at": {"$gte": AT}}]
    different = [Find("mails", {"key": "k1"}, (("at", 1),)), *(Find("mails", where) for where in wheres)]
    assert [len(each) for each in answers(store, *different)] == [6, 6, 0, 6]
    assert len(queries) == len(different)


def test_counts_numbers_and_blobs_are_answered(store: MongoDocuments) -> None:
    mails(store)
    small, large = store.put_blob(b"small"), store.put_blob(b"large" * 100_000)
    found = answers(
        store, Count("mails", {"key": "k1"}), NextNumber("counters", "incident", 5), GetBlob(small), GetBlob("0" * 64),
        GetBlob(large),
    )  # fmt: skip
    assert found == [6, 1, b"small", None, b"large" * 100_000]
    assert store.next_number("counters", "incident") == 6


def insert(id_: str, **fields: Any) -> Write:
    return Write("mails", id_, True, {"_id": id_, **fields})


def update(id_: str, where: dict[str, Any], change: dict[str, Any]) -> Write:
    return Write("records", id_, True, None, {"_id": id_, **where}, change)


def took(store: MongoDocuments, *writes: Write) -> list[bool]:
    return store.exchange((), writes)[1]


def test_an_insert_that_is_refused_keeps_no_other_out(store: MongoDocuments) -> None:
    store.insert("mails", {"_id": "b"})
    assert took(store, insert("a"), insert("b", n=1), insert("c"), insert("a", n=2)) == [True, False, True, False]
    assert sorted(each["_id"] for each in store.find("mails", {})) == ["a", "b", "c"]


def test_a_document_that_cannot_be_sent_leaves_the_others_of_its_bulk_to_themselves(
    store: MongoDocuments, monkeypatch: pytest.MonkeyPatch
) -> None:
    def insert_many(*_: Any, **__: Any) -> None:
        raise DocumentTooLarge("BSON document too large")

    monkeypatch.setattr(Collection, "insert_many", insert_many)
    assert took(store, insert("a"), insert("b", text="long")) == [None, None]


def test_updates_are_known_to_be_carried_out_when_all_are(store: MongoDocuments) -> None:
    for id_ in "ab":
        store.insert("records", {"_id": id_, "version": 1, "pending": []})
    change = {"$inc": {"version": 1}, "$push": {"pending": {"mail_id": "m"}}}
    assert took(store, update("a", {"version": 1}, change), update("b", {"version": 1}, change)) == [True, True]
    assert took(store, update("a", {"version": 2}, change), update("b", {"version": 1}, change)) == [True, True]


def test_of_updates_some_of_which_came_late_those_that_show_are_known(store: MongoDocuments) -> None:
    for id_ in "ab":
        store.insert("records", {"_id": id_, "version": 1})
    pushed = [
        update(id_, {"version": n}, {"$push": {"pending": {"mail_id": id_ * 2}}}) for id_, n in (("a", 1), ("b", 7))
    ]
    assert took(store, *pushed) == [True, False]
    set_ = [update(id_, {"version": n}, {"$set": {"status": "Closed"}}) for id_, n in (("a", 1), ("b", 7))]
    assert took(store, *set_) == [False, False]


def test_blobs_are_kept_once_beside_other_writes(store: MongoDocuments) -> None:
    sha256 = store.put_blob(b"one")
    blobs = [Write(BLOBS, sha256, None, {"_id": sha256, "data": b"one"}), insert("a")]
    assert took(store, *blobs)[1]
    assert store.get_blob(sha256) == b"one"


def test_small_blobs_are_read_and_large_ones_are_not(store: MongoDocuments) -> None:
    small, large = store.put_blob(b"small"), store.put_blob(b"large" * 100_000)
    assert answers(store, *map(GetSmallBlob, (small, large, "0" * 64))) == [b"small", None, None]


def test_large_blobs_are_kept_beside_other_writes(store: MongoDocuments) -> None:
    contents = [b"%d" % number * 300_000 for number in range(3)]
    hashes = [hashlib.sha256(content).hexdigest() for content in contents]
    blobs = [Write(BLOBS, each, None, {"_id": each, "data": data}) for each, data in zip(hashes, contents, strict=True)]
    assert took(store, *blobs, blobs[0], insert("a")) == [True] * 5
    assert [store.get_blob(each) for each in hashes] == contents


def test_a_large_blob_that_is_refused_keeps_no_other_out(
    store: MongoDocuments, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(*_: Any) -> None:
        raise ValueError("the server refuses it")

    monkeypatch.setattr(Upload, "write", write)
    large = b"large" * 100_000
    sha256 = hashlib.sha256(large).hexdigest()
    assert took(store, insert("a"), Write(BLOBS, sha256, None, {"_id": sha256, "data": large})) == [True, None]


def test_an_outage_in_a_round_is_an_outage() -> None:
    store = MongoDocuments("mongodb://127.0.0.1:1/", deadline=timedelta(milliseconds=400))
    with pytest.raises(Unavailable):
        store.exchange([Get("mails", "a"), Count("mails", {})], [insert("a")])
    store.close()
