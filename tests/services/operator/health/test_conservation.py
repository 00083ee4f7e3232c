"""Conservation: a deliberately lost message is found, wherever it is lost; a dead letter is not a loss."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from services import pipeline, runner
from services.operator.errors import NotAvailable
from services.operator.health import conservation
from services.operator.health.conservation import ConservationReport
from services.operator.mail import actions
from shared.config.model import MailServer
from shared.contracts.errors import Unavailable
from shared.embedded.broker import EmbeddedBroker
from shared.intake import RawMail
from shared.runtime.worker import Worker, close_consumer
from tests.builders import a_configuration, a_mail
from tests.desk import Desk, a_copy
from tests.servers.documents import uses_index
from tests.servers.presence import PATIENCE_SECONDS
from tests.servers.rabbitmq import RabbitNode

UP_TO: dict[str, tuple[str, ...]] = {
    "intake": (),
    "filter": ("parser",),
    "sender-matcher": ("parser", "filter"),
    "record-writer": ("parser", "filter", "sender-matcher"),
    "notifier": ("parser", "filter", "sender-matcher", "record-writer"),
    "dead-letter": ("parser",),
    "wish": ("parser", "dead-letter"),
}
"""Which stages work before the loss, so that a message lies on the queue. `wish`: for an incident on error."""
LOST = {
    "intake": "were handed in, but",
    "filter": "no outcome and no message",
    "sender-matcher": "no outcome and no message",
    "record-writer": "no outcome and no message",
    "notifier": "outgoing mails wait",
    "dead-letter": "no outcome and no message",
    "wish": "requested an incident",
}
Lose = Callable[[str], None]


@pytest.fixture(params=["embedded", "rabbitmq"])
def scene(request: pytest.FixtureRequest, tmp_path: Path, first_data: Path) -> Iterator[tuple[Desk, Lose]]:
    """A desk, and a way to lose everything on one queue."""
    if request.param == "embedded":
        desk = a_copy(first_data, tmp_path / "data")
        yield desk, lambda queue: _delete_rows(desk, queue)
    else:
        node: RabbitNode = request.getfixturevalue("rabbit_node")
        vhost: str = request.getfixturevalue("rabbit_vhost")
        desk = a_copy(first_data, tmp_path / "data", broker_url=node.url(vhost))
        yield desk, lambda queue: node.api("DELETE", f"queues/{vhost}/postroom.{queue}/contents")
    desk.close()


def _delete_rows(desk: Desk, queue: str) -> None:
    assert isinstance(desk.app.broker, EmbeddedBroker)
    with desk.app.broker.file.writing() as db:
        db.execute("DELETE FROM queue WHERE queue = ?", (queue,))


def run(desk: Desk, *stages: str) -> None:
    """Let some stages work until their queues are empty, and close their consumers."""
    for name in stages:
        stage = pipeline.STAGES[name](desk.app)
        worker = Worker(stage, runner.worker_dependencies(desk.app))
        deadline = time.monotonic() + PATIENCE_SECONDS
        while worked(worker) or depth(desk, stage.queue):
            assert time.monotonic() < deadline
        close_consumer(worker.consumer)


def worked(worker: Worker) -> bool:
    """Whether there was work to do; one that is not connected yet does not know."""
    on_its_way = 0.0 if isinstance(worker.dependencies.broker, EmbeddedBroker) else 0.5
    try:
        return bool(worker.step(timeout=on_its_way))
    except Unavailable:
        return True


def depth(desk: Desk, queue: str) -> int:
    """Messages ready on one queue."""
    return next(each.ready for each in desk.app.broker.depths() if each.name == queue)


def check(desk: Desk) -> ConservationReport:
    """With little patience: nothing runs meanwhile."""
    return conservation.check(desk.app, patience=0.3)


def prepare(desk: Desk, place: str) -> str:
    """Bring a message to the place; the queue it lies on."""
    server = MailServer("out", host="smtp.example", port=25, from_address="support@example.com")
    desk.configure(a_configuration(mail_servers=(server,)))
    desk.hand_in(a_mail(Message_ID="<one@customer.example>"))
    run(desk, *UP_TO["notifier"])
    inbox = "nowhere" if place in ("dead-letter", "wish") else None
    desk.hand_in(a_mail("and?\n", In_Reply_To="<one@customer.example>", subject="Re: Printer"), inbox=inbox)
    run(desk, *UP_TO[place])
    return "record-writer" if place == "wish" else place


@pytest.mark.req("PR-15")
@pytest.mark.parametrize("place", ["filter", "record-writer"])
def test_a_mail_that_lost_its_message_can_be_replayed(scene: tuple[Desk, Lose], place: str) -> None:
    """Replaying it twice, or one whose message is still there, makes no second record."""
    desk, lose = scene
    queue = prepare(desk, place)
    lose(queue)
    (lost,) = desk.app.mails.in_flight(9)
    for _ in range(2):
        assert actions.replay_mail(desk.app, lost) == 0
    run(desk, *UP_TO["notifier"])
    assert check(desk).problems == ()
    assert len(desk.records()) == 1
    assert [each["kind"] for each in desk.activities(desk.record())].count("email") == 2
    with pytest.raises(NotAvailable, match="no open dead letter"):
        actions.replay_mail(desk.app, desk.app.mails.get(lost.id) or lost)


@pytest.mark.parametrize("place", UP_TO)
def test_a_lost_message_is_found_wherever_it_is_lost(scene: tuple[Desk, Lose], place: str) -> None:
    desk, lose = scene
    queue = prepare(desk, place)
    assert depth(desk, queue) == 1
    assert check(desk).problems == ()
    lose(queue)
    (problem,) = check(desk).problems
    assert LOST[place] in problem


def test_what_went_through_adds_up(desk: Desk) -> None:
    mail = a_mail()
    desk.receive(mail, mail, a_mail(subject="Out of office"), a_mail(sender="b@customer.example"))
    desk.receive(mail)
    report = check(desk)
    assert report == ConservationReport(arrivals=5, outcomes=3, duplicates=2, in_flight=0)


def test_what_has_not_gone_through_adds_up(desk: Desk) -> None:
    desk.hand_in(a_mail(), a_mail(sender="b@customer.example"))
    run(desk, "parser", "filter")
    desk.hand_in(a_mail(sender="c@customer.example"))
    report = check(desk)
    assert (report.arrivals, report.outcomes, report.in_flight, report.problems) == (3, 0, 3, ())


def test_a_dead_letter_is_a_note_and_no_problem(desk: Desk) -> None:
    desk.receive(a_mail(), inbox="nowhere")
    report = check(desk)
    assert (report.outcomes, report.problems) == (1, ())
    assert report.notes == ("1 dead letter waits for a person: postroom dead-letters list",)


def test_a_message_without_a_mail_counts_as_an_unreadable_arrival(desk: Desk) -> None:
    message = desk.app.intake._message(RawMail(a_mail()))  # the shape of a message of ours
    desk.app.broker.publish([replace(message, content_type="application/x-python-pickle")])
    desk.work()
    report = check(desk)
    assert (report.arrivals, report.unreadable, report.outcomes, report.problems) == (1, 1, 0, ())


def test_a_message_id_that_a_sender_uses_twice_hides_no_arrival(desk: Desk) -> None:
    messages = [desk.app.intake._message(RawMail(a_mail(f"{n}\n"))) for n in range(2)]
    desk.app.broker.publish([replace(message, id="always-the-same") for message in messages])
    desk.work()
    assert check(desk) == ConservationReport(arrivals=2, outcomes=2, duplicates=0, in_flight=0)


@pytest.mark.parametrize(("collection", "words"), [("mails", "documents are missing"), ("arrivals", "no arrival")])
def test_a_lost_document_is_found(desk: Desk, collection: str, words: str) -> None:
    desk.receive(a_mail(), a_mail(sender="b@customer.example"))
    desk.store.delete(collection, {"_id": next(desk.store.find(collection, {}))["_id"]})
    (problem,) = check(desk).problems
    assert words in problem


def test_a_suspicion_that_passes_is_not_a_problem(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.hand_in(a_mail())
    run(desk, "parser")
    depths, looks = desk.app.broker.depths, iter(range(100))
    monkeypatch.setattr(desk.app.broker, "depths", lambda: [] if next(looks) < 4 else depths())
    assert conservation.check(desk.app, patience=30).problems == ()


def test_counting_uses_indexes_only(desk: Desk) -> None:
    asked: list[tuple[str, Any]] = []
    count = desk.store.count

    def counting(collection: str, where: Any) -> int:
        asked.append((collection, where))
        return count(collection, where)

    desk.receive(a_mail())
    desk.app.documents.count = counting  # type: ignore[method-assign]
    check(desk)
    narrowed = [(collection, where) for collection, where in asked if where]
    assert len(narrowed) >= 5
    assert [each for each in narrowed if not uses_index(desk.store, *each)] == []
