"""Who is copied takes part in a record, where the inbox wants that (VF-21); nobody by saying so later."""

from __future__ import annotations

from typing import Any, Final

import pytest

from services.operator.service_desk import records as views
from shared.config.model import CommandPolicy, Settings
from tests.builders import a_configuration, a_mail, a_person, an_analyst, an_inbox
from tests.desk import Desk

JANE: Final = "Jane Doe <jane@example.com>"
ANN: Final = "Ann Analyst <ann@example.com>"
BOSS, KIM, EVE = "boss@customer.example", "Kim Lee <kim@customer.example>", "eve@evil.example"
FIRST: Final = "<m1@customer.example>"
THREAD: Final = {"subject": "Re: Printer", "References": FIRST, "In_Reply_To": FIRST}


def configure(desk: Desk, *, wanted: bool = True, commands: CommandPolicy | None = None, **settings: Any) -> None:
    inbox = an_inbox(copy_takes_part=wanted, commands=commands or CommandPolicy())
    people = (a_person("jane"), an_analyst("ann"), a_person("kim", name="Kim Lee", addresses=("kim@customer.example",)))
    desk.configure(a_configuration(inbox, an_inbox("sales"), *people, settings=Settings(**settings)))


def first(**keys: Any) -> bytes:
    """Jane's mail to the desk, to her boss, and in copy to Kim."""
    keys = {"to": f"support@example.com, {BOSS}", "Cc": f"{KIM}, {BOSS}", "Message_ID": FIRST, **keys}
    return a_mail(sender=JANE, **keys)


def participants(desk: Desk) -> list[str]:
    return list(desk.records()[0].get("participants", ()))


@pytest.mark.req("VF-21")
def test_people_in_to_and_cc_of_a_new_request_take_part(desk: Desk) -> None:
    configure(desk)
    desk.receive(first())
    assert participants(desk) == [BOSS, "kim@customer.example"]
    desk.receive(a_mail("I have it too.\n", sender=f"Boss <{BOSS}>", subject="Incident#1"))
    assert [each["text"] for each in desk.activities(desk.record())][-1].endswith("I have it too.\n")


@pytest.mark.req("VF-21")
@pytest.mark.parametrize(("plus", "activities"), [("ignore", 3), ("keep", 1)])
def test_a_tag_in_the_address_makes_no_difference(desk: Desk, plus: str, activities: int) -> None:
    configure(desk, plus_addressing=plus)
    desk.receive(first(to="support@example.com, boss+desk@customer.example", Cc=JANE))
    desk.receive(a_mail("I have it too.\n", sender="boss+mobile@customer.example", subject="Incident#1"))
    desk.receive(a_mail("Me too.\n", sender=f"Boss <{BOSS}>", subject="Incident#1"))
    (record, *_), tagged = desk.records(), "boss+desk@customer.example"
    assert (record["participants"], len(desk.activities(record))) == ([tagged], activities)


@pytest.mark.req("VF-21")
def test_a_mailbox_takes_part_once_and_not_when_it_wrote(desk: Desk) -> None:
    configure(desk)
    desk.receive(first(to="support@example.com, jane+x@example.com", Cc=f"{BOSS}, Boss+x@customer.example"))
    assert participants(desk) == [BOSS]
    desk.receive(a_mail("More.\n", sender=JANE, Cc="boss+y@customer.example", **THREAD))
    assert participants(desk) == [BOSS]


def test_records_show_names_who_takes_part(desk: Desk) -> None:
    configure(desk)
    desk.receive(first())
    record = views.record_called(desk.app, "INC1")
    assert views.view(desk.app, record, 5).as_json()["participants"] == [
        {"address": BOSS, "id": None, "name": None, "kind": None},
        {"address": "kim@customer.example", "id": "kim", "name": "Kim Lee", "kind": "employee"},
    ]


def test_without_the_key_nobody_takes_part_in_answers_and_copies_may_update_as_ever(desk: Desk) -> None:
    configure(desk, wanted=False)
    desk.receive(first())
    assert participants(desk) == []
    assert desk.record()["copied"] == ["kim@customer.example", BOSS]


