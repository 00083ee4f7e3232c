"""All stages in one process: a part that breaks is not missed in silence."""

from __future__ import annotations

import logging
import threading

import pytest

from services import runner
from shared.config.model import Settings
from shared.contracts.errors import Unavailable
from shared.runtime import worker
from shared.runtime.worker import Worker
from shared.store.records import Records
from tests.builders import a_configuration, a_mail, an_inbox
from tests.desk import Desk


class Broken:
    """A fetcher with a bug."""

    def run(self, _: threading.Event) -> None:
        raise ZeroDivisionError("a bug")


def test_a_part_that_breaks_ends_the_process_with_its_error(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(runner.SOURCES, "fetcher", lambda _: Broken())
    with pytest.raises(ZeroDivisionError, match="a bug"):
        runner.run_all(desk.app, threading.Event())


@pytest.mark.req("TI-06")
@pytest.mark.parametrize(
    ("whole_desk", "quiet_inbox", "logged"),
    [(True, True, {"support", "sales"}), (True, False, {"support"}), (False, True, set())],
    ids=["all", "one-inbox-off", "desk-off"],
)
def test_the_steps_of_a_mail_are_logged_as_desk_and_inbox_say(
    desk: Desk, caplog: pytest.LogCaptureFixture, whole_desk: bool, quiet_inbox: bool, logged: set[str]
) -> None:
    inboxes = (an_inbox(), an_inbox("sales", log_events=quiet_inbox))
    desk.configure(a_configuration(*inboxes, settings=Settings(log_events=whole_desk)))
    caplog.set_level(logging.INFO)
    mails = {inbox: desk.receive(a_mail(subject=inbox), inbox=inbox)[-1]["_id"] for inbox in ("support", "sales")}
    steps = [(each.mail_id, each.stage) for each in caplog.records if each.msg == "decided"]  # type: ignore[attr-defined]
    assert {inbox for inbox, id_ in mails.items() if (id_, "parser") in steps} == logged
    assert {inbox for inbox, id_ in mails.items() if (id_, "record-writer") in steps} == logged
    assert all(list(desk.app.journal.of_mail(id_)) for id_ in mails.values())


def test_a_mail_that_is_further_on_stays_ahead_of_those_behind_it(desk: Desk) -> None:
    """An earlier process left the first one between two stages."""
    desk.hand_in(a_mail(subject="first"), a_mail(subject="second"))
    parser = Worker(runner.STAGES["parser"](desk.app), runner.worker_dependencies(desk.app), prefetch=1)
    assert parser.step(0) == 1
    parser.consumer.close()
    desk.work()
    assert [record["subject"] for record in desk.records()] == ["first", "second"]


@pytest.mark.req("PR-15")
@pytest.mark.parametrize(("group_bytes", "kept"), [(worker.GROUP_BYTES, []), (1, ["second"])])
def test_when_a_later_stage_cannot_write_the_whole_round_is_done_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, group_bytes: int, kept: list[str]
) -> None:
    """What the parser stored last is undone with it, and all its messages are on intake again (decision 0197)."""
    monkeypatch.setattr(worker, "GROUP_BYTES", group_bytes)
    stored = list[int]()

    def unavailable(*_: object, **__: object) -> None:
        stored.append(len(desk.mails()))
        raise Unavailable("the disk is full")

    desk.receive(a_mail(subject="first"))
    desk.hand_in(a_mail(subject="second"), a_mail(subject="third"))
    workers = [Worker(each(desk.app), runner.worker_dependencies(desk.app)) for each in runner.STAGES.values()]
    workers[0].consumer._width = 8  # type: ignore[attr-defined]
    with monkeypatch.context() as patch:
        patch.setattr(Records, "create_once", unavailable)
        assert isinstance(runner.run_one_round(desk.app, workers)[1], Unavailable)
    assert (stored, desk.app.broker.in_flight()) == ([3], 2)
    assert [mail["subject"] for mail in desk.mails()] == ["first", *kept]
    for each in workers:
        each.consumer.close()
    desk.work()
    assert [record["subject"] for record in desk.records()] == ["first", "second", "third"]
    assert (desk.dead_letters(), desk.app.arrivals.count("taken"), desk.app.arrivals.count()) == ([], 3, 3)


def test_a_backlog_is_not_held_up_by_the_turns_of_stages_that_talk_to_servers(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On one file: one turn at the start, the next when a second has passed or the backlog is done."""
    monkeypatch.setattr(runner, "NETWORK_SECONDS", 3600.0)
    monkeypatch.setattr(runner, "RELAY_PREFETCH", 1)
    turns, step = list[tuple[str, int]](), Worker.step

    def noted(self: Worker, timeout: float) -> int:
        worked = step(self, timeout)
        turns.append((self.stage.name, worked))
        return worked

    monkeypatch.setattr(Worker, "step", noted)
    desk.hand_in(*(a_mail(subject=f"mail {number}") for number in range(4)))
    runner.run_all(desk.app, threading.Event(), once=True, sources=False)
    assert len(desk.records()) == 4
    assert [name for name, worked in turns if name == "parser" and worked] == ["parser"] * 4
    assert 0 < len([name for name, _ in turns if name == "notifier"]) < 4
