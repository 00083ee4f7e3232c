"""Requirements, section 3: sender matching, through the whole pipeline."""

from __future__ import annotations

from typing import Any

import pytest

from shared.config.model import Inbox, SenderPolicy
from tests.builders import a_configuration, a_mail, a_person, an_inbox
from tests.desk import Desk


def inbox_with(**policy: Any) -> Inbox:
    return an_inbox(sender=SenderPolicy(**policy))


@pytest.mark.req("IV-20")
def test_a_known_person_is_linked_and_nobody_is_created(desk: Desk) -> None:
    desk.configure(a_configuration(a_person("anna", addresses=("anna@customer.example",))))
    desk.receive(a_mail(sender="Somebody Else <ANNA@customer.example>"))
    assert desk.record()["customer"] == "anna"
    assert {person["_id"] for person in desk.people()} == {"anna", "admin"}


@pytest.mark.req("IV-20")
@pytest.mark.parametrize(
    ("contact_type", "login_id"), [("external_contact", "anna@customer.example"), ("employee", None)]
)
def test_an_unknown_sender_is_created_with_the_configured_contact_type(
    desk: Desk, contact_type: str, login_id: str | None
) -> None:
    desk.configure(a_configuration(inbox_with(contact_type=contact_type)))
    desk.receive(a_mail())
    person = desk.store.get("people", desk.record()["customer"])
    assert person is not None
    assert (person["name"], person["addresses"], person["kind"], person["login_id"]) == (
        "Anna Becker",
        ["anna@customer.example"],
        contact_type,
        login_id,
    )


@pytest.mark.req("IV-20", "VS-04")
def test_two_mails_of_an_unknown_sender_make_one_person(desk: Desk) -> None:
    desk.receive(a_mail("one\n"), a_mail("two\n", sender="a. becker <Anna+desk@Customer.example>"))
    first, second = desk.records()
    assert first["customer"] == second["customer"]
    assert (first["logging_analyst"], len(desk.people())) == ("admin", 2)


@pytest.mark.req("IV-21")
def test_only_when_exists_makes_neither_record_nor_person_of_a_stranger(desk: Desk) -> None:
    desk.configure(a_configuration(inbox_with(policy="existing_only"), a_person()))
    stranger, known = desk.receive(a_mail(), a_mail(sender="jdoe@example.com"))
    assert (stranger["outcome"], known["outcome"]) == ("rejected", "recorded")
    assert "no person has" in stranger["reason"]
    assert (len(desk.records()), len(desk.people())) == (1, 2)


@pytest.mark.req("IV-22")
def test_without_creating_links_a_stranger_to_internal_services(desk: Desk) -> None:
    desk.configure(a_configuration(inbox_with(policy="without_creating"), a_person()))
    desk.receive(a_mail(), a_mail(sender="jdoe@example.com"))
    stranger, known = desk.records()
    person = desk.store.get("people", stranger["customer"])
    assert person is not None
    assert (person["name"], known["customer"]) == ("Internal Services", "jdoe")


@pytest.mark.req("IV-25")
def test_the_mail_is_in_the_persons_own_history(desk: Desk) -> None:
    desk.receive(
        a_mail(Message_ID="<a@b.example>"), a_mail("more\n", subject="Re: Printer", In_Reply_To="<a@b.example>")
    )
    history = list(desk.app.people.history(desk.record()["customer"], 10))
    assert sorted(entry.mail_id for entry in history) == sorted(mail["_id"] for mail in desk.mails())


@pytest.mark.req("VS-03")
def test_of_several_people_with_an_address_the_oldest_is_used(desk: Desk) -> None:
    desk.configure(a_configuration(a_person("zoe", addresses=("anna@customer.example",))))
    desk.configure(
        a_configuration(
            a_person("zoe", addresses=("anna@customer.example",)), a_person("abe", addresses=("anna@customer.example",))
        )
    )
    desk.receive(a_mail())
    assert desk.record()["customer"] in {"zoe", "abe"}


@pytest.mark.req("VS-03", "VF-17", "VF-21")
def test_a_person_of_the_configuration_comes_before_the_one_whom_mail_made(desk: Desk) -> None:
    desk.configure(a_configuration(an_inbox()))
    desk.receive(a_mail(sender="Ann <ann@firm.example>"), a_mail(sender="Ann <ann@firm.example>", subject="Other"))
    made = desk.records()[0]["customer"]
    desk.configure(a_configuration(an_inbox(), a_person("ann", addresses=("ann@firm.example",))))
    update, closed = desk.receive(
        a_mail("more\n", sender="ann@firm.example", subject="[Incident - 1]"),
        a_mail("done\n", sender="ann@firm.example", subject="[CLOSE#2]"),
    )
    desk.receive(a_mail(sender="ann@firm.example", subject="New"))
    assert ([each["number"] for each in update["records"]], closed["outcome"]) == (["INC1"], "commanded")
    assert [each["customer"] for each in desk.records()] == [made, made, "ann"]
    (other,) = desk.receive(a_mail(sender="bob@firm.example", subject="[Incident - 1]"))
    assert [each["number"] for each in other["records"]] == ["INC4"]


@pytest.mark.req("IV-06")
def test_a_sender_without_a_domain_gets_the_default_domain(desk: Desk) -> None:
    desk.configure(a_configuration(an_inbox(default_domain="example.com"), a_person("jsmith")))
    desk.receive(a_mail(sender=None, From="jsmith"))
    assert desk.record()["customer"] == "jsmith"


@pytest.mark.req("IV-07")
@pytest.mark.parametrize(("included", "created_by"), [(True, "Email support@example.com"), (False, "email listener")])
def test_created_by_names_the_inbox_when_so_set(desk: Desk, included: bool, created_by: str) -> None:
    desk.configure(a_configuration(an_inbox(include_source_mailbox_name=included)))
    desk.receive(a_mail())
    assert desk.record()["created_by"] == created_by


@pytest.mark.req("IV-20")
def test_a_display_name_that_holds_an_address_matches_nobody(desk: Desk) -> None:
    desk.configure(a_configuration(a_person("boss", addresses=("boss@example.com",))))
    desk.receive(a_mail(sender='"boss@example.com" <mallory@elsewhere.example>'))
    assert desk.record()["customer"] != "boss"
