"""Decisions that went wrong on a desk once, and variations of each kind: mails in, records and answers out."""

from __future__ import annotations

import re
from typing import Final, Literal

import pytest

from services.operator.mail import actions
from services.operator.service_desk import manual_edits
from services.operator.service_desk.manual_edits import NewRecord
from shared.config.keys import COMMANDS
from shared.config.model import BUILT_IN_FIELDS, CommandPolicy, RecordType, SenderPolicy
from shared.config.problems import InvalidConfiguration
from shared.config.reading import load_bytes
from shared.store.documents import Document
from tests.builders import a_configuration, a_mail, a_person, an_analyst, an_inbox
from tests.desk import Desk
from tests.fields import fields_of, own, texts
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


@pytest.mark.req("IV-42", "VF-18")
def test_a_customer_does_not_decide_a_change_by_fields_of_the_body(desk: Desk) -> None:
    mails = given(desk, "01")
    create(desk, "change", Owner="tom")
    desk.receive(*mails, inbox="support")
    record = desk.record("change")
    assert (own(record)[1:], fields_of(record)) == (("tom", None, "Logged"), {})
    assert "Status, Owner, Priority" in texts(desk.activities(record), "note")[0]


@pytest.mark.req("TI-31")
def test_a_record_named_in_the_subject_wins_over_the_thread(desk: Desk) -> None:
    assert [numbers(mail) for mail in desk.receive(*given(desk, "02"), inbox="support")] == [
        ["INC1"],
        ["INC2"],
        ["INC2"],
    ]


@pytest.mark.req("VF-21")
def test_a_message_id_opens_nothing_to_one_who_takes_no_part(desk: Desk) -> None:
    assert [numbers(mail) for mail in desk.receive(*given(desk, "03"), inbox="support")] == [["INC1"], ["INC2"]]
    assert desk.outbox() == []
    assert [link["relationship"] for link in desk.store.find("links", {})] == ["related"]


@pytest.mark.req("IV-32")
def test_a_first_name_is_never_an_address(desk: Desk) -> None:
    desk.receive(*given(desk, "06"), inbox="support")
    assert [fields_of(record)["Category"] for record in desk.records()] == ["[|]", "[|]", "[Uli|Drei]"]


@pytest.mark.req("IV-32")
@pytest.mark.parametrize(
    ("sender", "names"),
    [
        ('"u@out.example" <u@out.example>', "|"),
        ("\"'u@out.example'\" <u@out.example>", "|"),
        ("Uli <u@out.example>", "Uli|"),
        ('"Drei, Uli" <u@out.example>', "Uli|Drei"),
        ('"Uli @ Sales" <u@out.example>', "Uli @|Sales"),
    ],
)
def test_first_and_last_name_come_from_the_display_name(desk: Desk, sender: str, names: str) -> None:
    desk.configure(a_configuration(an_inbox(field_mapping={"Category": "@FirstName|@LastName"})))
    desk.receive(a_mail(sender=sender), a_mail(sender=sender))
    assert [fields_of(record).get("Category") for record in desk.records()] == [names, names]


@pytest.mark.req("IV-37")
def test_a_desk_that_names_owners_who_do_not_exist_is_refused(desk: Desk) -> None:
    with pytest.raises(InvalidConfiguration, match="no person"):
        given(desk, "11")


@pytest.mark.req("IV-37")
@pytest.mark.parametrize(
    ("named", "owner"), [("nobody", None), ("nobody@example.com", None), ("bob", "bob"), ("BOB@example.com", "bob")]
)
def test_an_owner_who_does_not_exist_is_an_error(desk: Desk, named: str, owner: str | None) -> None:
    desk.configure(a_configuration(an_inbox(processor="change", field_separator="$"), *PEOPLE))
    (mail,) = desk.receive(a_mail(f"Summary$x\nOwner${named}\n", sender="tom@example.com"))
    made = [own(record)[1] for record in desk.records("change")]
    assert (mail["outcome"], made) == (("recorded", [owner]) if owner else ("dead", []))
    assert len(desk.records("incident")) == (owner is None)


