"""Mails about a record that was merged into another one go there."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from services.operator.service_desk import manual_edits, records
from tests.builders import a_mail
from tests.desk import Desk
from tests.requirements.test_commands import BOB, EVE, JANE, TOM, configure, create


@pytest.fixture
def merged(desk: Desk) -> Desk:
    """A desk where Bob's call INC2 was merged into Jane's INC1, which Tom owns."""
    configure(desk, reply_on_create=True)
    create(desk, Owner="tom", Status="Active")
    desk.receive(a_mail("me too\n", sender=BOB, Message_ID="<bob@example.com>"))
    first, second = desk.records()
    manual_edits.merge(desk.app, second["_id"], first["_id"])
    return desk


MAILS: dict[str, Callable[[Desk], bytes]] = {
    "a number": lambda _: a_mail("more\n", sender=BOB, subject="[Call - 2]"),
    "a loose number": lambda _: a_mail("more\n", sender=BOB, subject="Call#2"),
    "a thread": lambda _: a_mail("more\n", sender=BOB, In_Reply_To="<bob@example.com>"),
    "a reply token": lambda desk: a_mail("more\n", sender=BOB, In_Reply_To=desk.outbox()[0]["message_id"]),
    "an update by command": lambda _: a_mail("more\n", sender=TOM, subject="[Update Ticket - 2]"),
}


@pytest.mark.req("TI-31", "VF-21")
@pytest.mark.parametrize("name", MAILS)
def test_a_mail_about_the_merged_record_goes_to_the_other_one(merged: Desk, name: str) -> None:
    before = [len(merged.activities(each)) for each in merged.records()]
    (mail,) = merged.receive(MAILS[name](merged))
    assert [each["number"] for each in mail["records"]] == ["INC1"]
    assert [len(merged.activities(each)) for each in merged.records()] == [before[0] + 1, before[1]]
    assert [each["status"] for each in merged.records()] == ["Active", "Closed"]


@pytest.mark.req("TI-31")
def test_who_took_part_in_the_merged_record_takes_part_in_the_other_one(merged: Desk) -> None:
    (mail,) = merged.receive(a_mail("more\n", sender=BOB, subject="[Call - 1]"))
    assert [each["number"] for each in mail["records"]] == ["INC1"]
    (other,) = merged.receive(a_mail("more\n", sender=EVE, subject="[Call - 2]"))
    assert [each["number"] for each in other["records"]] == ["INC3"]


@pytest.mark.req("PR-17")
def test_both_records_say_which_one_was_merged(merged: Desk) -> None:
    found = [records.record_called(merged.app, number) for number in ("INC1", "INC2")]
    links = [records.view(merged.app, each, 1).links for each in found]
    assert [[(each.relationship, each.number) for each in shown] for shown in links] == [
        [("merged_from", "INC2")],
        [("merged_into", "INC1")],
    ]


@pytest.mark.req("VF-17")
def test_a_command_about_the_merged_record_needs_the_permission_of_the_other_one(merged: Desk) -> None:
    outcomes = [merged.receive(a_mail(sender=sender, subject="[CLOSE#2]"))[0]["outcome"] for sender in (BOB, JANE)]
    assert (outcomes, merged.records()[0]["status"]) == (["rejected", "commanded"], "Closed")


@pytest.mark.parametrize("pair", [(0, 0), (1, 0), (0, 1)], ids=["itself", "again", "into one that was merged"])
def test_what_cannot_be_merged_is_refused(merged: Desk, pair: tuple[int, int]) -> None:
    ids = [each["_id"] for each in merged.records()]
    with pytest.raises(manual_edits.InvalidEdit):
        manual_edits.merge(merged.app, ids[pair[0]], ids[pair[1]])
