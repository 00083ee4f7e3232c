"""A batch on a store whose writes are durable one by one: what is read together, written together, and when."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from shared.contracts.errors import Unavailable, Unsupported
from shared.store.batch import batched
from shared.store.documents import SMALL_BLOB_BYTES, Documents
from shared.store.exchange import BLOBS, Read, Write
from tests.harness.one_by_one import OneByOne

LARGE = b"x" * (SMALL_BLOB_BYTES + 1)


class Watched(OneByOne):
    """Notes each round: the collections that it asks, and the documents that it writes."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.asked: list[set[str]] = []
        self.written: list[set[str]] = []
        self.before_writing: Callable[[Sequence[Write]], None] = lambda _: None

    def exchange(self, reads: Sequence[Read], writes: Sequence[Write]) -> tuple[list[Any], list[bool | None]]:
        if reads:
            self.asked.append({getattr(each, "collection", "blobs") for each in reads})
        if writes:
            self.written.append({f"{each.collection} {each.id[:8]}" for each in writes})
            self.before_writing(writes)
        return super().exchange(reads, writes)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Watched]:
    made = Watched(tmp_path)
    yield made
    made.close()


@pytest.fixture
def documents(store: Watched) -> Documents:
    return batched(store)


def run(
    documents: Documents, *jobs: Callable[[], Any], alone: Sequence[int] = ()
) -> tuple[dict[int, Any], dict[int, bool]]:
    """One batch: the results, and what has to run again."""
    with documents.batch() as batch:
        assert batch is not None
        results = dict(batch.run(jobs, alone))
    return results, dict(batch.again)


def follow(documents: Documents) -> str:
    """The end of a chain of documents, each of which names the next one."""
    id_ = "0"
    while found := documents.get("mails", id_):
        id_ = found["next"]
    return id_


def test_what_several_ask_is_read_in_one_round_and_answered(documents: Documents, store: Watched) -> None:
    for id_ in "ab":
        store.insert("mails", {"_id": id_, "subject": id_.upper()})

    def subject_of(id_: str) -> Any:
        found = documents.get("mails", id_)
        return found and found["subject"]

    jobs = [lambda id_=id_: subject_of(id_) for id_ in "abc"]
    assert run(documents, *jobs) == ({0: "A", 1: "B", 2: None}, {})
    assert store.asked == [{"mails"}]


def test_what_depends_on_an_answer_is_read_in_the_next_round(documents: Documents, store: Watched) -> None:
    store.insert("mails", {"_id": "m", "record": "r"})
    store.insert("records", {"_id": "r", "number": 7})

    def number() -> Any:
        mail = documents.get("mails", "m")
        record = documents.get("records", mail["record"]) if mail else None
        return record["number"] if record else 0

    assert run(documents, number)[0] == {0: 7}
    assert store.asked == [{"mails"}, {"records"}]


def test_writes_of_all_go_out_in_phases_and_hooks_write_with_the_last(documents: Documents, store: Watched) -> None:
    def handler(name: str) -> None:
        assert documents.insert("mails", {"_id": name})
        documents.barrier()
        assert documents.update("mails", {"_id": name, "outcome": None}, {"$set": {"outcome": "recorded"}})
        assert documents.get("mails", name) == {"_id": name, "outcome": "recorded"}
        documents.insert_many("activities", [{"_id": name}])

    with documents.batch() as batch:
        assert batch is not None
        batch.run([lambda: handler("a"), lambda: handler("b")])
        documents.insert_many("journal", [{"_id": "j"}])
        assert store.get("mails", "a") == {"_id": "a"}
    assert store.written == [
        {"mails a", "mails b"},
        {"mails a", "mails b", "activities a", "activities b", "journal j"},
    ]
    assert store.get("mails", "b") == {"_id": "b", "outcome": "recorded"}


def test_a_barrier_behind_nothing_makes_no_phase(documents: Documents, store: Watched) -> None:
    def handler() -> None:
        documents.barrier()
        documents.insert("mails", {"_id": "a"})
        documents.barrier()
        documents.barrier()
        documents.insert("records", {"_id": "r"})

    run(documents, handler)
    assert store.written == [{"mails a"}, {"records r"}]