@pytest.mark.req("IV-23")
def test_a_plus_address_finds_the_object_and_our_own_inbox(desk: Desk) -> None:
    mails = given(desk, "14")
    create(desk, "location", None, Email="berlin@sites.example")
    assert [mail["outcome"] for mail in desk.receive(*mails, inbox="support")] == ["recorded", "rejected"]
    assert [record["number"] for record in desk.records("location")] == ["LOC1"]


@pytest.mark.req("IV-20")
def test_all_plus_addresses_of_a_mailbox_are_one_person(desk: Desk) -> None:
    desk.configure(a_configuration())
    desk.receive(a_mail(sender="u+a@out.example"))
    (second,) = desk.receive(a_mail(sender="u+b@out.example", subject="Re: Call INC1 has been updated"))
    (third,) = desk.receive(a_mail(sender="u@out.example", subject="[call - 1]"))
    assert (numbers(second), numbers(third)) == (["INC1"], ["INC1"])


@pytest.mark.req("IV-23")
def test_all_plus_addresses_of_a_mailbox_make_one_object(desk: Desk) -> None:
    given(desk, "14")
    for tag in ("+a", "+b", ""):
        desk.receive(a_mail(sender=f"oslo{tag}@sites.example"), inbox="support")
    assert [fields_of(record) for record in desk.records("location")] == [{"Email": "oslo@sites.example"}]


@pytest.mark.req("IV-25", "IV-37")
def test_an_incident_on_error_has_its_customer_and_a_place_in_the_history(desk: Desk) -> None:
    given(desk, "17")
    desk.receive(a_mail("Priority$zz\n", sender="tom@example.com"), inbox="support")
    incident = desk.record("incident")
    assert incident["customer"] == "tom"
    assert [(entry["person_id"], entry["record_id"]) for entry in desk.store.find("history", {})] == [
        ("tom", incident["_id"])
    ]


@pytest.mark.req("IV-20", "IV-25", "IV-37")
@pytest.mark.parametrize("policy", ["create", "existing_only"])
def test_an_incident_on_error_of_an_unknown_sender(desk: Desk, policy: Literal["create", "existing_only"]) -> None:
    keys = {"processor": "change", "field_separator": "$", "record_marker": "##"}
    fields = {**BUILT_IN_FIELDS, "Cost": "number"}
    change = RecordType("change", prefix="CHG", fields=fields)
    desk.configure(a_configuration(an_inbox(sender=SenderPolicy(policy=policy), **keys), record_types=(change,)))
    desk.receive(a_mail("Cost$zz\n"), a_mail("Summary$x\n##\nCost$zz\n"))
    names = {person["name"] for person in desk.people()} - {"Administrator"}
    assert names == ({"Anna Becker"} if policy == "create" else set())
    assert len({record["customer"] for record in desk.records("incident")}) == (policy == "create")


@pytest.mark.req("PR-19")
def test_the_subject_of_an_updating_mail_is_kept(desk: Desk) -> None:
    desk.configure(a_configuration(an_inbox(), *PEOPLE))
    desk.receive(a_mail(sender=JANE, Message_ID="<a@x.example>"))
    desk.receive(a_mail(sender=JANE, subject="Urgent: server room is flooded", In_Reply_To="<a@x.example>"))
    assert [each["subject"] for each in desk.activities(desk.record())] == ["Printer", "Urgent: server room is flooded"]


@pytest.mark.req("VF-11")
@pytest.mark.parametrize(("sender", "flagged"), [(JANE, True), ("bob@example.com", True), ("tom@example.com", False)])
def test_a_mail_of_the_desk_clears_the_flag_that_a_mail_of_the_customer_sets(
    desk: Desk, sender: str, flagged: bool
) -> None:
    commands = CommandPolicy(update_by="recognised")
    desk.configure(a_configuration(an_inbox(commands=commands), *PEOPLE))
    create(desk)
    desk.receive(a_mail(sender=JANE, subject="[call - 1]"))
    desk.receive(a_mail(sender=sender, subject="[call - 1]"))
    assert desk.record()["updated_by_mail"] == flagged


