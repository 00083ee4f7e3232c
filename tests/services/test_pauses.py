"""Pausing a stage: every form of worker obeys, nothing is lost or held, and it survives a restart."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from services import runner
from services.operator.errors import NotAvailable, UnknownName
from services.operator.health.counts import SingleRun
from services.operator.health.doctor import findings
from services.operator.health.queues import queue_states
from services.operator.health.stages import pause_stage, paused_stages, resume_stage, stage_names
from shared.app import App
from shared.contracts.errors import Unavailable
from shared.runtime.hooks import Hook, Paused, Resumed
from shared.runtime.pauses import PauseReader
from shared.runtime.worker import Worker
from tests.builders import a_mail
from tests.desk import Desk
from tests.servers.presence import PATIENCE_SECONDS
from tests.servers.rabbitmq import wait_until


class Seen(Hook):
    """How hooks are called for pauses."""

    def __init__(self) -> None:
        self.stages = list[str]()
        self.changed = threading.Event()

    def paused(self, details: Paused) -> None:
        self.stages.append(f"{details.part}: {details.reason}")
        self.changed.set()

    def resumed(self, details: Resumed) -> None:
        self.stages.append(f"{details.part} works")
        self.changed.set()


def ready(desk: Desk) -> dict[str, int]:
    """Queue → messages that wait, those that have any."""
    return {each.name: each.ready for each in desk.app.broker.depths() if each.ready}


def test_a_paused_stage_takes_nothing_and_the_others_go_on(any_desk: Desk) -> None:
    pause_stage(any_desk.app, "filter", by="anna", reason="new rules")
    any_desk.hand_in(a_mail())
    any_desk.work()
    assert ready(any_desk) == {"filter": 1}
    resume_stage(any_desk.app, "filter", by="anna", reason="done")
    any_desk.work()
    assert ready(any_desk) == {}
    assert len(any_desk.records()) == 1


def test_after_a_resume_the_backlog_goes_first(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the embedded default, where a batch of new mail goes through all stages in memory."""
    monkeypatch.setattr(runner, "RELAY_PREFETCH", 2)
    paused = {"sender-matcher": "move"}
    dependencies = replace(runner.worker_dependencies(desk.app), pause_reason=paused.get)
    stages = [each.on_demand(desk.app) for each in runner.STAGES.values()]
    workers = [runner._worker(desk.app, stage, dependencies, 0) for stage in stages]
    before, after = [f"before {number}" for number in range(7)], [f"after {number}" for number in range(4)]
    desk.hand_in(*(a_mail(subject=subject, Message_ID=f"<{subject[-1]}@before.example>") for subject in before))
    while runner.run_one_round(desk.app, workers)[0]:
        pass
    assert ready(desk) == {"sender-matcher": 7}
    paused.clear()
    desk.hand_in(*(a_mail(subject=subject, Message_ID=f"<{subject[-1]}@after.example>") for subject in after))
    while runner.run_one_round(desk.app, workers)[0]:
        pass
    assert [each["subject"] for each in desk.records()] == [*before, *after]
    for worker in workers:
        worker.consumer.close()


def test_a_worker_of_its_own_obeys_while_it_runs_and_holds_nothing(any_desk: Desk) -> None:
    app, seen, stop = any_desk.app, Seen(), threading.Event()
    worker = Worker(runner.STAGES["parser"](app), runner.worker_dependencies(app, seen))
    thread = threading.Thread(target=worker.run, args=(stop,))
    pause_stage(app, "parser", by="anna", reason="")
    thread.start()
    try:
        assert seen.changed.wait(PATIENCE_SECONDS)
        any_desk.hand_in(*(a_mail(subject=str(number)) for number in range(3)))
        assert ready(any_desk) == {"intake": 3}
        seen.changed.clear()
        resume_stage(app, "parser", by="anna")
        assert seen.changed.wait(PATIENCE_SECONDS)
        assert seen.stages == ["parser: paused by anna", "parser works"]
        wait_until(lambda: ready(any_desk) == {"filter": 3}, PATIENCE_SECONDS, "the three mails")
    finally:
        stop.set()
        thread.join()


