"""The worker that takes the next batch before its turn: nothing is done twice, nor counted without being handled."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from unittest.mock import Mock

import pytest

from services import runner
from services.parser import ahead, mime
from services.parser.ahead import ReadingAhead
from services.parser.readers import READERS
from shared.contracts.errors import Unavailable
from shared.runtime.broker import Delivery
from shared.store.records import Records
from tests.builders import a_mail
from tests.desk import Desk

pytestmark = pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="readers need Linux")
MAILS = [a_mail(f"text of {n}\n", subject=f"mail {n}") for n in range(40)]


@pytest.fixture(autouse=True)
def _own_readers() -> Iterator[None]:
    READERS.close()
    yield
    READERS.close()


def worker(desk: Desk, prefetch: int = 16) -> ReadingAhead:
    """The parser's, with one reader beside it."""
    stage = runner.STAGES["parser"](desk.app)
    return ReadingAhead(stage, runner.worker_dependencies(desk.app), prefetch=prefetch, readers=1)


def takes(desk: Desk) -> list[int]:
    """How often each message on intake was handed out, the oldest first."""
    with sqlite3.connect(desk.app.broker.file.path) as db:  # type: ignore[attr-defined]
        return [row[0] for row in db.execute("SELECT takes FROM queue WHERE queue = 'intake' ORDER BY seq")]


