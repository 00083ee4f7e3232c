"""Mails that are handled in one batch come out as if one had followed the other, whoever else writes meanwhile."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count
from pathlib import Path

import pytest

from shared.store.batch import BufferedBatch
from tests.harness import ledger, neighbours
from tests.harness.batch_plants import BATCH_PLANTS
from tests.harness.ledger import Breach, Effects
from tests.harness.mails import Sent
from tests.harness.neighbours import (
    BEFORE_THE_WRITER,
    OTHERS,
    copied,
    desk,
    one_after_the_other,
    prepared,
    replies,
    with_others,
    work_elsewhere,
)

FREE = ("notifications", "journal")
"""What depends on which of several replies is first: the limits on automatic mail look at what was sent before."""
Race = Callable[[Path], Iterator[list[Breach]]]
"""Overtakes a desk before each round of writing in turn, and says what is wrong afterwards."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For folders that several tests copy."""
    return tmp_path_factory.mktemp("neighbours")


@pytest.fixture(scope="module")
def alone(place: Path) -> Effects:
    """What the mails of `together` do when each is a batch of its own."""
    return one_after_the_other(place / "alone", neighbours.together())


def in_one_batch(folder: Path, alone: Effects) -> list[Breach]:
    """What is wrong when the mails of `together` are handled in one batch."""
    sent = neighbours.together()
    prepared(folder, sent)
    with desk(folder) as made:
        made.work()
        waited = made.app.documents.count("journal", {"decision": "wait"})
        found = ledger.breaches(made.app, [*neighbours.earlier(), *sent], alone)
        return [*found, *([Breach("waited", f"{waited} mails, for others of their batch")] if waited else [])]


def test_mails_of_one_batch_come_out_as_if_one_had_followed_the_other(tmp_path: Path, alone: Effects) -> None:
    assert in_one_batch(tmp_path, alone) == []


def test_mails_that_are_answered_take_part_in_their_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each run of a handler asks the same, although the time goes on: else none of its answers would be found."""
    alone = list[object]()
    monkeypatch.setattr(BufferedBatch, "_run_alone", lambda _, job: alone.append(job))
    prepared(tmp_path, [*replies("One"), *neighbours.new("Fire")])
    with desk(tmp_path) as made:
        made.work()
        assert made.app.documents.count("outbox", {}) == len(neighbours.earlier()) + 2
    assert alone == []


@pytest.mark.parametrize(
    ("plant", "broken"), [("queries-without-others", "waited"), ("counts-without-others", "notifications")]
)
def test_a_batch_that_overlooks_its_own_writes_is_caught(
    tmp_path: Path, alone: Effects, monkeypatch: pytest.MonkeyPatch, plant: str, broken: str
) -> None:
    BATCH_PLANTS[plant](monkeypatch.setattr)
    assert broken in {breach.invariant for breach in in_one_batch(tmp_path, alone)}


@pytest.fixture(scope="module")
def same_messages(place: Path) -> Race:
    """Two desks with the same mails in their queues, as after a lease that has ended."""
    sent = [*replies("One", "Two"), *neighbours.new("Three", "Four", times=2)]
    ready = prepared(place / "same", sent)
    shutil.copytree(ready / "queues", ready / OTHERS)
    undisturbed = one_after_the_other(place / "one desk", sent)
    return lambda folder: overtaken(ready, folder, sent, undisturbed)


@pytest.fixture(scope="module")
def same_record(place: Path) -> Race:
    """Two desks with replies to one record."""
    sent, others = [*replies("One", "Two"), *neighbours.new("Three")], replies("Four", "Five")
    ready = with_others(place / "record", sent, others, *BEFORE_THE_WRITER)
    undisturbed = one_after_the_other(place / "one after the other", [*sent, *others])
    return lambda folder: (
        [each for each in found if each.invariant not in FREE]
        for found in overtaken(ready, folder, [*sent, *others], undisturbed)
    )


def overtaken(ready: Path, folder: Path, sent: Sequence[Sent], undisturbed: Effects) -> Iterator[list[Breach]]:
    """What is wrong when another desk does all its work before a round of writing of this one; before each in turn."""
    for round_ in count(1):
        data = copied(ready, folder / str(round_))
        with desk(data) as slow:
            slow.store.before_writing = lambda now, then=round_, data=data: (
                work_elsewhere(data) if now == then else None
            )
            slow.work()
            if slow.store.writing < round_:
                return
            yield ledger.breaches(slow.app, [*neighbours.earlier(), *sent], undisturbed)


def harmless(runs: Iterable[list[Breach]]) -> bool:
    """Whether there were runs, and none of them broke anything."""
    found = list(runs)
    assert [breaches for breaches in found if breaches] == []
    return bool(found)


def test_a_desk_that_is_overtaken_with_the_same_mails_does_each_thing_once(tmp_path: Path, same_messages: Race) -> None:
    assert harmless(same_messages(tmp_path))


def test_a_desk_whose_record_is_changed_by_another_one_loses_no_update(tmp_path: Path, same_record: Race) -> None:
    assert harmless(same_record(tmp_path))


@pytest.mark.parametrize(
    ("plant", "race", "broken"),
    [
        ("conditions-not-looked-at", "same_messages", "records"),
        ("losers-not-looked-at", "same_record", "records"),
        ("documents-of-others-unseen", "same_messages", "letters"),
    ],
)
def test_a_batch_that_overlooks_others_is_caught(
    tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, plant: str, race: str, broken: str
) -> None:
    run: Race = request.getfixturevalue(race)
    BATCH_PLANTS[plant](monkeypatch.setattr)
    assert any(broken in {breach.invariant for breach in found} for found in run(tmp_path))
