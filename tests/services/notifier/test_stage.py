"""The notifier in the pipeline: an answer leaves once, through a real SMTP server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes, policy

import pytest

from services.notifier import send, stage
from services.notifier.smtp import Deferred, MailRefused, Reply, Sent, Uncertain
from shared.config.model import MailServer, Rule
from shared.contracts.errors import Unavailable
from shared.contracts.events import NotificationQueued
from shared.mail_network.connection import Throttled
from shared.runtime.outcome import Emit, Outcome, Retry, Wait
from tests.builders import a_configuration, a_mail, an_inbox
from tests.desk import Desk
from tests.servers.presence import closed_port
from tests.servers.smtp import SmtpServer


def a_server(port: int) -> MailServer:
    address = "support@example.com"
    return MailServer("default", host="localhost", port=port, tls="none", auth="none", from_address=address)


@pytest.fixture
def sink() -> Iterator[SmtpServer]:
    with SmtpServer() as running:
        yield running


def with_an_answer(desk: Desk) -> None:
    """A record, and an update of it that is answered."""
    desk.receive(a_mail())
    desk.receive(a_mail("more\n", subject="Incident#1", Message_ID="<second@customer.example>"))


@pytest.mark.req("VF-20", "PR-02")
def test_an_answer_leaves_once_and_says_that_a_machine_wrote_it(desk: Desk, sink: SmtpServer) -> None:
    desk.configure(a_configuration(mail_servers=(a_server(sink.port),)))
    with_an_answer(desk)
    (received,) = sink.received
    mail = message_from_bytes(received.content, policy=policy.default)
    assert received.recipients == ["anna@customer.example"]
    assert (mail["Subject"], mail["In-Reply-To"]) == ("Call INC1 has been updated", "<second@customer.example>")
    assert mail["Auto-Submitted"] == "auto-replied"
    assert mail["X-Postroom-Loop"]
    assert [out["state"] for out in desk.outbox()] == ["sent"]


@pytest.mark.req("PR-02")
def test_a_reply_to_our_answer_joins_its_record(desk: Desk, sink: SmtpServer) -> None:
    desk.configure(a_configuration(mail_servers=(a_server(sink.port),)))
    with_an_answer(desk)
    answer = message_from_bytes(sink.received[0].content, policy=policy.default)
    desk.receive(a_mail("thanks\n", subject="Re: whatever", In_Reply_To=str(answer["Message-ID"])))
    assert len(desk.activities(desk.record())) == 3


@pytest.mark.req("PR-02")
def test_our_own_mail_coming_back_is_a_loop(desk: Desk, sink: SmtpServer) -> None:
    desk.configure(a_configuration(mail_servers=(a_server(sink.port),)))
    with_an_answer(desk)
    (mail,) = desk.receive(sink.received[0].content)
    assert (mail["outcome"], len(sink.received)) == ("rejected", 1)


@pytest.mark.req("TI-20", "TI-21")
def test_an_outbound_rule_keeps_an_answer_back(desk: Desk, sink: SmtpServer) -> None:
    rule = Rule("quiet", {"sender": "anna@customer.example"}, direction="outbound")
    desk.configure(a_configuration(mail_servers=(a_server(sink.port),), rules=(rule,)))
    with_an_answer(desk)
    assert ([out["state"] for out in desk.outbox()], sink.received) == (["blocked"], [])


@pytest.mark.req("NE-21")
def test_mail_of_a_blocked_server_stays_blocked(desk: Desk, sink: SmtpServer) -> None:
    desk.configure(a_configuration(mail_servers=(replace(a_server(sink.port), block=True),)))
    with_an_answer(desk)
    assert ([out["state"] for out in desk.outbox()], sink.received) == (["blocked"], [])


@pytest.mark.req("PR-02")
def test_nobody_is_answered_more_often_than_the_cap_allows(desk: Desk) -> None:
    desk.receive(a_mail())
    desk.receive(*(a_mail(f"more {n}\n", subject="Incident#1") for n in range(15)))
    assert len(desk.outbox()) == 10


def test_an_unavailable_server_delays_neither_the_run_nor_another_server(desk: Desk, sink: SmtpServer) -> None:
    inboxes = (an_inbox(mail_server="away"), an_inbox("sales", mail_server="default"))
    with closed_port() as nobody:
        away = replace(a_server(nobody), name="away")
        desk.configure(a_configuration(*inboxes, mail_servers=(away, a_server(sink.port))))
        with_an_answer(desk)
        desk.receive(a_mail("more\n", subject="Incident#1 "), inbox="sales")
    assert [(out["server"], out["state"]) for out in desk.outbox()] == [("away", "waiting"), ("default", "sent")]
    assert "refused" in desk.outbox()[0]["reason"].lower()


class Post:
    """A delivery that answers as told."""

    def __init__(self, *answers: Exception | Sent) -> None:
        self.answers, self.calls = list(answers), 0

    def __call__(self, *_: object) -> Sent:
        self.calls += 1
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def a_notifier(desk: Desk, post: Post) -> tuple[stage.Notifier, NotificationQueued]:
    """A notifier with one mail that waits."""
    with_an_answer(desk)
    (waiting,) = desk.outbox()
    desk.configure(a_configuration(mail_servers=(a_server(1),)))
    desk.app.outbox.queue_again(waiting["_id"], ("unsent",), server="default", from_=waiting["from"])
    notifier = stage.Notifier(
        desk.app.outbox, desk.app.people, desk.clock, desk.app.directory.current, post, desk.store.get_blob
    )
    return notifier, NotificationQueued(waiting["mail_id"], waiting["_id"])


def claim(desk: Desk) -> None:
    """Another worker claims the only outgoing mail."""
    (mail,) = desk.app.outbox.recent("waiting", 0)
    assert desk.app.outbox.claim(mail, desk.clock.now())


def test_a_second_delivery_of_the_message_sends_nothing_more(desk: Desk) -> None:
    post = Post(Sent(("anna@customer.example",)))
    notifier, queued = a_notifier(desk, post)
    notifier.handle(queued)
    assert isinstance(notifier.handle(queued), Emit)
    assert post.calls == 1


def test_a_mail_that_another_worker_sends_now_is_left_to_it(desk: Desk) -> None:
    post = Post(Sent(("anna@customer.example",)))
    notifier, queued = a_notifier(desk, post)
    claim(desk)
    assert isinstance(notifier.handle(queued), Wait)
    assert post.calls == 0


def test_a_mail_whose_claim_a_crash_left_behind_is_sent_once_more(desk: Desk) -> None:
    post = Post(Sent(("anna@customer.example",)))
    notifier, queued = a_notifier(desk, post)
    claim(desk)
    desk.clock.advance(timedelta(minutes=9))
    notifier.handle(queued)
    assert (post.calls, desk.outbox()[0]["state"]) == (1, "sent")


def test_a_mail_whose_claim_two_crashes_left_behind_is_never_sent_again(desk: Desk) -> None:
    post = Post()
    notifier, queued = a_notifier(desk, post)
    for _ in range(stage.MAX_TRIES):
        (mail,) = [desk.app.outbox.get(queued.outbox_id)]
        assert mail
        assert desk.app.outbox.claim(mail, desk.clock.now())
        desk.clock.advance(timedelta(minutes=9))
    assert isinstance(notifier.handle(queued), Emit)
    (out,) = desk.outbox()
    assert (post.calls, out["state"], out["reason"]) == (0, "failed", "delivery status unknown after two tries")


@pytest.mark.parametrize(
    ("answer", "outcome", "state", "reason"),
    [
        (MailRefused(Reply(550, "no such user")), Emit, "failed", "550 no such user"),
        (Deferred(Reply(451, "try later")), Wait, "waiting", "451 try later"),
        (Uncertain("the answer was lost"), Emit, "failed", "delivery status unknown: the answer was lost"),
    ],
    ids=["refused", "deferred", "uncertain"],
)
def test_what_the_server_says_decides_state_and_reason(
    desk: Desk, answer: Exception, outcome: type, state: str, reason: str
) -> None:
    notifier, queued = a_notifier(desk, Post(answer))
    assert isinstance(notifier.handle(queued), outcome)
    (out,) = desk.outbox()
    assert (out["state"], out["reason"]) == (state, reason)


FULL, GONE = "full@customer.example", "gone@customer.example"


def sending_to_three(desk: Desk, sink: SmtpServer) -> Callable[[], Outcome]:
    """What sends a mail to Anna with two in copy: one who is not known there, one whose mailbox is full for now."""
    waiting, queued = a_notifier(desk, Post())
    notifier = replace(waiting, deliver=send.deliver)
    desk.store.update("outbox", {"_id": queued.outbox_id}, {"$set": {"cc": [GONE, FULL]}})
    desk.configure(a_configuration(mail_servers=(a_server(sink.port),)))
    sink.faults.recipient_answers = {GONE: "550 5.1.1 unknown", FULL: "452 4.2.2 full"}
    return lambda: notifier.handle(queued)


def test_a_recipient_who_is_refused_for_now_is_tried_again_alone(desk: Desk, sink: SmtpServer) -> None:
    attempt = sending_to_three(desk, sink)
    assert attempt() == Wait(f"not taken yet for {FULL} (452 4.2.2 full)", stage.FIRST_WAIT)
    assert (desk.outbox()[0]["state"], desk.outbox()[0]["left"]) == ("waiting", [FULL])
    assert attempt() == Wait("452 4.2.2 full", stage.RETRY_WAIT)
    sink.faults.recipient_answers.clear()
    assert isinstance(attempt(), Emit)
    first, second = sink.received
    assert (first.recipients, second.recipients) == (["anna@customer.example"], [FULL])
    assert first.content == second.content
    assert desk.outbox()[0]["state"] == "sent"
    assert desk.outbox()[0]["reason"] == f"refused for {GONE} (550 5.1.1 unknown)"


def test_a_mail_that_one_of_several_never_gets_names_that_one(desk: Desk, sink: SmtpServer) -> None:
    attempt = sending_to_three(desk, sink)
    attempt()
    sink.faults.recipient_answers = {FULL: "550 5.2.1 disabled"}
    attempt()
    (out,) = desk.outbox()
    assert (out["state"], out["reason"]) == ("failed", f"for {FULL}: 550 5.2.1 disabled")
    assert len(sink.received) == 1


def test_a_mail_that_is_refused_for_now_is_retried_for_a_day_before_its_tries_are_counted(desk: Desk) -> None:
    """Greylisting, a full queue: what passes within hours needs no person."""
    notifier, queued = a_notifier(desk, Post(*(Deferred(Reply(451, "4.7.1 greylisted")) for _ in range(4))))
    assert notifier.handle(queued) == Wait("451 4.7.1 greylisted", timedelta(seconds=30))
    desk.clock.advance(timedelta(hours=23))
    assert notifier.handle(queued) == Wait("451 4.7.1 greylisted", timedelta(minutes=5))
    desk.clock.advance(timedelta(hours=1))
    assert notifier.handle(queued) == Retry("451 4.7.1 greylisted")


@pytest.mark.parametrize(
    "answer", [Unavailable, lambda text: Deferred(Reply(451, text))], ids=["unavailable", "deferred"]
)
def test_a_mail_that_waits_for_its_server_has_the_last_error_and_the_time_of_the_first(
    desk: Desk, answer: Callable[[str], Exception]
) -> None:
    notifier, queued = a_notifier(desk, Post(answer("no route"), answer("4.3.2 \x1b[2J\r\nnot now " + "x" * 5000)))
    notifier.handle(queued)
    failed = desk.app.outbox.get(queued.outbox_id)
    assert failed is not None
    desk.clock.advance(timedelta(minutes=5))
    outcome = notifier.handle(queued)
    waiting = desk.app.outbox.get(queued.outbox_id)
    assert waiting is not None
    assert (waiting.state, waiting.failing_since) == ("waiting", failed.failing_since)
    assert failed.failing_since
    assert waiting.reason is not None
    assert "4.3.2" in waiting.reason
    assert (waiting.reason.isprintable(), len(waiting.reason)) == (True, stage.MAX_REASON)
    assert getattr(outcome, "reason", None) == waiting.reason
    desk.app.outbox.queue_again(waiting.id, ("waiting",), server="default", from_=None)
    again = desk.app.outbox.get(queued.outbox_id)
    assert again is not None
    assert again.failing_since is None


def test_an_unavailable_server_leaves_the_mail_waiting(desk: Desk) -> None:
    notifier, queued = a_notifier(desk, Post(Unavailable("away"), Sent(("anna@customer.example",))))
    assert isinstance(notifier.handle(queued), Wait)
    assert desk.outbox()[0]["state"] == "waiting"
    notifier.handle(queued)
    assert desk.outbox()[0]["state"] == "sent"


@pytest.mark.req("NE-20")
@pytest.mark.parametrize(("asked", "wait"), [(17.0, 17), (0.0, 1), (None, 300)], ids=["stated", "at once", "unstated"])
def test_a_mail_waits_as_long_as_its_server_asks(desk: Desk, asked: float | None, wait: int) -> None:
    notifier, queued = a_notifier(desk, Post(Throttled("busy", asked), Sent(("anna@customer.example",))))
    outcome = notifier.handle(queued)
    assert isinstance(outcome, Wait)
    assert (outcome.after, desk.outbox()[0]["state"]) == (timedelta(seconds=wait), "waiting")
    desk.clock.advance(timedelta(seconds=wait))
    assert isinstance(notifier.handle(queued), Emit)
    assert desk.outbox()[0]["state"] == "sent"


@pytest.mark.req("NE-20")
def test_a_server_that_limits_requests_is_left_alone_and_other_servers_are_not(desk: Desk) -> None:
    """Another mail to the same server waits without a request; a second server, or changed settings, send at once."""
    post = Post(Throttled("busy", 60.0), Sent(("anna@customer.example",)))
    notifier, queued = a_notifier(desk, post)
    notifier.handle(queued)
    desk.clock.advance(timedelta(seconds=20))
    again = notifier.handle(queued)
    assert isinstance(again, Wait)
    assert (again.reason, round(again.after.total_seconds())) == ("mail server default limits requests", 40)
    assert post.calls == 1
    other = replace(desk.app.directory.current().mail_servers[0], timeout=timedelta(seconds=31))
    desk.configure(replace(desk.app.directory.current(), mail_servers=(other,)))
    assert isinstance(notifier.handle(queued), Emit)
    assert post.calls == 2


def test_a_file_that_cannot_be_read_now_does_not_count_as_an_attempt(desk: Desk) -> None:
    """The mail is sent as soon as the store gives the file, and not when a claim has expired."""
    notifier, queued = a_notifier(desk, Post(Sent(("anna@customer.example",))))
    file = {"filename": "a.txt", "content_type": "text/plain", "size": 1, "sha256": "0" * 64}
    (mail,) = desk.outbox()
    desk.store.replace("outbox", {**mail, "attachments": [file]})

    def unavailable(_: str) -> bytes:
        raise Unavailable("the store is unavailable")

    with pytest.raises(Unavailable):
        replace(notifier, content=unavailable).handle(queued)
    assert [(each["state"], each.get("tries")) for each in desk.outbox()] == [("waiting", 0)]
    assert isinstance(replace(notifier, content=lambda _: b"x").handle(queued), Emit)
    assert [each["state"] for each in desk.outbox()] == ["sent"]
