"""Decisions that went wrong on a desk once, and variations of each kind: mails in, records and answers out."""

from __future__ import annotations

from typing import Final

import pytest

from services.operator import manual_edits
from services.operator.manual_edits import NewRecord
from shared.config.model import RecordType
from shared.config.reading import load_bytes
from shared.store.documents import Document
from tests.builders import a_configuration, a_mail, a_person, an_analyst, an_inbox
from tests.desk import Desk
from tests.harness.real import FOLDER

JANE: Final = "Jane Doe <jane@example.com>"
PEOPLE: Final = (a_person("jane"), a_person("bob", name="Bob Roe"), an_analyst("tom", name="Tom"))


def given(desk: Desk, folder: str) -> list[bytes]:
    """The mails of a folder of others, on its desk. Skips where the folder is not there."""
    if not FOLDER.is_dir():
        pytest.skip(f"there are no mails of others at {FOLDER}")
    path = FOLDER / "desk-faults" / folder
    desk.configure(load_bytes((path / "desk.yaml").read_bytes()))
    return [mail.read_bytes() for mail in sorted(path.glob("*.eml"))]


def create(desk: Desk, type_: str = "incident", customer: str | None = "jane", **values: str) -> None:
    """A record that an operator makes."""
    found = desk.app.directory.current().type_named(type_)
    assert found is not None
    manual_edits.create(desk.app, found, NewRecord("x", customer=customer, values=tuple(values.items())))


def numbers(mail: Document) -> list[str]:
    """The records that a mail went to."""
    return [record["number"] for record in mail["records"]]


def reached(desk: Desk, subject: str, text: str = "Still broken.\n", sender: str = JANE) -> list[str]:
    """The records that a mail goes to on a desk where Jane's INC1 exists."""
    desk.configure(a_configuration(an_inbox(), *PEOPLE))
    create(desk)
    (mail,) = desk.receive(a_mail(text, sender=sender, subject=subject))
    return numbers(mail)


@pytest.mark.req("TI-31")
def test_a_keyword_with_a_long_dash_is_recognised(desk: Desk) -> None:
    mails = given(desk, "18")
    create(desk)
    assert [numbers(mail) for mail in desk.receive(*mails, inbox="support")] == [["INC1"]]


@pytest.mark.req("TI-31")
@pytest.mark.parametrize(
    "dash", ["-", "--", "\u2010", "\u2011", "\u2012", "\u2013", "\u2014", "\u2015", "\u2212", "\uff0d"]
)
def test_any_dash_counts_in_subject_and_text(desk: Desk, dash: str) -> None:
    assert reached(desk, f"Re: printer [Ticket {dash} INC1]") == ["INC1"]
    (mail,) = desk.receive(a_mail(f"See [incident{dash}1].\n", sender=JANE))
    assert numbers(mail) == ["INC1"]


@pytest.mark.req("TI-31")
@pytest.mark.parametrize("dash", ["-", "\u2011", "\u2013"])
def test_any_dash_counts_within_the_name_of_a_type(desk: Desk, dash: str) -> None:
    desk.configure(a_configuration(an_inbox(), *PEOPLE))
    create(desk, "service_request")
    (mail,) = desk.receive(a_mail(sender=JANE, subject=f"[service{dash}request - SR1] more"))
    assert numbers(mail) == ["SR1"]


@pytest.mark.req("VF-20", "VF-22")
def test_the_subject_of_our_own_answer_names_its_record(desk: Desk) -> None:
    mails = given(desk, "12")
    create(desk)
    assert [numbers(mail) for mail in desk.receive(*mails, inbox="support")] == [["INC1"]]


@pytest.mark.req("VF-22")
@pytest.mark.parametrize(
    "subject",
    [
        "Re: Call INC1 has been updated",
        "AW: AW: call inc1 has been updated",
        "SV: [EXTERNAL] CALL INC1 HAS BEEN UPDATED",
        "Fwd: Re: Call No INC1 has been updated by Postroom.",
        "Call No INC1 is already closed and has not been updated.",
        "RE: Call INC1 has been updated, and 2 more",
        "Re: Incident INC1 has been created",
    ],
)
def test_every_subject_that_we_send_is_recognised(desk: Desk, subject: str) -> None:
    assert reached(desk, subject) == ["INC1"]


@pytest.mark.req("VF-22")
@pytest.mark.parametrize("subject", ["Call INC1 was nice", "Recall INC1 has been updated", "INC1 has been updated"])
def test_what_only_resembles_our_subjects_names_no_record(desk: Desk, subject: str) -> None:
    assert reached(desk, subject) == ["INC2"]


@pytest.mark.req("VF-22")
def test_our_subjects_are_recognised_for_types_of_the_desk_itself(desk: Desk) -> None:
    ticket = RecordType("incident", label="Störung", prefix="R2-")
    desk.configure(a_configuration(an_inbox(), *PEOPLE, record_types=(ticket,)))
    create(desk)
    (mail,) = desk.receive(a_mail(sender=JANE, subject="WG: STÖRUNG R2-1 has been updated"))
    assert numbers(mail) == ["R2-1"]