def test_a_desk_with_readers_does_what_one_without_does(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    READERS.ask(MAILS[:1], 1)
    assert READERS.reading(MAILS[0]) is not None, "the reader has started"
    read_here = list[bytes]()
    original = mime.read
    monkeypatch.setattr(mime, "read", lambda raw: (read_here.append(raw), original(raw))[1])
    desk.hand_in(*MAILS)
    runner.run_all(desk.app, threading.Event(), once=True, sources=False, processes=2)
    assert [record["subject"] for record in desk.records()] == [f"mail {n}" for n in range(40)]
    assert {mail["outcome"] for mail in desk.mails()} == {"recorded"}
    assert len(read_here) < 10, "the others were read beside it"


@pytest.mark.parametrize(("mails", "paused", "running"), [(8, False, True), (7, False, False), (8, True, False)])
def test_the_readers_start_before_the_first_mail_where_many_wait(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, mails: int, paused: bool, running: bool
) -> None:
    monkeypatch.setattr(runner, "run_round_robin", lambda *_, **__: None)
    desk.hand_in(*MAILS[:mails])
    if paused:
        desk.app.pauses.begin("parser", at=desk.app.clock.now(), by="Ann", reason="upgrade")
    runner.run_all(desk.app, threading.Event(), once=True, sources=False, processes=2)
    assert bool(READERS._readers) == running


def test_with_readers_the_first_mails_are_read_beside_too(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.hand_in(*MAILS)
    parser = worker(desk)
    assert parser.start_readers(len(MAILS))
    monkeypatch.setattr(mime, "read", Mock(side_effect=ZeroDivisionError("read here")))
    while parser.step(0):
        pass
    assert [mail["subject"] for mail in desk.mails()] == [f"mail {n}" for n in range(40)]


def test_the_next_batch_is_taken_and_read_ahead(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[int]()
    monkeypatch.setattr(READERS, "ask", lambda raws, _: asked.append(len(raws)))
    desk.hand_in(*MAILS)
    parser = worker(desk)
    parser.consumer._width = 16  # type: ignore[attr-defined]
    assert len(parser.take(0)) == 16
    assert takes(desk)[:40] == [1] * 32 + [0] * 8
    assert asked == [16]
    parser.consumer.close()
    assert takes(desk) == [0] * 40


def test_behind_a_mail_that_was_handed_out_before_nothing_is_taken(desk: Desk) -> None:
    desk.hand_in(*MAILS[:3])
    killed = worker(desk)
    killed.consumer._width = 1  # type: ignore[attr-defined]
    assert len(killed.take(0)) == 1
    desk.app.broker.file.connection.execute("UPDATE queue SET held = 0, holder = NULL")  # type: ignore[attr-defined]
    assert takes(desk) == [1, 1, 0]
    again = worker(desk)
    assert [each.count for each in again.take(0)] == [1]
    assert takes(desk) == [2, 1, 0]


def test_a_suspect_ahead_is_given_back_uncounted(desk: Desk) -> None:
    desk.hand_in(*MAILS[:3])
    db = desk.app.broker.file.connection  # type: ignore[attr-defined]
    db.execute("UPDATE queue SET takes = 1 WHERE seq = (SELECT max(seq) FROM queue)")
    parser = worker(desk)
    parser.consumer._width = 2  # type: ignore[attr-defined]
    assert len(parser.take(0)) == 2
    assert takes(desk) == [1, 1, 1]


def test_readers_end_when_no_mail_comes(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.hand_in(*MAILS)
    parser = worker(desk)
    parser.consumer._width = 16  # type: ignore[attr-defined]
    assert [len(parser.take(0)), len(parser.take(0))] == [16, 16]
    assert READERS._readers
    monkeypatch.setattr(ahead, "IDLE_SECONDS", -1.0)
    parser.take(0)
    assert not READERS._readers


def test_a_desk_that_may_start_no_process_reads_all_by_itself(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fork() -> int:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", fork)
    desk.hand_in(*MAILS)
    runner.run_all(desk.app, threading.Event(), once=True, sources=False, processes=2)
    assert {mail["outcome"] for mail in desk.mails()} == {"recorded"}
    assert [each.msg for each in caplog.records if each.levelname == "WARNING"] == ["no_readers"]


def test_what_is_in_hand_is_not_lost_when_nothing_can_be_taken_ahead(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.hand_in(*MAILS)
    parser = worker(desk)
    parser.consumer._width = 16  # type: ignore[attr-defined]
    parser.take(0)
    with monkeypatch.context() as patch:
        patch.setattr(parser.consumer, "take", Mock(side_effect=Unavailable("the disk is full")))
        assert len(parser.take(0)) == 16
    assert len(parser.take(0)) == 8


def test_what_was_taken_ahead_goes_back_with_what_was_in_hand(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(READERS, "ask", lambda *_: None)
    desk.hand_in(*MAILS)
    parser, handled = worker(desk), list[object]()
    parser.consumer._width = 16  # type: ignore[attr-defined]
    with monkeypatch.context() as patch:
        patch.setattr(parser, "prepare_some", Mock(side_effect=Unavailable("the disk is full")))
        with pytest.raises(Unavailable):
            parser.step(0)
    assert not parser._events
    original = parser.work_on

    def work_on(given: Sequence[Delivery]) -> Sequence[Delivery]:
        handled.extend(each.tag for each in given)
        return original(given)

    monkeypatch.setattr(parser, "work_on", work_on)
    while parser.step(0):
        pass
    assert handled == sorted(handled)  # type: ignore[type-var]
    assert len(handled) == len(MAILS)
    parser.consumer.close()


def test_what_was_taken_ahead_goes_back_when_a_later_stage_fails(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(READERS, "ask", lambda *_: None)
    desk.hand_in(*MAILS)
    dependencies = runner.worker_dependencies(desk.app)
    workers = [runner._worker(desk.app, each(desk.app), dependencies, 1) for each in runner.STAGES.values()]
    workers[0].consumer._width = 4  # type: ignore[attr-defined]
    with monkeypatch.context() as patch:
        patch.setattr(Records, "create_once", Mock(side_effect=Unavailable("the disk is full")))
        assert isinstance(runner.run_one_round(desk.app, workers)[1], Unavailable)
    while runner.run_one_round(desk.app, workers)[0]:
        pass
    numbered = sorted(desk.records(), key=lambda record: record["serial"])
    assert [record["subject"] for record in numbered] == [f"mail {n}" for n in range(len(MAILS))]
    for each in workers:
        each.consumer.close()


def test_readers_are_started_again_some_time_after_the_system_refused_one(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Mock(side_effect=[OSError(11, "Resource temporarily unavailable"), None])
    monkeypatch.setattr(READERS, "ask", asked)
    desk.hand_in(*MAILS)
    parser = worker(desk, 10)
    parser.consumer._width = 10  # type: ignore[attr-defined]
    parser.take(0)
    parser.take(0)
    assert asked.call_count == 1
    parser._without_until = 0.0
    parser.take(0)
    assert asked.call_count == 2
