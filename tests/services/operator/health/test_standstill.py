"""Twelve standstills are planted, and the doctor finds each by name; a desk at work is healthy."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest

from services import runner
from services.operator.health.doctor import Finding, findings, is_healthy
from services.operator.health.standstill import standstills, waited, without_addresses
from services.operator.inbox.inboxes import stop_inbox, switch_processing
from services.operator.mail import actions
from services.operator.mail.publishing import Origin, made_ready, publish
from services.queues import QUEUES
from shared.app import App, Location
from shared.config.model import MailServer
from shared.config.values import Secret
from shared.embedded.broker import EmbeddedBroker
from shared.store.inbox_states import InboxStates
from tests.builders import a_configuration, a_mail, an_inbox
from tests.desk import Desk
from tests.servers.presence import closed_port
from tests.services.operator.health.test_conservation import run

READERS: Final = ("parser", "filter", "sender-matcher")
A_WHILE: Final = timedelta(hours=3)
MAILBOX: Final = an_inbox("box", protocol="imap", host="imap.example", username="box", password=Secret("${BOX}"))


def answered(desk: Desk, *, port: int = 25) -> None:
    """Let a mail make a record, and a reply to it an outgoing mail, which waits for the notifier."""
    server = MailServer("out", host="127.0.0.1", port=port, tls="none", from_address="support@example.com")
    desk.configure(a_configuration(mail_servers=(server,)))
    desk.hand_in(a_mail(Message_ID="<one@customer.example>"))
    run(desk, *READERS, "record-writer")
    desk.hand_in(a_mail("and?\n", In_Reply_To="<one@customer.example>", subject="Re: Printer"))
    run(desk, *READERS, "record-writer")


def states(desk: Desk) -> InboxStates:
    desk.configure(a_configuration(MAILBOX))
    return InboxStates(desk.store, desk.clock)


@contextmanager
def no_worker(desk: Desk, *stages: str) -> Iterator[None]:
    desk.hand_in(a_mail())
    run(desk, *stages)
    yield


@contextmanager
def no_worker_on_intake(desk: Desk) -> Iterator[None]:
    with no_worker(desk):
        yield


@contextmanager
def no_worker_on_the_record_writer(desk: Desk) -> Iterator[None]:
    with no_worker(desk, *READERS):
        yield


@contextmanager
def no_worker_on_the_notifier(desk: Desk) -> Iterator[None]:
    answered(desk)
    yield


@contextmanager
def a_worker_that_hangs(desk: Desk) -> Iterator[None]:
    consumer = desk.app.broker.consumer("intake", 1)
    desk.hand_in(a_mail(), a_mail(), a_mail())
    while not consumer.take(0.2):
        pass
    desk.clock.advance(A_WHILE)
    if isinstance(desk.app.broker, EmbeddedBroker):
        with desk.app.broker.file.writing() as db:
            db.execute("UPDATE queue SET at = at - ?", (A_WHILE.total_seconds(),))
    yield
    consumer.close()


@contextmanager
def a_refusing_server(desk: Desk) -> Iterator[None]:
    with closed_port() as port:
        answered(desk, port=port)
        run(desk, "notifier")
        desk.clock.advance(A_WHILE)
        yield


@contextmanager
def outgoing_mail_that_waits(desk: Desk) -> Iterator[None]:
    answered(desk)
    desk.clock.advance(A_WHILE)
    yield


@contextmanager
def a_refused_password(desk: Desk) -> Iterator[None]:
    states(desk).refused(MAILBOX, "the login was refused", after=1, ticket=False)
    desk.clock.advance(A_WHILE)
    yield


@contextmanager
def a_stopped_inbox(desk: Desk) -> Iterator[None]:
    states(desk)
    stop_inbox(desk.app, "box", "holidays")
    desk.clock.advance(A_WHILE)
    yield


@contextmanager
def processing_off(desk: Desk) -> Iterator[None]:
    states(desk)
    switch_processing(desk.app, on=False)
    yield


@contextmanager
def a_failing_inbox(desk: Desk) -> Iterator[None]:
    states(desk).failed("box", "no route to host")
    yield


@contextmanager
def no_fetcher(desk: Desk) -> Iterator[None]:
    states(desk).succeeded("box")
    desk.clock.advance(A_WHILE)
    yield


@contextmanager
def a_retry_that_never_ends(desk: Desk) -> Iterator[None]:
    desk.hand_in(a_mail())
    run(desk, *READERS)
    consumer = desk.app.broker.consumer("record-writer", 1)
    while not (taken := consumer.take(0.2)):
        pass
    consumer.wait(taken[0], 300)
    consumer.close()
    desk.clock.advance(A_WHILE)
    yield


PLANTS: Final[dict[Callable[[Desk], AbstractContextManager[None]], tuple[str, str]]] = {
    no_worker_on_intake: ("no-worker", r"no worker on intake: 1 message waits; the oldest has waited \d+ s"),
    no_worker_on_the_record_writer: ("no-worker", r"no worker on record-writer: 1 message waits; the oldest .* \d+ s"),
    no_worker_on_the_notifier: ("no-worker", r"no worker on notifier: \d message.* wait.*; the oldest has waited \d+"),
    a_worker_that_hangs: ("message-waits", r"although a worker is running on intake: 3 h"),
    a_refusing_server: ("server-refuses", r"outgoing mails? waits? for the mail server out, since 3 h: .*refused"),
    outgoing_mail_that_waits: ("outgoing-mail-waits", r"outgoing mails? waits? although .* the oldest has waited 3 h"),
    a_refused_password: ("inbox-stopped", r"box has been stopped for 3 h: the login was refused"),
    a_stopped_inbox: ("inbox-stopped", r"box has been stopped for 3 h: holidays \(postroom inbox start box\)"),
    processing_off: ("processing-off", r"processing is off: no inbox is visited"),
    a_failing_inbox: ("inbox-failing", r"box is visited with errors, last at 2026-11-20T12:00.*: no route to host"),
    no_fetcher: ("not-visited", r"no fetcher has visited box for 3 h"),
    a_retry_that_never_ends: ("mail-without-outcome", r"1 mail has no outcome; the oldest, [0-9a-f]{12}, .* 3 h"),
}


@pytest.mark.req("PR-14")
@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: str(plant.__name__))
def test_a_standstill_is_found_by_name(any_desk: Desk, plant: Callable[[Desk], AbstractContextManager[None]]) -> None:
    name, text = PLANTS[plant]
    with plant(any_desk):
        found = findings(any_desk.app)
    named = [each for each in found if each.name == name]
    assert [each.status for each in named] == ["problem"] * len(named)
    assert any(re.search(text, each.message) for each in named), found
    assert not is_healthy(found)


def problems(app: App) -> list[Finding]:
    return [each for each in findings(app) if each.status == "problem"]


def test_what_waits_for_a_moment_is_not_a_standstill(desk: Desk) -> None:
    state = states(desk)
    state.succeeded("box")
    desk.receive(a_mail())
    assert problems(desk.app) == []


def test_a_mail_that_an_operator_sent_on_its_way_again_is_new(desk: Desk) -> None:
    (mail,) = desk.receive(a_mail(subject="Away", Auto_Submitted="auto-replied"))
    desk.clock.advance(A_WHILE)
    actions.release(desk.app, mail["_id"])
    assert [each.name for each in standstills(desk.app)] == ["no-worker"]


@pytest.mark.req("PR-14")
def test_a_desk_at_work_is_healthy_while_mail_comes_in(any_desk: Desk, tmp_path: Path) -> None:
    app = App.open(Location(tmp_path / "data", broker_url=any_desk.app.location.broker_url), QUEUES, any_desk.clock)
    stop = threading.Event()
    up = threading.Thread(target=runner.run_all, args=(any_desk.app, stop))
    up.start()
    try:
        while not all(each.consumers for each in app.broker.depths() if each.name in QUEUES.names):
            stop.wait(0.05)
        for number in range(5):
            publish(app, [made_ready("-", a_mail(subject=f"{number} {each}"), Origin()) for each in range(20)])
            assert problems(app) == []
    finally:
        stop.set()
        up.join()
        app.close()


def test_a_worker_that_ended_is_not_counted(desk: Desk) -> None:
    consumer = desk.app.broker.consumer("filter", 1)
    counts = []
    for act in (lambda: None, lambda: consumer.take(0), consumer.close):
        act()
        counts.append(next(each.consumers for each in desk.app.broker.depths() if each.name == "filter"))
    assert counts == [0, 1, 0]


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "119 min"), (7200, "2 h"), (172800, "2 d")],
)
def test_a_waiting_time_has_one_unit(seconds: int, expected: str) -> None:
    assert waited(seconds) == expected


def test_the_answer_of_a_server_is_shown_without_addresses() -> None:
    assert without_addresses("450 <anna@customer.example>: later") == "450 <(address)>: later"