@pytest.mark.req("VF-11")
@pytest.mark.parametrize(("owner", "flagged"), [("ann", True), ("tom", False)])
def test_an_analyst_who_is_the_customer_clears_the_flag_only_as_owner(desk: Desk, owner: str, flagged: bool) -> None:
    desk.configure(a_configuration(an_inbox(), *PEOPLE, an_analyst()))
    create(desk, customer="tom", Owner=owner)
    desk.receive(a_mail(sender="tom@example.com", subject="[call - 1]"))
    assert desk.record()["updated_by_mail"] == flagged


FIELD: Final = {
    "foreign-number-first": [["INC1"], ["INC1"]],
    "stranger-names-a-number": [["INC1"], ["INC2"]],
    "own-subject-comes-back": [["INC1"]] * 3,
    "reply-with-new-subject": [["INC1"]] * 2,
}


@pytest.mark.parametrize("case", FIELD)
def test_mails_after_reports_of_other_systems_reach_their_records(desk: Desk, case: str) -> None:
    mails = sorted((FOLDER / "field").glob(f"{case}-*.eml"))
    if not mails:
        pytest.skip(f"there are no mails of others at {FOLDER}")
    desk.configure(a_configuration())
    assert [numbers(mail) for path in mails for mail in desk.receive(path.read_bytes(), inbox="support")] == FIELD[case]


@pytest.mark.req("VF-16")
@pytest.mark.parametrize("unrecognised", ["new_record", "ignore"])
@pytest.mark.parametrize(
    "named", ["Incident #1 at our site", "[Incident - 1]", "Call INC1 has been updated", "a reply"]
)
def test_what_a_stranger_names_is_not_touched(
    desk: Desk, named: str, unrecognised: Literal["new_record", "ignore"]
) -> None:
    desk.configure(a_configuration(an_inbox(commands=CommandPolicy(unrecognised=unrecognised)), *PEOPLE))
    desk.receive(a_mail(sender=JANE, Message_ID="<a@x.example>"))
    headers = {"In_Reply_To": "<a@x.example>"} if named == "a reply" else {}
    (mail,) = desk.receive(a_mail(sender="eve@elsewhere.example", subject=named, **headers))
    expected = ("recorded", ["INC2"]) if unrecognised == "new_record" else ("rejected", [])
    assert (mail["outcome"], numbers(mail)) == expected
    assert desk.outbox() == []


@pytest.mark.req("IV-06", "VF-21")
def test_who_is_copied_without_a_domain_takes_part(desk: Desk) -> None:
    assert [mail["outcome"] for mail in desk.receive(*given(desk, "09"), inbox="support")] == ["recorded"]
    desk.receive(b"From: jane\nTo: support\nCc: bob\nReply-To: mia\nMessage-ID: <z@x.example>\nSubject: y\n\nx\n")
    assert desk.records()[1]["copied"] == ["bob@example.com", "mia@example.com"]
    for sender in ("bob@example.com", "mia", "jane@example.com"):
        raw = f"From: {sender}\nTo: support\nIn-Reply-To: <z@x.example>\nSubject: y\n\n{sender}\n".encode()
        assert [numbers(mail) for mail in desk.receive(raw, inbox="support")] == [["INC2"]]