def test_a_pause_survives_a_restart(desk: Desk) -> None:
    pause_stage(desk.app, "record-writer", by="anna", reason="move")
    desk.close()
    again = Desk(desk.app.location)
    again.hand_in(a_mail())
    again.work()
    assert ready(again) == {"record-writer": 1}
    assert again.records() == []
    again.close()


def test_who_paused_and_resumed_is_kept(desk: Desk) -> None:
    pause_stage(desk.app, "notifier", by="anna", reason=" wrong template ")
    resume_stage(desk.app, "notifier", by="ben", reason="corrected")
    (pause,) = desk.app.pauses.recent(0)
    assert (pause.stage, pause.by, pause.reason) == ("notifier", "anna", "wrong template")
    assert (pause.resumed_by, pause.resume_reason) == ("ben", "corrected")
    assert pause.resumed_at is not None
    assert pause.resumed_at > pause.at
    assert paused_stages(desk.app) == {}


def test_an_action_that_does_not_fit_is_refused(desk: Desk) -> None:
    with pytest.raises(UnknownName, match="there is no stage 'printer'; known are fetcher, parser"):
        pause_stage(desk.app, "printer", by="anna", reason="")
    with pytest.raises(NotAvailable, match="filter is not paused"):
        resume_stage(desk.app, "filter", by="anna")
    pause_stage(desk.app, "filter", by="anna", reason="new rules")
    with pytest.raises(NotAvailable, match="filter is paused by anna: new rules"):
        pause_stage(desk.app, "filter", by="ben", reason="")
    assert set(stage_names()) == {*runner.STAGES, *runner.SOURCES}


@pytest.mark.req("PR-14")
def test_doctor_queues_and_a_single_run_say_what_is_paused(desk: Desk) -> None:
    run = SingleRun(desk.app)
    pause_stage(desk.app, "filter", by="anna", reason="new rules")
    desk.hand_in(a_mail())
    desk.work()
    desk.clock.advance(timedelta(minutes=5))
    (found,) = [each for each in findings(desk.app) if each.check == "queues"]
    what = "filter has been paused by anna: new rules; since 5 min; 1 message waits"
    assert (found.name, found.what, found.remedy) == ("stage-paused", what, "postroom queues resume filter")
    assert [each.name for each in queue_states(desk.app) if each.paused == "paused by anna: new rules"] == ["filter"]
    assert what in run.report().problems


def test_sources_obey_too(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    for source in runner.SOURCES:
        pause_stage(desk.app, source, by="anna", reason="")
    fetcher, schedule = runner.build_fetcher(desk.app), runner.build_schedule(desk.app)
    monkeypatch.setattr(schedule.by_clock, "_due_duties", lambda: pytest.fail("the schedule works"))
    schedule.once()
    monkeypatch.setattr(fetcher, "states", None)  # not even the states of inboxes are read
    assert fetcher.once() == []


def test_the_store_is_asked_once_a_second_and_not_while_it_is_unavailable() -> None:
    now, asked, answers = [0.0], list[float](), [{"filter": "paused"}, None, {}]

    def read() -> dict[str, str]:
        asked.append(now[0])
        answer = answers.pop(0)
        if answer is None:
            raise Unavailable("the store does not answer")
        return answer

    reader = PauseReader(read, lambda: now[0])
    assert reader("filter") == "paused"
    now[0] = 0.9
    assert (reader("filter"), reader("parser")) == ("paused", None)
    now[0] = 1.1
    with pytest.raises(Unavailable):
        reader("filter")
    assert reader("filter") is None
    assert asked == [0.0, 1.1, 1.1]


def test_a_worker_of_a_store_that_does_not_answer_takes_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def unavailable(_: App) -> None:
        raise Unavailable("the store does not answer")

    workers = [Worker(runner.STAGES["parser"](desk.app), runner.worker_dependencies(desk.app))]
    monkeypatch.setattr(desk.app.pauses, "current", lambda: unavailable(desk.app))
    desk.hand_in(a_mail())
    worked, error = runner.run_one_round(desk.app, workers)
    assert (worked, str(error)) == (0, "the store does not answer")
    assert ready(desk) == {"intake": 1}