def test_what_is_inserted_and_changed_in_one_phase_is_one_write(documents: Documents, store: Watched) -> None:
    def handler() -> None:
        documents.insert("records", {"_id": "r", "pending": [{"mail_id": "m"}]})
        documents.update("records", {"_id": "r"}, {"$pull": {"pending": {"mail_id": "m"}}})

    run(documents, handler)
    assert (store.get("records", "r"), len(store.written)) == ({"_id": "r", "pending": []}, 1)


def test_two_changes_of_one_document_are_two_phases(documents: Documents, store: Watched) -> None:
    store.insert("records", {"_id": "r", "version": 1})

    def handler() -> None:
        for version in (1, 2):
            assert documents.update("records", {"_id": "r", "version": version}, {"$inc": {"version": 1}})

    assert run(documents, handler)[1] == {}
    assert (store.get("records", "r"), len(store.written)) == ({"_id": "r", "version": 3}, 2)


def test_who_needs_what_another_has_changed_waits_for_the_next_batch(documents: Documents, store: Watched) -> None:
    store.insert("records", {"_id": "r", "keys": ["k"], "version": 1})

    def change() -> None:
        record = documents.get("records", "r") or {"version": 0}
        documents.update("records", {"_id": "r", "version": record["version"]}, {"$inc": {"version": 1}})

    def look() -> list[Any]:
        return [each["version"] for each in documents.find("records", {"keys": "k"})]

    first, again = run(documents, change, change, look)
    assert (list(first), again) == ([0], {1: False, 2: False})
    assert run(documents, change, look) == ({0: None}, {1: False})
    assert run(documents, look)[0] == {0: [3]}


def test_two_handlers_that_keep_the_same_document_do_not_conflict(documents: Documents, store: Watched) -> None:
    store.insert("people", {"_id": "known", "name": "Anna"})

    def handler() -> None:
        documents.insert_many("people", [{"_id": "new"}, {"_id": "known", "name": "other"}])

    assert run(documents, handler, handler)[1] == {}
    assert [store.get("people", id_) for id_ in ("new", "known")] == [{"_id": "new"}, {"_id": "known", "name": "Anna"}]


def test_a_count_has_what_the_batch_adds_before(documents: Documents, store: Watched) -> None:
    store.insert("outbox", {"_id": "o", "to": "a@b"})

    def answer(id_: str) -> int:
        found = documents.count("outbox", {"to": "a@b"})
        documents.insert_many("outbox", [{"_id": id_, "to": "a@b"}])
        return found

    assert run(documents, lambda: answer("p"), lambda: answer("q"))[0] == {0: 1, 1: 2}


def test_who_loses_against_another_process_runs_again_alone_and_the_others_go_on(
    documents: Documents, store: Watched
) -> None:
    for id_ in "ab":
        store.insert("records", {"_id": id_, "version": 1})

    def handler(id_: str) -> None:
        documents.get("records", id_)
        assert documents.update("records", {"_id": id_, "version": 1}, {"$inc": {"version": 1}})
        documents.barrier()
        documents.insert("activities", {"_id": id_})

    def other_process(writes: Sequence[Write]) -> None:
        if any(each.collection == "records" for each in writes):
            store.update("records", {"_id": "b"}, {"$inc": {"version": 1}})

    store.before_writing = other_process
    results, again = run(documents, lambda: handler("a"), lambda: handler("b"))
    assert (list(results), again) == ([0], {1: True})
    assert [each["_id"] for each in store.find("activities", {})] == ["a"]


def test_who_loses_in_the_last_phase_runs_again_too(documents: Documents, store: Watched) -> None:
    store.before_writing = lambda _: store.insert("mails", {"_id": "a", "by": "another"})
    results, again = run(documents, lambda: documents.insert("mails", {"_id": "a"}))
    assert (results, again) == ({0: True}, {0: True})


def test_who_runs_alone_is_on_the_store_itself(documents: Documents, store: Watched) -> None:
    def handler() -> bool:
        documents.insert("mails", {"_id": "a"})
        return store.get("mails", "a") is not None

    assert run(documents, handler, alone=[0])[0] == {0: True}
    assert store.rounds == 0