@pytest.mark.parametrize(
    "address",
    [
        "support@example.com",
        "Support+x@Example.com",
        "sales@example.com",
        "no-reply@shop.example",
        "MAILER-DAEMON@mx.example",
        "Jane <jane@example.com>",
        "undisclosed",
    ],
)
def test_the_desk_itself_robots_and_the_sender_do_not_take_part(desk: Desk, address: str) -> None:
    configure(desk)
    desk.receive(first(to=f"support@example.com, {address}", Cc=address))
    assert participants(desk) == []


def test_a_list_does_not_take_part(desk: Desk) -> None:
    configure(desk)
    desk.receive(first(to="users@lists.example", Cc=KIM, List_Post="<mailto:users@lists.example>"))
    assert participants(desk) == ["kim@customer.example"]


def test_at_most_fifty_people_take_part(desk: Desk) -> None:
    configure(desk)
    desk.receive(first(Cc=", ".join(f"p{n}@customer.example" for n in range(80))))
    desk.receive(a_mail(sender=JANE, Cc="late@customer.example", **THREAD))
    assert len(participants(desk)) == 50


def test_the_customer_adds_people_in_an_answer(desk: Desk) -> None:
    configure(desk)
    desk.receive(first())
    desk.receive(a_mail(sender=JANE, Cc="new@customer.example", **THREAD))
    assert participants(desk)[-1] == "new@customer.example"
    desk.receive(a_mail(sender=ANN, to="x@customer.example, support@example.com", **THREAD))
    assert participants(desk)[-1] == "x@customer.example"


NUMBER: Final = {"subject": "[Incident - 1] Printer"}
ATTEMPTS: Final[dict[str, tuple[str, dict[str, str]]]] = {
    "a stranger in the thread": (EVE, {**THREAD, "Cc": EVE, "Reply_To": EVE}),
    "a stranger by number": (EVE, {**NUMBER, "Cc": EVE, "Reply_To": EVE}),
    "a person in copy adds others": (KIM, {**THREAD, "Cc": EVE}),
    "a person in copy adds others by number": (KIM, {**NUMBER, "Cc": EVE}),
    "the customer's address, by number alone": (JANE, {**NUMBER, "Cc": EVE}),
    "the analyst's address, by number alone": (ANN, {**NUMBER, "Cc": EVE}),
    "the customer's address, with Reply-To": (JANE, {**THREAD, "Reply_To": EVE}),
    "the customer's name": (f"Jane Doe <{EVE}>", {**THREAD, "Cc": EVE}),
    "a list in the customer's name": (
        "users@lists.example",
        {**THREAD, "Cc": EVE, "X_Original_From": JANE, "List_Id": "<users.lists.example>"},
    ),
    "a stranger who claims the customer's id": (EVE, {"subject": "Printer", "Message_ID": FIRST, "Cc": EVE}),
}


@pytest.mark.req("VF-21", "VF-16")
@pytest.mark.parametrize("commands", [CommandPolicy(), CommandPolicy(update_anonymously=True, update_by="recognised")])
@pytest.mark.parametrize("name", ATTEMPTS)
def test_nobody_takes_part_by_saying_so_later(desk: Desk, name: str, commands: CommandPolicy) -> None:
    configure(desk, commands=commands)
    desk.receive(first())
    before = desk.records()[0]
    sender, headers = ATTEMPTS[name]
    desk.receive(a_mail(sender=sender, **headers))
    after = desk.records()[0]
    assert (after.get("participants"), after["copied"]) == (before.get("participants"), before["copied"])


def test_a_proof_of_the_sender_is_as_good_as_the_thread(desk: Desk) -> None:
    configure(desk, trusted_authserv_ids=("mx.example.com",))
    desk.receive(first())
    proof = {"Authentication_Results": "mx.example.com; dmarc=pass header.from=example.com"}
    desk.receive(a_mail(sender=JANE, Cc="new@customer.example", **NUMBER, **proof))
    assert participants(desk)[-1] == "new@customer.example"


def test_who_takes_part_is_the_same_when_every_mail_comes_twice(desk: Desk) -> None:
    configure(desk)
    for raw in (first(), a_mail(sender=JANE, Cc="new@customer.example", **THREAD)):
        desk.receive(raw)
        desk.receive(raw)
    assert participants(desk) == [BOSS, "kim@customer.example", "new@customer.example"]
