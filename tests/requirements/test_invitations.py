"""Invitations and answers to them: added to the record that they are about, else rejected, or taken by setting."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest

from services.operator.mail import actions
from shared.store.documents import Document
from tests.builders import a_configuration, a_mail, an_inbox
from tests.desk import Desk

FIELD: Final = Path(__file__).resolve().parents[3] / "shared" / "corpus" / "field"
ICS: Final = "BEGIN:VCALENDAR\r\nMETHOD:{method}\r\nEND:VCALENDAR\r\n"


def an_invitation(method: str = "REQUEST", **keys: Any) -> bytes:
    """A mail of a calendar program: a text and, as its alternative, the invitation."""
    head, _, _ = a_mail("x", **keys).partition(b"Content-Type:")
    return (
        head
        + (
            "Content-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/plain\n\nFriday at 10?\n"
            f"--b\nContent-Type: text/calendar; method={method}\n\n{ICS.format(method=method)}\n--b--\n"
        ).encode()
    )


def desk_with(desk: Desk, **keys: Any) -> Desk:
    desk.configure(a_configuration(an_inbox(**keys)))
    return desk


def added(desk: Desk) -> list[str]:
    """The attachments of all activities."""
    return [file["filename"] for entry in desk.store.find("activities", {}) for file in entry["attachments"]]


@pytest.mark.req("TI-12")
@pytest.mark.parametrize("method", ["REQUEST", "REPLY", "CANCEL", "COUNTER"])
def test_an_invitation_that_answers_a_record_is_added_with_its_ics(desk: Desk, method: str) -> None:
    desk_with(desk).receive(a_mail(Message_ID="<first@customer.example>"))
    (mail,) = desk.receive(an_invitation(method, In_Reply_To="<first@customer.example>"))
    assert (mail["outcome"], [each["number"] for each in mail["records"]]) == ("recorded", ["INC1"])
    assert "document.ics" in added(desk)


@pytest.mark.req("TI-12")
def test_an_invitation_that_names_the_number_is_added(desk: Desk) -> None:
    desk_with(desk).receive(a_mail())
    (mail,) = desk.receive(an_invitation(subject="Accepted: [Incident - 1] Printer"))
    assert [each["number"] for each in mail["records"]] == ["INC1"]


def rejection(mail: Document) -> tuple[str, str]:
    return mail["outcome"], mail["rule"]


@pytest.mark.req("TI-12")
@pytest.mark.parametrize(
    "keys",
    [{}, {"subject": "[Incident - 7] Printer"}, {"In_Reply_To": "<other@customer.example>"}],
    ids=["about nothing", "an unknown number", "an unknown mail"],
)
@pytest.mark.parametrize("inbox", [{}, {"update_only": True, "processor": "service_request"}])
def test_another_invitation_is_rejected_until_an_operator_releases_it(
    desk: Desk, keys: dict[str, str], inbox: dict[str, Any]
) -> None:
    (mail,) = desk_with(desk, **inbox).receive(an_invitation(**keys))
    assert rejection(mail) == ("rejected", "kind")
    assert desk.records() == []
    actions.release(desk.app, mail["_id"])
    desk.work()
    assert len(desk.records("incident")) == 1


@pytest.mark.req("TI-12")
def test_a_strangers_invitation_does_not_reach_a_record(desk: Desk) -> None:
    desk_with(desk).receive(a_mail())
    (mail,) = desk.receive(an_invitation(subject="[Incident - 1]", sender="Eve <eve@example.net>"))
    assert rejection(mail) == ("rejected", "kind")


@pytest.mark.req("TI-12")
def test_an_inbox_takes_invitations_where_it_says_so(desk: Desk) -> None:
    (mail,) = desk_with(desk, take_invitations=True).receive(an_invitation())
    assert mail["outcome"] == "recorded"
    assert added(desk) == ["document.ics"]


@pytest.mark.req("TI-12")
def test_an_invitation_from_the_field_is_added_with_text_and_screenshot(desk: Desk) -> None:
    if not FIELD.is_dir():
        pytest.skip("the shared corpus is not beside this checkout")
    desk_with(desk).receive((FIELD / "invitation-as-answer-1.eml").read_bytes())
    (mail,) = desk.receive((FIELD / "invitation-as-answer-2.eml").read_bytes())
    assert [each["number"] for each in mail["records"]] == ["INC1"]
    assert {"document.ics", "screen.png"} <= set(added(desk))