@pytest.mark.parametrize(
    "unsuited",
    [
        lambda store: store.upsert("mails", "a", {"$set": {"n": 1}}),
        lambda store: store.replace("mails", {"_id": "a"}),
        lambda store: store.delete("mails", {"_id": "a"}),
        lambda store: store.update("mails", {"outcome": None}, {"$set": {"n": 1}}),
        lambda store: store.get_fresh("mails", "a"),
    ],
    ids=["upsert", "replace", "delete", "update by something else", "a fresh look"],
)
def test_what_cannot_be_kept_back_runs_alone_and_leaves_nothing(
    documents: Documents, store: Watched, unsuited: Callable[[Documents], Any]
) -> None:
    def handler() -> None:
        documents.insert("records", {"_id": "r"})
        unsuited(documents)

    assert run(documents, handler) == ({}, {0: True})
    assert store.written == []


def test_a_fresh_look_at_what_the_handler_itself_has_changed_is_answered(documents: Documents, store: Watched) -> None:
    store.insert("mails", {"_id": "m"})

    def handler() -> Any:
        documents.get("mails", "m")
        documents.update("mails", {"_id": "m", "targets": None}, {"$set": {"targets": [1]}})
        return documents.get_fresh("mails", "m")

    assert run(documents, handler) == ({0: {"_id": "m", "targets": [1]}}, {})


def test_an_error_is_the_result_of_its_handler_and_of_no_other(documents: Documents, store: Watched) -> None:
    def bad() -> None:
        documents.get("mails", "m")
        raise ValueError("a bad mail")

    results, again = run(documents, bad, lambda: documents.insert("mails", {"_id": "a"}))
    assert (str(results[0]), results[1], again) == ("a bad mail", True, {})
    assert store.get("mails", "a") is not None


def test_an_error_caused_by_a_wrong_guess_is_not_reported(documents: Documents, store: Watched) -> None:
    store.insert("mails", {"_id": "m", "n": 1})
    assert run(documents, lambda: (documents.get("mails", "m") or {})["n"])[0] == {0: 1}


def test_a_document_that_cannot_be_stored_is_the_error_of_its_handler(documents: Documents, store: Watched) -> None:
    results, _ = run(documents, lambda: documents.insert("mails", {"_id": "a", "x": object()}))
    assert isinstance(results[0], Unsupported)


def test_an_outage_ends_the_batch(documents: Documents, store: Watched) -> None:
    def away(_: Sequence[Write]) -> None:
        raise Unavailable("away")

    store.before_writing = away
    with pytest.raises(Unavailable):
        run(documents, lambda: documents.insert("mails", {"_id": "a"}))
    store.before_writing = lambda _: None
    assert documents.insert("mails", {"_id": "a"})
    assert store.get("mails", "a") is not None


def test_numbers_are_reserved_for_a_batch_and_never_given_twice(documents: Documents, store: Watched) -> None:
    drawn: list[int] = []

    def handler() -> int:
        documents.get("mails", "m")
        return documents.next_number("counters", "incident")

    for size in (5, 5, 1):
        drawn += run(documents, *[handler] * size)[0].values()
    assert drawn == list(range(1, 12))
    assert documents.next_number("counters", "incident") > max(drawn)
    other = batched(store)
    assert run(other, handler)[0][0] > max(drawn)
    assert run(documents, *[handler] * 5)[0].keys() == {0, 1, 2, 3, 4}


def test_a_look_ahead_reads_and_keeps_blobs_in_one_round_before_the_batch(documents: Documents, store: Watched) -> None:
    store.insert("mails", {"_id": "a", "n": 1})

    def look() -> None:
        documents.put_blob(b"raw")
        documents.get("mails", "a")
        raise ValueError("comes up again later")

    def handler() -> Any:
        documents.put_blob(b"raw")
        return documents.get("mails", "a")

    with documents.look_ahead([look]):
        assert documents.get("mails", "a") == {"_id": "a", "n": 1}
        assert run(documents, handler)[0] == {0: {"_id": "a", "n": 1}}
    assert (store.rounds, len(store.written)) == (1, 1)
    assert store.get_blob(documents.put_blob(b"raw")) == b"raw"


