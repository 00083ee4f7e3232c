"""Programs that answer each other stop: two desks, a desk and a naive auto-responder, and a list between them."""

from __future__ import annotations

import email
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Final, cast

import pytest

from services.notifier import compose
from services.notifier.stage import as_outgoing
from shared.app import Location
from shared.config.model import CommandPolicy, MailServer
from tests.builders import a_configuration, a_mail, a_person, an_inbox
from tests.desk import Desk

MOST: Final = 3
"""Mails of one desk to one mailbox in an hour."""
ROUNDS: Final = 12
ANSWERING: Final = CommandPolicy(reply_on_create=True, log_new_on_invalid_number=True)
Relay = Callable[[EmailMessage], EmailMessage]


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(Location(tmp_path / "other"))
    yield made
    made.close()


def configure(desk: Desk, address: str) -> None:
    inbox = an_inbox("support", address=address, commands=ANSWERING)
    desk.configure(a_configuration(inbox))


def sent_by(desk: Desk, known: set[str]) -> list[EmailMessage]:
    """The mails that a desk wrote since, as they leave."""
    new = [each for each in desk.app.outbox.recent(None, 0) if each.id not in known]
    known.update(each.id for each in new)
    raws = [compose.build(as_outgoing(each), MailServer("m", from_address=each.from_)) for each in reversed(new)]
    return [cast("EmailMessage", email.message_from_bytes(raw, policy=default)) for raw in raws]


def directly(mail: EmailMessage) -> EmailMessage:
    """The mail as it is."""
    return mail


def through_a_list(mail: EmailMessage) -> EmailMessage:
    """The mail as a list server passes it on that takes out the marks of automatic mail."""
    for name in ("Auto-Submitted", "X-Auto-Response-Suppress", "X-Postroom-Loop"):
        del mail[name]
    mail["List-Id"] = "<desks.lists.example>"
    mail["Precedence"] = "list"
    subject = str(mail["Subject"])
    del mail["Subject"]
    mail["Subject"] = f"[desks] {subject}"
    return mail


def naive_answer(mail: EmailMessage, count: int) -> bytes:
    """What an auto-responder writes that sets none of the headers of RFC 3834."""
    return a_mail(
        "I am on holiday until Monday.\n",
        sender=f"Otto <{mail['To'].addresses[0].addr_spec}>",
        to=str(mail["From"]),
        subject=f"Re: {mail['Subject']}",
        Message_ID=f"<otto{count}@robot.example>",
        In_Reply_To=str(mail["Message-ID"]),
    )


@pytest.mark.req("PR-02")
@pytest.mark.parametrize("relay", [directly, through_a_list])
def test_two_desks_stop(desk: Desk, other: Desk, relay: Relay) -> None:
    configure(desk, "support@one.example")
    configure(other, "support@two.example")
    written: dict[str, set[str]] = {"one": set(), "two": set()}
    desk.receive(a_mail(sender="support@two.example", to="support@one.example", Message_ID="<first@two.example>"))
    for _ in range(ROUNDS):
        for mail in sent_by(desk, written["one"]):
            other.hand_in(relay(mail).as_bytes())
        other.work()
        for mail in sent_by(other, written["two"]):
            desk.hand_in(relay(mail).as_bytes())
        desk.work()
    assert 1 <= len(written["one"]) <= MOST
    assert len(written["two"]) <= MOST
    assert len(desk.records()) == 1


@pytest.mark.req("PR-02")
@pytest.mark.parametrize("configured", [True, False], ids=["known", "a stranger"])
@pytest.mark.parametrize("relay", [directly, through_a_list])
def test_a_desk_and_a_naive_auto_responder_stop(desk: Desk, relay: Relay, configured: bool) -> None:
    people = (a_person("otto", addresses=("otto@robot.example",)),) if configured else ()
    desk.configure(a_configuration(an_inbox("support", address="support@one.example", commands=ANSWERING), *people))
    written: set[str] = set()
    desk.receive(
        a_mail(sender="Otto <otto@robot.example>", to="support@one.example", Message_ID="<otto@robot.example>")
    )
    for count in range(ROUNDS):
        for mail in sent_by(desk, written):
            answer = cast("EmailMessage", email.message_from_bytes(naive_answer(mail, count), policy=default))
            desk.hand_in(relay(answer).as_bytes())
        desk.work()
    assert 1 <= len(written) <= MOST
    assert len(desk.records()) == 1


@pytest.mark.req("VF-20")
def test_a_person_who_writes_different_things_is_answered(desk: Desk) -> None:
    desk.configure(a_configuration(an_inbox(commands=ANSWERING)))
    desk.receive(a_mail())
    desk.receive(*(a_mail(f"More of it: {n}\n", subject="[Call - INC1]") for n in range(4)))
    assert len(desk.outbox()) == 5
    (mail,) = desk.receive(a_mail("More of it: 3\n", subject="Re: [Call - INC1]"))
    assert (len(desk.outbox()), "writes the same as before" in mail["reason"]) == (5, True)
