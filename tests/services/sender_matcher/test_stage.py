"""The sender matcher: an event in, an outcome out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.operator.service_desk import manual_edits
from services.sender_matcher.stage import build
from shared.config.model import ObjectMatch, RecordType, SenderPolicy
from shared.contracts.errors import PostroomError
from shared.contracts.events import Envelope, MailAccepted, Sender, SenderMatched
from shared.contracts.mail import Address, ParsedMail
from shared.runtime.outcome import Emit, emit
from tests.builders import a_configuration, a_person, an_inbox
from tests.desk import Desk

SITES = SenderPolicy("object", object=ObjectMatch("location", "reported_from", "Email"))
LOCATION = RecordType("location", prefix="LOC", fields={"Email": "text"})
ANNA = Address("Anna B.", "anna@customer.example")


@pytest.fixture
def matching(desk: Desk) -> Desk:
    anna = a_person("anna", name="Anna", addresses=("anna@customer.example",))
    inboxes = an_inbox(), an_inbox("sites", sender=SITES), an_inbox("short", default_domain="customer.example")
    desk.configure(a_configuration(*inboxes, anna, record_types=(LOCATION,)))
    return desk


def accepted(inbox: str, address: Address | None) -> MailAccepted:
    mail = ParsedMail("0" * 64, 400, from_=address)
    return MailAccepted(Envelope("m1", inbox, "2026-11-20T12:00:00Z"), mail, answers=False, commands=False)


def matched(event: MailAccepted, sender: Sender) -> Emit:
    found = SenderMatched(event.envelope, event.mail, sender, answers=False, commands=False)
    return emit(found, note=sender.person_id or "no person has this address")


PERSON = Sender(ANNA, "anna", "Anna", "employee", ("user",), configured=True)
EVE = Address("Anna", "eve@elsewhere.example")
BARE = Address("", "anna")
FULL = Address("", "anna@customer.example")


@pytest.mark.req("IV-06", "IV-20", "IV-23")
@pytest.mark.parametrize(
    ("inbox", "address", "expected"),
    [
        ("support", ANNA, PERSON),
        ("support", EVE, Sender(EVE, name="Anna")),
        ("support", None, Sender(None)),
        ("short", BARE, replace(PERSON, address=FULL)),
        ("sites", ANNA, replace(PERSON, object_type="location")),
    ],
    ids=["known", "unknown", "no address", "without a domain", "no such object"],
)
def test_the_person_is_found_by_address(matching: Desk, inbox: str, address: Address | None, expected: Sender) -> None:
    event = accepted(inbox, address)
    assert build(matching.app).handle(event) == matched(event, expected)


@pytest.mark.req("IV-23", "IV-24")
def test_the_object_is_found_by_the_field_that_holds_the_address(matching: Desk) -> None:
    wanted = manual_edits.NewRecord("Hall", values=(("Email", "anna@customer.example"),))
    made = manual_edits.create(matching.app, LOCATION, wanted)
    event = accepted("sites", ANNA)
    expected = replace(PERSON, object_type="location", object_id=made.id)
    assert build(matching.app).handle(event) == matched(event, expected)


def test_an_inbox_that_is_gone_is_an_error_with_its_name(matching: Desk) -> None:
    with pytest.raises(PostroomError, match="'nowhere' is gone"):
        build(matching.app).handle(accepted("nowhere", ANNA))