def test_a_look_ahead_reads_small_blobs_and_leaves_large_ones_to_their_turn(
    documents: Documents, store: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    small, large = store.put_blob(b"small"), store.put_blob(LARGE)
    read: list[str] = []
    get_blob = store.get_blob
    with documents.look_ahead([lambda: documents.get_blob(small), lambda: documents.get_blob(large)]):
        monkeypatch.setattr(store, "get_blob", lambda sha256: [read.append(sha256), get_blob(sha256)][1])
        assert (documents.get_blob(small), documents.get_blob(large)) == (b"small", LARGE)
    assert (store.rounds, read) == (1, [large])


def test_blobs_of_all_sizes_go_with_the_batch(documents: Documents, store: Watched) -> None:
    jobs = [lambda data=data: documents.put_blob(data) for data in (b"small", LARGE)]
    results, _ = run(documents, *jobs)
    assert [store.get_blob(results[place]) for place in (0, 1)] == [b"small", LARGE]
    assert [len(phase) for phase in store.written] == [2]


def test_a_look_ahead_leaves_large_blobs_to_the_batch(documents: Documents, store: Watched) -> None:
    with documents.look_ahead([lambda: documents.put_blob(LARGE)]):
        assert not store.written
        run(documents, lambda: documents.put_blob(LARGE))
    assert [len(phase) for phase in store.written] == [1]


def test_blobs_are_read_together(documents: Documents, store: Watched) -> None:
    hashes = [store.put_blob(content) for content in (b"one", b"two")]
    jobs = [lambda sha256=sha256: documents.get_blob(sha256) for sha256 in [*hashes, "0" * 64]]
    results, _ = run(documents, *jobs)
    assert (results[0], results[1], type(results[2])) == (b"one", b"two", LookupError)
    assert store.rounds == 1


def test_the_configuration_is_read_from_the_store_itself(documents: Documents, store: Watched) -> None:
    store.insert("settings", {"_id": "settings", "revision": 3})
    assert run(documents, lambda: documents.get("settings", "settings"))[0] == {0: {"_id": "settings", "revision": 3}}
    assert store.rounds == 0


def test_who_asks_for_eight_rounds_of_answers_stays_in_the_batch(documents: Documents, store: Watched) -> None:
    for number in range(8):
        store.insert("mails", {"_id": str(number), "next": str(number + 1)})
    assert run(documents, partial(follow, documents)) == ({0: "8"}, {})


def test_who_asks_for_ever_more_runs_alone(documents: Documents, store: Watched) -> None:
    for number in range(20):
        store.insert("mails", {"_id": str(number), "next": str(number + 1)})
    following = partial(follow, documents)
    assert run(documents, following) == ({}, {0: True})
    assert run(documents, following, alone=[0])[0] == {0: "20"}


def test_a_batch_that_runs_nothing_writes_at_once(documents: Documents, store: Watched) -> None:
    with documents.batch():
        assert documents.insert("mails", {"_id": "a"})
        assert store.get("mails", "a") is not None
        with documents.batch():
            assert not documents.insert("mails", {"_id": "a"})


def test_what_the_store_refuses_is_tried_alone_before_anything_follows(documents: Documents, store: Watched) -> None:
    """Also where its result is nothing to the handler: else the mail would be acknowledged without it."""

    def refused(write: Write) -> bool | None:
        return None if write.collection in {"activities", BLOBS} else OneByOne.carry_out(store, write)

    store.carry_out = refused  # type: ignore[method-assign]

    def handler() -> None:
        documents.insert_many("activities", [{"_id": "a"}])
        documents.barrier()
        documents.insert("mails", {"_id": "m"})

    assert run(documents, handler)[1] == {0: True}
    assert store.get("mails", "m") is None

    def keeper() -> None:
        documents.put_blob(b"bytes")
        documents.barrier()
        documents.insert("mails", {"_id": "n"})

    with documents.batch() as batch:
        assert batch is not None
        batch.look_ahead([keeper])
        batch.run([keeper])
    assert batch.again == {0: True}
    assert store.get("mails", "n") is None


def test_a_question_that_fails_harms_only_who_asked(documents: Documents, store: Watched) -> None:
    def broken(sha256: str) -> bytes:
        raise LookupError(f"a piece of {sha256} is missing")

    sha256 = store.put_blob(b"bytes")
    store.get_blob = broken  # type: ignore[method-assign]
    results, again = run(documents, lambda: documents.get_blob(sha256), lambda: documents.insert("mails", {"_id": "m"}))
    assert again[0] is True
    assert results == {1: True}
    assert store.get("mails", "m") is not None
