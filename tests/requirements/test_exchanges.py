"""Machines that answer each other stop (PR-02): two desks, one that answers every mail, and a list between them.

Within an hour nobody gets more than three mails of a desk in such an exchange, whoever began it. What a person gets who
answers is tested beside it.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from email.utils import make_msgid, parseaddr
from pathlib import Path
from typing import Any, Final, cast

import pytest

from services.notifier import compose
from services.notifier.stage import as_outgoing
from services.operator.service_desk import manual_edits
from shared.config.model import CommandPolicy, MailServer
from tests.builders import a_configuration, a_mail, a_person, an_inbox
from tests.desk import Desk, a_copy

ROBOT: Final = "robot@r.example"
LIST: Final = "users@lists.example"
A, B = "support@a.example", "help@b.example"
MOST: Final = 3
"""Mails from one to another within an hour."""
MOST_CONVERSATIONS: Final = 2
"""What passes mail on without saying that it is a list looks like one person with several conversations."""
TOO_MANY: Final = 200
"""Mails after which an exchange counts as endless."""

Answer = Callable[[EmailMessage, int], dict[str, str]]
"""How a naive machine answers a mail: headers and `text`. The number is that of its answers so far."""


def _same_subject(mail: EmailMessage, _: int) -> dict[str, str]:
    return {"Subject": f"Re: {mail['Subject']}", "text": "I am away until Monday.\n"}


def _threaded(mail: EmailMessage, number: int) -> dict[str, str]:
    references = f"{mail['References'] or ''} {mail['Message-ID']}".strip()
    return {**_same_subject(mail, number), "In-Reply-To": str(mail["Message-ID"]), "References": references}


def _ever_new_text(mail: EmailMessage, number: int) -> dict[str, str]:
    return {**_threaded(mail, number), "text": f"This is my answer number {number}.\n"}


def _own_subject(_: EmailMessage, number: int) -> dict[str, str]:
    return {"Subject": "I got your mail", "text": f"Thank you. ({number})\n"}


def _wrapped_subject(mail: EmailMessage, number: int) -> dict[str, str]:
    return {
        "Subject": f"Received: {mail['Subject']}",
        "text": f"Case {number}.\n",
        "In-Reply-To": str(mail["Message-ID"]),
    }


def _quoting(mail: EmailMessage, number: int) -> dict[str, str]:
    body = cast(EmailMessage, mail).get_body(("plain",))
    quoted = "".join(f"> {line}\n" for line in (body.get_content() if body else "").split("\n"))
    return {
        **_threaded(mail, number),
        "text": f"Away.\n\nOn Friday, Desk <{parseaddr(str(mail['From']))[1]}> wrote:\n{quoted}",
    }


ROBOTS: Final[dict[str, Answer]] = {
    "under the same subject": _same_subject,
    "in the thread": _threaded,
    "with ever new text": _ever_new_text,
    "under a subject of its own": _own_subject,
    "under a longer subject": _wrapped_subject,
    "with all of the mail": _quoting,
}


@dataclass
class Net:
    """Desks, a robot and a list that mail each other. `sent` counts mails by sender and recipient as they were sent."""

    desks: dict[str, Desk]
    robot: Answer
    polite_list: bool = True
    sent: Counter[tuple[str, str]] = field(default_factory=Counter)
    queue: deque[tuple[str, bytes]] = field(default_factory=deque)
    answers: int = 0
    seen: dict[str, int] = field(default_factory=dict)

    def send(self, raw: bytes, sender: str, to: str) -> None:
        """Hand a mail to its recipient."""
        self.sent[sender, to] += 1
        self.queue.append((to, raw))

    def run(self) -> None:
        """Deliver until nothing is on its way."""
        while self.queue:
            assert sum(self.sent.values()) < TOO_MANY, "an endless exchange"
            to, raw = self.queue.popleft()
            if to in self.desks:
                self._to_desk(to, raw)
            elif to == ROBOT:
                self._to_robot(raw)
            elif to == LIST:
                self._to_list(raw)

    def _to_desk(self, address: str, raw: bytes) -> None:
        desk = self.desks[address]
        desk.receive(raw)
        for mail in sorted(desk.app.outbox.recent(None, 0), key=lambda each: each.at)[self.seen.get(address, 0) :]:
            server = MailServer("default", from_address=address)
            for to in mail.to:
                self.send(compose.build(as_outgoing(mail), server), address, to)
        self.seen[address] = len(desk.outbox())

    def _to_robot(self, raw: bytes) -> None:
        mail = _read(raw)
        self.answers += 1
        answer = self.robot(mail, self.answers)
        to = parseaddr(str(mail["Reply-To"] or mail["From"]))[1].partition("+")[0]
        to = to if "@" in to else f"{to}@{parseaddr(str(mail['From']))[1].partition('@')[2]}"
        self.send(_written(ROBOT, to, answer), ROBOT, to)

    def _to_list(self, raw: bytes) -> None:
        """A list rewrites From; a naive one drops what it does not know and adds nothing of a list."""
        mail = _read(raw)
        poster = parseaddr(str(mail["From"]))[1]
        body = mail.get_body(("plain",))
        kept = {"Subject": str(mail["Subject"]), "text": body.get_content() if body else ""}
        for name in ("In-Reply-To", "References"):
            kept.update({name: str(mail[name])} if mail[name] else {})
        if self.polite_list:
            kept.update({"List-Id": "<users.lists.example>", "Precedence": "list"})
            kept.update({name: str(mail[name]) for name in ("X-Postroom-Loop", "Auto-Submitted") if mail[name]})
        for member in (*self.desks, ROBOT):
            if member != poster:
                self.send(_written(LIST, member, {**kept, "Message-ID": str(mail["Message-ID"])}), LIST, member)


def _read(raw: bytes) -> EmailMessage:
    return cast(EmailMessage, message_from_bytes(raw, policy=cast(Any, default)))


def _written(sender: str, to: str, answer: dict[str, str]) -> bytes:
    message = EmailMessage()
    message["From"], message["To"] = sender, to
    for name, value in answer.items():
        if name != "text":
            message[name] = value
    if "Message-ID" not in message:
        message["Message-ID"] = make_msgid(domain="r.example")
    message.set_content(answer["text"])
    return message.as_bytes()


@pytest.fixture(params=["strangers", "known"])
def desks(request: pytest.FixtureRequest, tmp_path: Path, first_data: Path) -> Iterator[dict[str, Desk]]:
    """Two desks that acknowledge and confirm everything, and know the others or not."""
    made = {}
    for address in (A, B):
        desk = a_copy(first_data, tmp_path / address)
        inbox = an_inbox(address=address, commands=CommandPolicy(reply_on_create=True, notify_handler_on_update=True))
        others = [a_person(f"p{n}", addresses=(each,)) for n, each in enumerate({A, B, ROBOT, LIST} - {address})]
        desk.configure(a_configuration(inbox, *(others if request.param == "known" else ())))
        made[address] = desk
    yield made
    for desk in made.values():
        desk.close()


STARTS: Final = {
    "the robot mails a desk": [(ROBOT, A)],
    "the robot mails both": [(ROBOT, A), (ROBOT, B)],
    "one desk's address mails the other": [(B, A)],
    "both addresses mail each other, and the robot": [(A, B), (B, A), (ROBOT, B), (A, ROBOT)],
}


@pytest.mark.req("PR-02")
@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("robot", ROBOTS)
def test_two_desks_and_a_robot_stop_within_three_mails(desks: dict[str, Desk], robot: str, start: str) -> None:
    net = Net(desks, ROBOTS[robot])
    for sender, to in STARTS[start]:
        net.send(a_mail("Is anybody there?\n", sender=sender, to=to, subject="Printer"), sender, to)
    net.run()
    begun = Counter(STARTS[start])
    assert {pair: count for pair, count in net.sent.items() if count - begun[pair] > MOST} == {}


@pytest.mark.req("PR-02")
@pytest.mark.parametrize("polite", [True, False], ids=["a list", "a list without its headers"])
@pytest.mark.parametrize("robot", ROBOTS)
def test_so_they_do_with_a_list_between_them(desks: dict[str, Desk], robot: str, polite: bool) -> None:
    net = Net(desks, ROBOTS[robot], polite)
    net.send(a_mail("Is anybody there?\n", sender="nora@x.example", to=LIST, subject="Printer"), "nora@x.example", LIST)
    net.run()
    most = MOST if polite else MOST_CONVERSATIONS * MOST
    assert {pair: count for pair, count in net.sent.items() if pair[0] in desks and count > most} == {}


@pytest.mark.req("PR-02", "VF-20")
def test_a_person_who_answers_gets_confirmations_again_after_an_hour(desks: dict[str, Desk]) -> None:
    desk = desks[A]
    net = Net({A: desk}, _threaded)
    net.send(a_mail(sender=ROBOT, to=A, subject="Printer"), ROBOT, A)
    net.run()
    before = len(desk.outbox())
    desk.clock.advance(timedelta(hours=1, minutes=1))
    last = desk.outbox()[-1]["message_id"]
    desk.receive(a_mail("One more thing.\n", sender=ROBOT, to=A, subject="Re: Printer", In_Reply_To=last))
    assert len(desk.outbox()) == before + 1


@pytest.mark.req("PR-20")
def test_a_person_with_several_requests_within_the_hour_gets_an_acknowledgement_of_each(desks: dict[str, Desk]) -> None:
    desk = desks[A]
    for subject in ("Printer", "Screen", "Mouse", "Keyboard", "Chair"):
        desk.receive(a_mail(sender="nora@x.example", to=A, subject=subject))
    assert len(desk.outbox()) == 5


@pytest.mark.req("VF-20")
def test_updates_of_several_records_by_number_alone_are_all_confirmed(desks: dict[str, Desk]) -> None:
    desk = desks[A]
    desk.configure(
        a_configuration(*desk.app.directory.current().inboxes, a_person("nora", addresses=("nora@x.example",)))
    )
    for subject in ("Printer", "Screen", "Mouse", "Keyboard"):
        desk.receive(a_mail(sender="nora@x.example", to=A, subject=subject))
    before = len(desk.outbox())
    for record in desk.records():
        desk.receive(a_mail("more\n", sender="nora@x.example", to=A, subject=f"[Call - {record['number']}]"))
    assert len(desk.outbox()) == before + 4


@pytest.mark.req("VF-13", "PR-01", "PR-02")
def test_whoever_answers_about_a_closed_record_is_notified_once_more(desks: dict[str, Desk]) -> None:
    desk = desks[A]
    desk.receive(a_mail(sender="nora@x.example", to=A, subject="Printer"))
    answers: list[str] = []
    incident = desk.app.directory.current().type_named("incident")
    assert incident is not None
    for text in ("Hello?", "Is it done?", "And now?", "It is broken again.", "Nobody reads this."):
        if text.startswith("It is"):
            manual_edits.change(desk.app, incident, desk.record()["_id"], [("Status", "Closed")])
        answered = desk.outbox()[-1]["message_id"]
        desk.receive(a_mail(f"{text}\n", sender="nora@x.example", to=A, subject="Re: Printer", In_Reply_To=answered))
        answers = [each["kind"] for each in desk.outbox()]
    assert answers == ["created", "updated", "closed"]


@pytest.mark.req("VF-20")
def test_each_update_by_number_is_confirmed_to_a_person(desks: dict[str, Desk]) -> None:
    desk = desks[A]
    desk.receive(a_mail(sender="nora@x.example", to=A, subject="Printer"))
    number = desk.record()["number"]
    before = len(desk.outbox())
    for page in range(1, 6):
        subject = f"[Incident - {number}] Printer"
        desk.receive(a_mail(f"Page {page} is grey.\n", sender="nora@x.example", to=A, subject=subject))
    assert len(desk.outbox()) == before + 5
