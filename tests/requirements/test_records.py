"""Requirements, section 4: records from mail, through the whole pipeline."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest

from services.operator.mail import actions
from shared.config.model import CommandPolicy, QuickAction, RecordType, Rule, Settings, StatusMapping
from tests.builders import a_configuration, a_mail, a_person, an_analyst, an_inbox
from tests.desk import Desk


@pytest.mark.req("IV-30", "IV-31", "PR-13")
def test_a_mail_becomes_an_incident_with_the_mail_in_its_activities(desk: Desk) -> None:
    (mail,) = desk.receive(a_mail("Fire!\n", subject="Help"))
    record = desk.record("incident")
    assert mail["outcome"] == "recorded"
    assert (record["subject"], record["description"].strip(), record["status"]) == ("Help", "Fire!", "Logged")
    (activity,) = desk.activities(record)
    assert (activity["kind"], activity["mail_id"], activity["text"].strip()) == ("email", mail["_id"], "Fire!")


@pytest.mark.req("IV-31", "VF-10", "PR-13")
def test_attachments_are_kept_byte_for_byte(desk: Desk) -> None:
    content = bytes(range(256)) * 300
    desk.receive(a_mail(files=(("log.bin", "application/octet-stream", content),)))
    (activity,) = desk.activities(desk.record())
    (kept,) = activity["attachments"]
    assert (kept["filename"], kept["size"], kept["sha256"]) == (
        "log.bin",
        len(content),
        hashlib.sha256(content).hexdigest(),
    )
    assert desk.store.get_blob(kept["sha256"]) == content
    assert activity["security_profile"] == "Unspecified"


@pytest.mark.req("IV-30")
def test_numbers_are_given_once_and_in_order(desk: Desk) -> None:
    desk.receive(*(a_mail(subject=f"Number {n}") for n in range(5)))
    assert [record["number"] for record in desk.records()] == ["INC1", "INC2", "INC3", "INC4", "INC5"]


@pytest.mark.req("IV-31", "VF-12")
def test_a_reply_to_a_stored_mail_updates_its_record_with_the_new_part_only(desk: Desk) -> None:
    desk.receive(a_mail(Message_ID="<first@customer.example>"))
    text = "It burns more now.\n\nOn Fri, 20 Nov 2026 at 10:00, Support <support@example.com> wrote:\n> We will look.\n"
    (mail,) = desk.receive(a_mail(text, subject="Re: Printer", In_Reply_To="<first@customer.example>"))
    record = desk.record()
    assert mail["outcome"] == "recorded"
    assert mail["records"] == [{"id": record["_id"], "type": "incident", "number": "INC1"}]
    assert [activity["text"].strip() for activity in desk.activities(record)][1:] == ["It burns more now."]
    assert record["updated_by_mail"] is True


@pytest.mark.req("VF-12")
def test_without_truncation_the_whole_reply_is_kept(desk: Desk) -> None:
    desk.configure(a_configuration(settings=Settings(truncate_replies=False)))
    desk.receive(a_mail(Message_ID="<first@customer.example>"))
    text = "More.\n\nOn Fri, 20 Nov 2026 at 10:00, Support <support@example.com> wrote:\n> We will look.\n"
    desk.receive(a_mail(text, subject="Re: Printer", In_Reply_To="<first@customer.example>"))
    assert "We will look" in desk.activities(desk.record())[1]["text"]


@pytest.mark.req("VF-12")
def test_a_new_records_description_stays_whole(desk: Desk) -> None:
    text = "See below.\n\nOn Fri, 20 Nov 2026 at 10:00, Bob <bob@example.net> wrote:\n> The disk is full.\n"
    desk.receive(a_mail(text, subject="Re: disk"))
    assert "The disk is full." in desk.record()["description"]


@pytest.mark.req("VF-11", "VF-22")
@pytest.mark.parametrize(
    "subject",
    [
        "Incident#1",
        "call#1",
        "Re: TICKET#INC1 again",
        "[Incident - 1]",
        "AW: Fwd: [ incident - INC1 ] status?",
        "incident # 1",
    ],
)
def test_the_customer_updates_by_number(desk: Desk, subject: str) -> None:
    desk.receive(a_mail())
    desk.receive(a_mail("And now?\n", subject=subject))
    assert len(desk.activities(desk.record())) == 2


@pytest.mark.req("VF-22")
@pytest.mark.parametrize(
    ("pattern", "subject", "updated"),
    [
        (r"ref:(?P<type>call)/(?P<number>\d+)", "Something REF:Call/1", True),
        (r"(?P<type>\w+) no\. (?P<number>\w+)", "about call no. INC1", True),
        (r"\b(?P<type>INC|SR)-?(?P<number>\d+)\b", "about inc-1 again", True),
        (r"\b(?P<type>INC|SR)-?(?P<number>\d+)\b", "about SR1 again", False),
        (r"(?P<type>\w+) (?P<number>\d+)", "Floor 3: Incident#1", True),
        (r"(?P<type>\w+) (?P<number>\d+)", "Floor 3", False),
        (r"^(?P<type>a+)+(?P<number>b)$", "a" * 300 + " Incident#1", True),
    ],
)
def test_more_patterns_find_numbers_and_none_stops_the_others(
    desk: Desk, pattern: str, subject: str, updated: bool
) -> None:
    desk.configure(a_configuration(settings=Settings(subject_patterns=(pattern,))))
    desk.receive(a_mail())
    desk.receive(a_mail("more\n", subject=subject))
    assert len(desk.activities(desk.records()[0])) == 1 + updated


@pytest.mark.req("VF-22", "IV-42")
@pytest.mark.parametrize(
    ("subject", "updated"),
    [
        ("Change#2026-1", True),
        ("Straße#ÄND1", False),
        ("[change - 2026-1] more", True),
        ("Change#1", True),
        ("Change#CHG1", True),
        ("Change#2026", False),
        ("Change#2025-1", False),
    ],
)
def test_a_prefix_may_hold_digits_and_any_letters(desk: Desk, subject: str, updated: bool) -> None:
    types = (RecordType("change", prefix="2026-"), RecordType("strasse", "Straße", prefix="ÄND"))
    desk.configure(a_configuration(an_inbox(processor="change"), record_types=types))
    desk.receive(a_mail())
    desk.receive(a_mail("more\n", subject=subject))
    assert len(desk.activities(desk.records("change")[0])) == 1 + updated


@pytest.mark.req("VF-22")
@pytest.mark.parametrize("subject", ["Straße#ÄND1", "strasse # 1", "[STRASSE - änd1]", "STRAßE#1"])
def test_a_type_and_its_numbers_may_be_spelled_in_any_letters(desk: Desk, subject: str) -> None:
    types = (RecordType("road", "Straße", prefix="ÄND"),)
    desk.configure(a_configuration(an_inbox(processor="road"), record_types=types))
    desk.receive(a_mail())
    desk.receive(a_mail("more\n", subject=subject))
    assert len(desk.activities(desk.record("road"))) == 2


@pytest.mark.req("TI-31")
@pytest.mark.parametrize("attribution", ["On Fri, 20 Nov 2026, Bob <bob@example.net> wrote:\n", ""])
def test_a_keyword_in_the_new_text_counts_and_one_in_a_quotation_does_not(desk: Desk, attribution: str) -> None:
    desk.receive(a_mail())
    desk.receive(a_mail("About [Incident - 1]: still burning.\n", subject="Again"))
    desk.receive(a_mail(f"New trouble.\n\n{attribution}> see [Incident - 1]\n", subject="Other"))
    first, second = desk.records()
    assert [len(desk.activities(record)) for record in (first, second)] == [2, 1]


@pytest.mark.req("TI-31", "VF-22")
@pytest.mark.parametrize(
    ("subject", "text"),
    [("［Incident － 1］", "more"), ("Incident＃1", "more"), ("Again", "about ［Incident － \u20681\u2069］")],
)
def test_a_number_counts_in_full_width_and_with_marks_of_direction(desk: Desk, subject: str, text: str) -> None:
    desk.receive(a_mail())
    desk.receive(a_mail(f"{text}\n", subject=subject))
    assert len(desk.activities(desk.record())) == 2


@pytest.mark.req("TI-31")
@pytest.mark.parametrize("subject", ["Re: [Incident - 2]", "[Incident - 9] [Incident - 3] [Incident - 2]"])
def test_a_keyword_in_the_subject_wins_over_the_thread_and_the_first_in_reach_counts(desk: Desk, subject: str) -> None:
    first, second = a_mail(Message_ID="<one@customer.example>"), a_mail("two\n")
    desk.receive(first, second, a_mail("not Anna's\n", sender="bob@other.example"))
    desk.receive(a_mail("more\n", subject=subject, In_Reply_To="<one@customer.example>"))
    assert [len(desk.activities(record)) for record in desk.records()] == [1, 2, 1]


@pytest.mark.req("TI-31")
def test_the_thread_wins_over_a_number_that_stands_loosely(desk: Desk) -> None:
    desk.receive(a_mail(Message_ID="<one@customer.example>"), a_mail("two\n"))
    desk.receive(a_mail("more\n", subject="as in Incident#2", In_Reply_To="<one@customer.example>"))
    assert [len(desk.activities(record)) for record in desk.records()] == [2, 1]


@pytest.mark.req("VF-15")
def test_an_unknown_number_logs_a_new_call_or_is_rejected_as_configured(desk: Desk) -> None:
    desk.receive(a_mail(subject="call#77"))
    assert desk.record()["subject"] == "call#77"
    desk.configure(a_configuration(an_inbox(commands=CommandPolicy(log_new_on_invalid_number=False))))
    (mail,) = desk.receive(a_mail("again\n", subject="call#78"))
    assert (mail["outcome"], len(desk.records())) == ("rejected", 1)
    assert "does not exist" in mail["reason"]


@pytest.mark.req("VF-16")
def test_a_number_of_a_stranger_makes_a_new_record_and_says_nothing_of_the_other_one(desk: Desk) -> None:
    desk.receive(a_mail())
    desk.receive(a_mail("close it\n", sender="mallory@elsewhere.example", subject="Incident#1"))
    old, new = desk.records()
    assert [len(desk.activities(record)) for record in (old, new)] == [1, 1]
    assert (desk.app.records.links(new["_id"]), desk.outbox()) == ([], [])


@pytest.mark.req("VF-16")
def test_a_stranger_who_names_a_number_is_rejected_where_the_inbox_says_so(desk: Desk) -> None:
    desk.configure(a_configuration(an_inbox(commands=CommandPolicy(unrecognised="ignore"))))
    desk.receive(a_mail())
    stranger = "Mallory <mallory@elsewhere.example>"
    (mail,) = desk.receive(a_mail("close it\n", sender=stranger, subject="Incident#1"))
    assert mail["outcome"] == "rejected"
    assert "no person has" in mail["reason"]
    assert len(desk.activities(desk.record())) == 1


@pytest.mark.req("VF-16")
def test_a_stranger_may_update_where_the_inbox_says_so(desk: Desk) -> None:
    desk.receive(a_mail())
    stranger = "Mallory <mallory@elsewhere.example>"
    desk.configure(a_configuration(an_inbox(commands=CommandPolicy(update_anonymously=True))))
    (mail,) = desk.receive(a_mail("note\n", sender=stranger, subject="Incident#1 "))
    assert mail["outcome"] == "recorded"
    assert desk.activities(desk.record())[1]["text"] == "From: Mallory <mallory@elsewhere.example>\n\nnote\n"
    assert not [person for person in desk.people() if "mallory@elsewhere.example" in person["addresses"]]


@pytest.mark.req("VF-21")
def test_one_who_takes_no_part_gets_a_new_record_and_no_access_to_the_old(desk: Desk) -> None:
    desk.configure(a_configuration(a_person("other", addresses=("other@customer.example",)), an_analyst()))
    desk.receive(a_mail())
    desk.receive(a_mail("mine too\n", sender="other@customer.example", subject="Incident#1"))
    old, new = desk.records()
    assert len(desk.activities(old)) == 1
    assert new["subject"] == "Incident#1"
    assert "related" not in [link.relationship for link in desk.app.records.links(new["_id"])]
    desk.receive(a_mail("analyst here\n", sender="ann@example.com", subject="Incident#1"))
    assert len(desk.activities(old)) == 2


@pytest.mark.req("VF-21")
def test_any_recognised_sender_may_update_when_so_set(desk: Desk) -> None:
    person = a_person("other", addresses=("other@customer.example",))
    desk.configure(a_configuration(person, an_inbox(commands=CommandPolicy(update_by="recognised"))))
    desk.receive(a_mail())
    desk.receive(a_mail("mine too\n", sender="other@customer.example", subject="Incident#1"))
    assert len(desk.activities(desk.record())) == 2


@pytest.mark.req("VF-21")
def test_a_strangers_reply_becomes_a_new_record_linked_to_the_old_one(desk: Desk) -> None:
    desk.receive(a_mail(Message_ID="<first@customer.example>"))
    stranger = a_mail(
        "hello\n", sender="eve@elsewhere.example", subject="Re: Printer", In_Reply_To="<first@customer.example>"
    )
    desk.receive(stranger)
    old, new = desk.records()
    assert len(desk.activities(old)) == 1
    assert [(link.relationship, link.to_id) for link in desk.app.records.links(new["_id"])] == [("related", old["_id"])]


@pytest.mark.req("IV-39")
@pytest.mark.parametrize(("status", "after"), [("Logged", "Logged"), ("Waiting", "Waiting"), ("Resolved", "Active")])
def test_by_default_a_resolved_incident_is_reopened_and_an_open_one_keeps_its_status(
    desk: Desk, status: str, after: str
) -> None:
    desk.receive(a_mail())
    _set_status(desk, status)
    desk.receive(a_mail("again\n", subject="Incident#1"))
    assert desk.record()["status"] == after
    assert "email" in [activity["kind"] for activity in desk.activities(desk.record())][1:]


@pytest.mark.req("IV-39")
@pytest.mark.parametrize(("enabled", "after"), [(True, "Waiting"), (False, "Active")])
def test_a_status_mapping_runs_its_quick_action_when_enabled(desk: Desk, enabled: bool, after: str) -> None:
    mapping = (StatusMapping("Resolved", "Park", enabled),)
    desk.configure(
        a_configuration(
            an_inbox(status_mapping=mapping), quick_actions=(QuickAction("Park", "incident", {"Status": "Waiting"}),)
        )
    )
    desk.receive(a_mail())
    _set_status(desk, "Resolved")
    desk.receive(a_mail("again\n", subject="Incident#1"))
    assert desk.record()["status"] == after


@pytest.mark.req("VF-13")
def test_a_closed_call_stays_closed_and_the_sender_is_notified(desk: Desk) -> None:
    desk.receive(a_mail())
    _set_status(desk, "Closed")
    (mail,) = desk.receive(a_mail("again\n", subject="Incident#1"))
    assert (desk.record()["status"], len(desk.activities(desk.record())), mail["outcome"]) == ("Closed", 1, "rejected")
    assert [mail["subject"] for mail in desk.outbox()] == ["Call No INC1 is already closed and has not been updated."]


@pytest.mark.req("VF-13")
def test_a_closed_call_takes_notes_when_so_set(desk: Desk) -> None:
    desk.configure(a_configuration(an_inbox(commands=CommandPolicy(update_closed=True, reply_on_update=False))))
    desk.receive(a_mail())
    _set_status(desk, "Closed")
    (mail,) = desk.receive(a_mail("again\n", subject="Incident#1"))
    assert (desk.record()["status"], len(desk.activities(desk.record())), mail["outcome"]) == ("Closed", 2, "recorded")
    assert [mail["subject"] for mail in desk.outbox()] == ["Call No INC1 has been updated by Postroom."]


@pytest.mark.req("VF-14")
def test_a_closed_call_is_reopened_when_so_set(desk: Desk) -> None:
    desk.configure(a_configuration(an_inbox(commands=CommandPolicy(reopen_closed=True, update_closed=True))))
    desk.receive(a_mail())
    _set_status(desk, "Closed")
    desk.receive(a_mail("again\n", subject="Incident#1"))
    assert desk.record()["status"] == "Active"
    assert len([each for each in desk.activities(desk.record()) if each["kind"] == "email"]) == 2


@pytest.mark.req("VF-20")
def test_an_update_is_answered_by_the_switch_and_stays_unsent_without_a_server(desk: Desk) -> None:
    desk.receive(a_mail())
    desk.receive(a_mail("more\n", subject="Incident#1", Message_ID="<second@customer.example>"))
    (answer,) = desk.outbox()
    assert (answer["subject"], answer["to"], answer["state"]) == (
        "Call INC1 has been updated",
        ["anna@customer.example"],
        "unsent",
    )
    assert answer["in_reply_to"] == "<second@customer.example>"
    desk.configure(a_configuration(an_inbox(commands=CommandPolicy(reply_on_update=False))))
    desk.receive(a_mail("even more\n", subject="Incident#1"))
    assert len(desk.outbox()) == 1


@pytest.mark.req("IV-37", "PR-12")
def test_a_mail_that_breaks_a_bound_becomes_an_incident_on_error(desk: Desk) -> None:
    raw = b"From: anna@customer.example\r\nSubject: deep\r\n" + b"X-H: v\r\n" * 120_000 + b"\r\nbody"
    (mail,) = desk.receive(raw)
    record = desk.record("incident")
    (letter,) = desk.dead_letters()
    assert (mail["outcome"], mail["records"][0]["number"]) == ("dead", record["number"])
    assert (letter["stage"], letter["incident"], letter["mail_id"]) == ("parser", record["number"], mail["_id"])
    assert letter["reason"] in record["description"]
    assert record["owner_team"] == "Service Desk"
    (activity,) = desk.activities(record)
    assert desk.store.get_blob(activity["attachments"][0]["sha256"]) == raw


@pytest.mark.req("IV-37")
def test_without_create_incident_on_error_the_mail_stays_in_the_dead_letters(desk: Desk) -> None:
    desk.configure(a_configuration(an_inbox(create_incident_on_error=False)))
    (mail,) = desk.receive(b"X-H: v\r\n" * 120_000 + b"\r\nbody")
    assert (mail["outcome"], desk.records(), len(desk.dead_letters())) == ("dead", [], 1)


@pytest.mark.req("PR-12")
def test_mail_for_an_unknown_inbox_is_a_dead_letter_that_names_it(desk: Desk) -> None:
    (mail,) = desk.receive(a_mail(), inbox="nowhere")
    assert mail["outcome"] == "dead"
    assert "'nowhere'" in mail["reason"]


@pytest.mark.req("PR-15")
def test_the_same_mail_again_adds_nothing(desk: Desk) -> None:
    raw = a_mail()
    desk.receive(raw)
    assert desk.receive(raw) == []
    assert (len(desk.records()), len(desk.activities(desk.record()))) == (1, 1)


@pytest.mark.req("PR-15")
def test_the_same_message_id_with_another_body_is_another_mail(desk: Desk) -> None:
    desk.receive(a_mail("one\n", Message_ID="<x@y.example>"), a_mail("two\n", Message_ID="<x@y.example>"))
    assert len(desk.records()) == 2


@pytest.mark.req("PR-15")
def test_the_same_mail_in_two_inboxes_is_two_mails(desk: Desk) -> None:
    desk.configure(a_configuration(an_inbox("sales")))
    raw = a_mail()
    desk.receive(raw)
    desk.receive(raw, inbox="sales")
    assert [record["inbox"] for record in desk.records()] == ["support", "sales"]


COPIED = a_mail("It burns.\n", Message_ID="<x@y.example>")
BY_ANOTHER_WAY = (
    b"Return-Path: <anna@customer.example>\r\nDelivered-To: help@example.com\r\n"
    b"Received: from a.example by b.example\r\n for <help@example.com>; Fri, 20 Nov 2026 09:00:01 +0000\r\n"
    + COPIED.replace(b"\n", b"\r\n")
)


@pytest.mark.req("PR-15")
def test_a_copy_that_comes_by_another_way_has_no_effect(desk: Desk) -> None:
    """To two aliases of one mailbox, or also by a server that forwards: the header of its way differs, nothing else."""
    first, copy = desk.receive(COPIED, BY_ANOTHER_WAY)
    assert (first["outcome"], copy["outcome"], copy["rule"]) == ("recorded", "rejected", "copy")
    assert copy["reason"] == f"a copy of the mail {first['_id'][:12]}, which came before by another way"
    assert len(desk.records()) == 1


@pytest.mark.req("PR-15")
def test_a_copy_has_no_effect_however_much_later_it_comes(desk: Desk) -> None:
    desk.receive(COPIED)
    desk.clock.advance(timedelta(days=3))
    (copy,) = desk.receive(BY_ANOTHER_WAY)
    assert (copy["outcome"], len(desk.records())) == ("rejected", 1)


@pytest.mark.req("PR-15")
@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"It burns.", b"It burns still."),
        (b"Date: Fri, 20", b"Date: Sat, 21"),
        (b"<x@y.example>", b"<z@y.example>"),
        (b"\r\nTo: ", b"\r\nAuto-Submitted: no\r\nTo: "),
        (b"\r\nTo: ", b"\r\nAuthentication-Results: mx.example; dmarc=pass\r\nTo: "),
    ],
)
def test_a_mail_that_says_anything_else_is_not_a_copy(desk: Desk, before: bytes, after: bytes) -> None:
    other = BY_ANOTHER_WAY.replace(before, after)
    assert other != BY_ANOTHER_WAY
    assert [mail["outcome"] for mail in desk.receive(COPIED, other)] == ["recorded", "recorded"]


@pytest.mark.req("PR-15")
def test_the_copy_of_a_mail_that_changed_nothing_is_taken(desk: Desk) -> None:
    desk.configure(a_configuration(rules=(Rule("spam", {"subject": "printer"}),)))
    desk.receive(COPIED)
    desk.configure(a_configuration())
    (copy,) = desk.receive(BY_ANOTHER_WAY)
    assert copy["outcome"] == "recorded"


@pytest.mark.req("PR-12", "PR-15")
def test_a_letter_that_is_replayed_after_a_copy_of_its_mail_was_taken_has_no_effect(desk: Desk) -> None:
    desk.receive(COPIED, inbox="sales")
    (letter,) = desk.dead_letters()
    desk.configure(a_configuration(an_inbox("sales", create_incident_on_error=False)))
    (copy,) = desk.receive(BY_ANOTHER_WAY, inbox="sales")
    actions.replay(desk.app, letter["_id"])
    desk.work()
    outcomes = {mail["_id"]: mail["outcome"] for mail in desk.mails()}
    assert (outcomes.pop(copy["_id"]), list(outcomes.values())) == ("recorded", ["rejected"])


@pytest.mark.req("PR-15")
def test_a_copy_is_taken_in_another_inbox_when_released_and_under_a_key_of_its_own(desk: Desk) -> None:
    desk.configure(a_configuration(an_inbox("sales")))
    (_, copy) = desk.receive(COPIED, BY_ANOTHER_WAY)
    desk.receive(BY_ANOTHER_WAY, inbox="sales")
    desk.receive(BY_ANOTHER_WAY, source_id="4711")
    actions.release(desk.app, copy["_id"])
    desk.work()
    assert len(desk.records()) == 4


def _set_status(desk: Desk, status: str) -> None:
    record = desk.record()
    desk.store.update("records", {"_id": record["_id"]}, {"$set": {"status": status}, "$inc": {"version": 1}})


@pytest.mark.req("VF-16", "VF-21")
def test_an_inbox_that_trusts_no_bare_address_wants_a_proof_for_updates_by_number(desk: Desk) -> None:
    inbox = an_inbox(commands=CommandPolicy(trust="authenticated"))
    desk.configure(a_configuration(inbox, settings=Settings(trusted_authserv_ids=("mx.desk.example",))))
    desk.receive(a_mail())
    (forged,) = desk.receive(a_mail("close it\n", subject="Incident#1"))
    proof = "mx.desk.example; dmarc=pass header.from=customer.example"
    (genuine,) = desk.receive(a_mail("thanks\n", subject="Incident#1", Authentication_Results=proof))
    assert (forged["outcome"], genuine["outcome"]) == ("rejected", "recorded")
    assert "genuine" in forged["reason"]
    assert len(desk.activities(desk.record())) == 2
