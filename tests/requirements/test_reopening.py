"""The life of a record: who has a closed one that a mail reopens, and who is notified of an update."""

from __future__ import annotations

from typing import Any

import pytest

from shared.config.model import CommandPolicy, Template
from tests.builders import a_configuration, a_mail, an_inbox
from tests.desk import Desk
from tests.requirements.test_commands import JANE, PEOPLE, TOM, create

TEMPLATES = (
    Template("standard", "incident", set={"Owner": "kim", "OwnerTeam": "Network"}),
    Template("team", "incident", set={"OwnerTeam": "Network"}),
    Template("nobody", "incident", set={"Priority": 2}),
)


def configure(desk: Desk, template: str | None = None, **commands: Any) -> None:
    inbox = an_inbox(template=template, commands=CommandPolicy(**commands))
    desk.configure(a_configuration(inbox, *PEOPLE, templates=TEMPLATES))


@pytest.mark.req("VF-14")
@pytest.mark.parametrize(
    ("template", "to", "owner", "team"),
    [
        ("standard", "last", "tom", "Desk"),
        ("standard", "template", "kim", "Network"),
        ("team", "template", None, "Network"),
        ("nobody", "template", "tom", "Desk"),
        (None, "template", "tom", "Desk"),
        ("standard", "group:Second Line", None, "Second Line"),
    ],
)
def test_a_reopened_call_goes_to_whom_the_inbox_says(
    desk: Desk, template: str | None, to: str, owner: str | None, team: str
) -> None:
    configure(desk, template, reopen_closed=True, reopened_to=to)
    create(desk, Owner="tom", OwnerTeam="Desk", Status="Closed")
    desk.receive(a_mail("Again.\n", sender=JANE, subject="Call#1"))
    record = desk.record()
    assert (record["status"], record["owner"], record["owner_team"]) == ("Active", owner, team)
    moves = [each["text"] for each in desk.activities(record) if each["kind"] in {"status", "owner", "owner_team"}]
    expected = ["Status: Closed → Active"]
    expected += [f"Owner: tom → {owner or 'nothing'}"] if owner != "tom" else []
    expected += [f"OwnerTeam: Desk → {team}"] if team != "Desk" else []
    assert moves == expected


@pytest.mark.req("VF-14", "IV-39")
@pytest.mark.parametrize("status", ["Active", "Resolved"])
def test_a_record_that_was_not_closed_keeps_its_owner(desk: Desk, status: str) -> None:
    configure(desk, reopen_closed=True, reopened_to="group:Second Line")
    create(desk, Owner="tom", OwnerTeam="Desk", Status=status)
    desk.receive(a_mail("Again.\n", sender=JANE, subject="Call#1"))
    assert (desk.record()["owner"], desk.record()["owner_team"]) == ("tom", "Desk")


@pytest.mark.req("VF-13", "VF-14")
def test_reopening_needs_its_switch(desk: Desk) -> None:
    configure(desk, reopened_to="group:Second Line")
    create(desk, Owner="tom", Status="Closed")
    desk.receive(a_mail("Again.\n", sender=JANE, subject="Call#1"))
    assert (desk.record()["status"], desk.record()["owner"]) == ("Closed", "tom")


@pytest.mark.req("VF-20")
@pytest.mark.parametrize(
    ("switch", "mail", "told"),
    [
        (True, {"sender": JANE}, True),
        (False, {"sender": JANE}, False),
        (True, {"sender": TOM}, False),
        (True, {"sender": JANE, "Cc": TOM}, False),
        (True, {"sender": JANE, "Precedence": "bulk"}, False),
    ],
    ids=["told", "off", "the handler wrote it", "the handler was copied", "automatic"],
)
def test_the_handler_is_notified_of_an_update(desk: Desk, switch: bool, mail: dict[str, str], told: bool) -> None:
    configure(desk, notify_handler_on_update=switch, reply_on_update=False)
    create(desk, Owner="tom", Status="Active")
    desk.receive(a_mail("More.\n", subject="Call#1", **mail))  # type: ignore[arg-type]
    assert [each["to"] for each in desk.outbox()] == ([[TOM]] if told else [])
    if told:
        (message,) = desk.outbox()
        assert (message["kind"], message["subject"]) == ("handler", "[Call - INC1] Printer")
        assert message["text"] == "Call INC1 has been updated by email.\n\nMore.\n"


@pytest.mark.req("VF-20")
def test_a_record_without_an_owner_tells_nobody(desk: Desk) -> None:
    configure(desk, notify_handler_on_update=True, reply_on_update=False)
    create(desk, OwnerTeam="Desk")
    desk.receive(a_mail("More.\n", sender=JANE, subject="Call#1"))
    assert desk.outbox() == []


@pytest.mark.req("VF-13", "VF-20")
def test_the_handler_is_notified_of_a_note_on_a_closed_call(desk: Desk) -> None:
    configure(desk, notify_handler_on_update=True, update_closed=True)
    create(desk, Owner="tom", Status="Closed")
    desk.receive(a_mail("More.\n", sender=JANE, subject="Call#1"))
    assert {each["kind"]: each["to"] for each in desk.outbox()} == {"closed": ["jane@example.com"], "handler": [TOM]}
