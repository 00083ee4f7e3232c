"""Bad messages on every queue, through the whole desk: each ends as one dead letter, and no worker with it."""

from __future__ import annotations

import base64
import gzip
import pickle
import time

import pytest

from services.queues import QUEUES
from shared.contracts import codec
from shared.runtime.broker import DEAD_LETTER, INTAKE, RFC822, Message
from tests.builders import a_mail
from tests.desk import Desk
from tests.shared.contracts.samples import SAMPLES
from tests.shared.contracts.test_codec import BODIES

STAGED = tuple(queue for queue in QUEUES.names if queue not in {INTAKE, DEAD_LETTER})
GOOD = codec.encode(SAMPLES["MailParsed"])
VERSION = {"version": codec.VERSION}


def an_event(body: bytes, to: str = "filter", *, type_: str = "MailParsed", **changes: object) -> Message:
    """A message as a stage would publish it, but for the changes."""
    fields: dict[str, object] = {"headers": VERSION, "correlation_id": "m1", **changes}
    return Message("bad-1", to, body, type_, **fields)  # type: ignore[arg-type]


BAD = {
    **{name: an_event(body) for name, body in BODIES.items()},
    "row 98, no version": an_event(GOOD, headers={}),
    "row 98, a version in letters": an_event(GOOD, headers={"version": "one"}),
    "row 98, of a future long gone": an_event(GOOD, headers={"version": 99, "at": int(time.time()) - 4000}),
    "row 98, of a future without a date": an_event(GOOD, headers={"version": 99}),
    "row 99, pickle": an_event(pickle.dumps(print), content_type="application/x-python-serialize"),
    "row 99, yaml": an_event(b"!!python/object/apply:os.getpid []", content_type="application/x-yaml"),
    "row 99, pickle at intake": Message(
        "bad-1", "intake", pickle.dumps(print), content_type="application/x-python-serialize"
    ),
    "base64": an_event(base64.b64encode(GOOD), content_type="application/base64"),
    "base64 as JSON": an_event(base64.b64encode(GOOD)),
    "an operator for an address": an_event(
        GOOD.replace(b'"from":{', b'"from":{"$gt":"","x":{', 1).replace(b"}", b"}}", 1)
    ),
    "compressed": an_event(gzip.compress(b"0" * 1_000_000), content_type="application/gzip"),
    "compressed at intake": Message("bad-1", "intake", gzip.compress(b"0" * 99), content_type="application/gzip"),
    "compressed by its encoding": Message(
        "bad-1", "intake", gzip.compress(b"0" * 99), content_type=RFC822, headers={"content-encoding": "GZIP:UTF-8"}
    ),
    "an unknown event": an_event(b"{}", type_="MailEaten"),
    "a reference to no blob id": an_event(
        b'{"blob":"../x"}', content_type="application/vnd.postroom.event-reference+json"
    ),
    "an unknown mail": an_event(codec.encode(SAMPLES["SenderMatched"]), "record-writer", type_="SenderMatched"),
}


@pytest.mark.parametrize("message", BAD.values(), ids=BAD.keys())
def test_a_bad_message_becomes_one_dead_letter_that_says_why(desk: Desk, message: Message) -> None:
    desk.app.broker.publish([message])
    desk.work()
    (letter,) = desk.dead_letters()
    assert letter["reason"]
    assert letter["queue"] == message.to
    assert [depth for depth in desk.app.broker.depths() if depth.ready or depth.unacked] == []


@pytest.mark.parametrize("queue", STAGED)
def test_every_stage_refuses_what_is_not_an_event(desk: Desk, queue: str) -> None:
    desk.app.broker.publish([an_event(b"[" * 100_000, queue)])
    desk.work()
    assert [letter["queue"] for letter in desk.dead_letters()] == [queue]


def test_what_is_no_letter_among_the_letters_is_kept_too(desk: Desk) -> None:
    desk.app.broker.publish([Message("bad-1", "dead-letter", b"\x00\xff", content_type="application/gzip")])
    desk.work()
    kept = len(desk.dead_letters()) + sum(each.ready for each in desk.app.broker.depths() if each.name == "parked")
    assert kept == 1


def test_a_mail_to_an_unknown_inbox_is_kept_as_a_dead_letter(desk: Desk) -> None:
    """Row 104."""
    (mail,) = desk.receive(a_mail(), inbox="nowhere")
    (letter,) = desk.dead_letters()
    assert (mail["outcome"], letter["mail_id"]) == ("dead", mail["_id"])
    assert "there is no inbox 'nowhere'" in letter["reason"]
    assert (mail["from"]["address"], mail["subject"]) == ("anna@customer.example", "Printer")
    (incident,) = desk.records()
    assert incident["subject"] == "Mail could not be processed: Printer"
    assert "<anna@customer.example>\nSubject: Printer\n" in incident["description"]


@pytest.mark.req("PR-11")
def test_an_old_mail_with_a_status_that_its_type_lacks_is_a_dead_letter(desk: Desk) -> None:
    """`postroom import` refuses it; an integrator's header is seen here first."""
    headers = {"history-at": "2020-01-01T00:00:00Z", "history-status": "Whatever"}
    desk.app.broker.publish([Message("m-1", INTAKE, a_mail(), content_type=RFC822, headers=headers)])
    desk.app.broker.publish(
        [Message("m-2", INTAKE, a_mail("b\n"), headers={**headers, "history-status": "closed"}, content_type="")]
    )
    desk.work()
    (letter,) = desk.dead_letters()
    assert letter["reason"] == "the field Status takes one of Logged, Active, Waiting, Resolved, Closed, not 'Whatever'"
    assert [record["status"] for record in desk.records()] == ["Closed"]


def test_good_mails_go_on_between_bad_messages(desk: Desk) -> None:
    desk.hand_in(a_mail(subject="before"))
    desk.app.broker.publish([an_event(body, queue) for queue in STAGED for body in list(BODIES.values())[:5]])
    desk.hand_in(a_mail(subject="after"))
    desk.work()
    assert {record["subject"] for record in desk.records()} >= {"before", "after"}
    assert len(desk.dead_letters()) >= 1


@pytest.mark.parametrize("content_type", [RFC822, "message/rfc822; charset=utf-8", "MESSAGE/RFC822", "", "text/plain"])
def test_intake_takes_mail_under_the_names_that_clients_give_it(desk: Desk, content_type: str) -> None:
    desk.app.broker.publish([Message("m-1", "intake", a_mail(), content_type=content_type)])
    desk.work()
    assert len(desk.records()) == 1