@pytest.mark.req("VF-22", "TI-32")
@pytest.mark.parametrize(
    "subject",
    [
        "[CLOSE#1]",
        "Re: AW: [close #INC1] thanks",
        "[EXTERNAL] Fwd: [Approve#1]",
        "[REJECT#twelve]",
        "[CLOSE#]",
        "[CLOSE#-1]",
        "[CLOSE#1",
        "[Close 12]",
        "Printer [CLOSE#1]",
        "[MyCalls]",
        "[my requests]",
        "RE: [MyApprovals] please",
        "[Create Announcement]",
        "[Update Ticket - 12]",
        "[Delete Ticket \u2013 INC12] now",
        "[delete unicorn - 3]",
        "[update requestor - x]",
    ],
)
@pytest.mark.parametrize("sender", [JANE, "eve@elsewhere.example", "tom@example.com"])
def test_a_command_makes_no_record_and_no_person(desk: Desk, subject: str, sender: str) -> None:
    desk.configure(a_configuration(an_inbox(), *PEOPLE))
    create(desk, customer="bob")
    create(desk, "approval")
    people = len(desk.people())
    (mail,) = desk.receive(a_mail(sender=sender, subject=subject))
    assert len(desk.people()) == people
    if subject == "[Create Announcement]" and "tom" in sender:
        assert (mail["outcome"], [each["type"] for each in desk.records()][2:]) == ("commanded", ["announcement"])
        return
    if "my" in subject.casefold() and "tom" in sender:
        assert (mail["outcome"], [each["to"] for each in desk.outbox()]) == ("commanded", [["tom@example.com"]])
        return
    assert (mail["outcome"], mail["rule"]) == ("rejected", "command")
    assert [(record["number"], record["status"]) for record in desk.records()] == [
        ("INC1", "Logged"),
        ("APR1", "Pending"),
    ]
    assert "command" in mail["reason"]
    decides = re.search("approve|reject", subject, re.IGNORECASE)
    assert [answer["kind"] for answer in desk.outbox()] == (["command"] if "eve" not in sender or decides else [])


@pytest.mark.req("VF-17", "VF-18", "VF-19", "TI-32")
@pytest.mark.parametrize(
    ("subject", "kind"),
    [
        ("[ Close#1", "close"),
        ("Re: [APPROVE 1]", "approve"),
        ("[REJECT#1", "reject"),
        ("[MyCalls]", "summary"),
        ("[Create Ticket]", "create"),
        ("[update Ticket - 1]", "update"),
        ("[Delete Ticket - 1]", "delete"),
    ],
)
def test_a_command_that_the_inbox_does_not_take_is_refused_for_that_reason(desk: Desk, subject: str, kind: str) -> None:
    others = CommandPolicy(enabled=tuple(each for each in COMMANDS if each != kind))
    desk.configure(
        a_configuration(an_inbox("without", commands=others), an_inbox("with", address="w@example.com"), *PEOPLE)
    )
    mails = [
        mail
        for inbox in ("without", "with")
        for mail in desk.receive(a_mail(sender=JANE, subject=subject), inbox=inbox)
    ]
    creates = kind == "create"
    assert (mails[0]["outcome"], mails[0]["rule"]) == ("rejected", "command")
    assert mails[0]["reason"].endswith(f"this inbox does not take it ({kind} is not in commands.enabled)")
    assert mails[1]["outcome"] == ("commanded" if creates else "rejected")
    assert "commands.enabled" not in mails[1]["reason"]
    assert ([answer["kind"] for answer in desk.outbox()], len(desk.records())) == (["command"] * 2, int(creates))


@pytest.mark.req("VF-22")
@pytest.mark.parametrize(
    "subject",
    [
        "CLOSE#1 does nothing",
        "[Close] the windows",
        "[Update] Maintenance tonight",
        "[Create] something",
        "What does [MyCalls] do?",
        "[Mystery] calls",
        "[Updates] Ticket - 12",
        "[Closed#1]",
    ],
)
def test_what_only_resembles_a_command_is_a_request(desk: Desk, subject: str) -> None:
    desk.configure(a_configuration(an_inbox(), *PEOPLE))
    (mail,) = desk.receive(a_mail(sender=JANE, subject=subject))
    assert mail["outcome"] == "recorded"


@pytest.mark.req("PR-02", "VF-22")
def test_a_command_of_a_robot_is_not_answered_and_a_released_one_becomes_a_record(desk: Desk) -> None:
    desk.configure(a_configuration(an_inbox(), *PEOPLE))
    (mail,) = desk.receive(a_mail(sender=JANE, subject="[MyCalls]", Precedence="bulk"))
    assert (mail["outcome"], desk.outbox()) == ("rejected", [])
    actions.release(desk.app, mail["_id"])
    desk.work()
    assert desk.record()["subject"] == "[MyCalls]"
