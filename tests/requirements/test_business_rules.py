"""Business rules: what the desk does by itself when mail, an operator or a failure changes a record."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from services.operator.service_desk import manual_edits
from services.operator.trial.dry_run import dry_run
from shared.config.model import (
    AutomaticMailCap,
    BusinessRule,
    Calendar,
    CommandPolicy,
    Configuration,
    MailServer,
    MailTemplate,
    Notify,
    QuickAction,
    RecordType,
    Settings,
    StatusMapping,
)
from shared.store.documents import Document
from tests.builders import a_configuration, a_mail, a_person, an_analyst, an_inbox
from tests.desk import Desk

pytestmark = pytest.mark.req("TI-33")

TEMPLATE = MailTemplate("note", "{type} {number}: {subject}", "It is {status} now. {response_url} {self_service_url}")
URLS = Settings(
    response_url="https://desk.example.com/TrackIt", self_service_url="https://desk.example.com/SelfService"
)
ANNA = a_person("anna", name="Anna Becker", addresses=("anna@customer.example",))
ANN = an_analyst("ann", name="Ann", teams=("Service Desk",))
BOB = an_analyst("bob", name="Bob", teams=("Service Desk", "Network"))
QUIET = CommandPolicy(reply_on_update=False)


def a_rule(on: str | tuple[str, ...] = "incident.created", *to: str, **keys: Any) -> BusinessRule:
    events = (on,) if isinstance(on, str) else on
    keys.setdefault("name", "rule")
    return BusinessRule(on=events, notify=Notify(to, "note") if to else None, **keys)


def configuration(*rules: BusinessRule, **keys: Any) -> Configuration:
    inbox = keys.pop("inbox", an_inbox(owner_team="Service Desk", commands=QUIET))
    people = keys.pop("people", (ANNA, ANN, BOB))
    keys.setdefault("settings", URLS)
    return a_configuration(inbox, *people, business_rules=rules, mail_templates=(TEMPLATE,), **keys)


def sent(desk: Desk) -> list[str]:
    return [mail["to"][0] for mail in desk.outbox()]


def fired(desk: Desk, record: Document | None = None) -> list[str]:
    return [each["text"] for each in desk.activities(record or desk.record()) if each["kind"] == "rule"]


def test_a_new_record_is_set_and_people_are_written_to_by_template(desk: Desk) -> None:
    rule = a_rule("incident.created", "@Sender", "@OwnerTeam", set={"Priority": 1, "Category": "Fire"})
    desk.configure(configuration(replace(rule, when={"@Body": {"contains": "fire"}})))
    (mail,) = desk.receive(a_mail())
    record = desk.record()
    assert record["fields"] == {"Priority": 1, "Category": "Fire"}
    assert sent(desk) == ["anna@customer.example", "ann@example.com", "bob@example.com"]
    answer = desk.outbox()[0]
    assert answer["subject"].endswith("INC1: Printer")
    assert "Logged now. https://desk.example.com/TrackIt" in answer["text"]
    assert "https://desk.example.com/SelfService" in answer["text"]
    assert answer["record"] == "INC1"
    assert answer["mail_id"] == mail["_id"]
    assert fired(desk) == [
        (
            "rule (incident.created): Priority: nothing → 1; Category: nothing → Fire; "
            "note to anna@customer.example; note to ann@example.com; note to bob@example.com"
        )
    ]


def test_a_rule_whose_conditions_do_not_hold_does_nothing(desk: Desk) -> None:
    never = a_rule(when={"@Subject": {"begins": "invoice"}}, set={"Priority": 1})
    other = a_rule(name="b", on="problem.created", set={"Priority": 2})
    off = a_rule(name="c", enabled=False, set={"Priority": 3})
    desk.configure(configuration(never, other, off))
    desk.receive(a_mail())
    assert desk.record()["fields"] == {}
    assert fired(desk) == []


def test_received_mail_fires_for_new_records_and_for_answers(desk: Desk) -> None:
    rule = a_rule("mail.received", set={"Category": "VIP"}, when={"@From": {"contains": "@customer.example"}})
    again = a_rule("mail.received", name="again", set={"Stream": "x"}, when={"@Subject": {"contains": "Incident#"}})
    desk.configure(configuration(rule, again))
    desk.receive(a_mail())
    assert desk.record()["fields"] == {"Category": "VIP"}
    desk.receive(a_mail("More.", subject="Incident#1"))
    assert desk.record()["fields"] == {"Category": "VIP", "Stream": "x"}
    assert len(fired(desk)) == 3


@pytest.mark.parametrize(
    ("condition", "fires"),
    [
        ({"Status": {"from": "Waiting", "to": "Active"}}, True),
        ({"Status": {"from": "Logged"}}, False),
        ({"Status": {"changed": True}}, True),
        ({"Owner": {"changed": True}}, False),
        ({"Status": "Active", "OwnerTeam": "service desk"}, True),
    ],
)
def test_a_condition_on_the_old_and_the_new_value(desk: Desk, condition: dict[str, Any], *, fires: bool) -> None:
    inbox = an_inbox(status_mapping=(StatusMapping("Waiting", "Work"),), commands=QUIET, owner_team="Service Desk")
    work = QuickAction("Work", "incident", {"Status": "Active"})
    rule = a_rule("incident.updated", when=condition, set={"Category": "Seen"})
    desk.configure(configuration(rule, inbox=inbox, quick_actions=(work,)))
    desk.receive(a_mail())
    desk.store.update("records", {"serial": 1}, {"$set": {"status": "Waiting"}})
    desk.receive(a_mail(subject="Incident#1"))
    assert desk.record()["fields"] == ({"Category": "Seen"} if fires else {})


def test_rules_are_asked_in_order_and_stop_ends_the_round(desk: Desk) -> None:
    desk.configure(
        configuration(
            a_rule(name="a", set={"Priority": 1}),
            a_rule(name="b", when={"Priority": 1}, set={"Category": "Urgent"}, stop=True),
            a_rule(name="c", set={"Stream": "never"}),
        )
    )
    desk.receive(a_mail())
    assert desk.record()["fields"] == {"Priority": 1, "Category": "Urgent"}
    assert [each.split(" ")[0] for each in fired(desk)] == ["a", "b"]


def test_what_a_rule_causes_fires_once_and_rules_never_run_in_circles(desk: Desk) -> None:
    events = ("incident.created", "incident.closed", "incident.reopened")
    desk.configure(
        configuration(
            a_rule(events, name="close", when={"Status": {"not": "Closed"}}, set={"Status": "Closed"}),
            a_rule("incident.closed", name="reopen", set={"Status": "Active"}),
        )
    )
    desk.receive(a_mail())
    assert desk.record()["status"] == "Active"
    assert [each.split(":")[0] for each in fired(desk)] == ["close (incident.created)", "reopen (incident.closed)"]


def test_a_quick_action_is_run_before_what_the_rule_sets(desk: Desk) -> None:
    action = QuickAction("Take", "incident", {"Status": "Active", "Owner": "bob", "Priority": 2})
    rule = a_rule(quick_action="Take", set={"Priority": 1})
    desk.configure(configuration(rule, quick_actions=(action,)))
    desk.receive(a_mail())
    record = desk.record()
    assert (record["status"], record["owner"], record["fields"]) == ("Active", "bob", {"Priority": 1})


def test_everybody_is_written_to_once_and_nobody_about_the_own_mail(desk: Desk) -> None:
    to = ("@Owner", "@OwnerTeam", "@Analysts", "team:Network", "bob", "BOB@example.com", "ops@example.org", "@Customer")
    desk.configure(configuration(a_rule("incident.created", *to, set={"Owner": "ann"})))
    desk.receive(a_mail(sender="Ann <ann@example.com>"))
    assert sent(desk) == ["bob@example.com", "admin@example.com", "ops@example.org", "ann@example.com"]


def test_the_customer_of_a_new_person_is_written_to_without_words_of_the_mail(desk: Desk) -> None:
    desk.configure(configuration(a_rule("incident.created", "@Customer")))
    desk.receive(a_mail("Buy pills", sender="Eve <eve@elsewhere.example>", subject="Pills"))
    (mail,) = desk.outbox()
    assert mail["to"] == ["eve@elsewhere.example"]
    assert "Pills" not in mail["subject"] + mail["text"] + str(mail.get("html"))
    assert (mail["to_stranger"], mail["stranger_domain"]) == (True, "elsewhere.example")


def test_automatic_mail_is_not_answered_but_the_desk_is_notified(desk: Desk) -> None:
    desk.configure(configuration(a_rule("incident.created", "@Sender", "@OwnerTeam")))
    desk.receive(a_mail(Auto_Submitted="auto-generated"))
    assert sent(desk) == ["ann@example.com", "bob@example.com"]
    assert "no mail to anna@customer.example: automatic mail is not answered" in fired(desk)[0]


def test_the_limit_on_automatic_mail_holds_for_customers(desk: Desk) -> None:
    settings = Settings(automatic_mail_cap=AutomaticMailCap(per_address=2))
    desk.configure(configuration(a_rule("incident.created", "@Sender", "@OwnerTeam"), settings=settings))
    for number in range(3):
        desk.receive(a_mail(f"Number {number}", subject=f"Mail {number}"))
    assert sent(desk).count("anna@customer.example") == 2
    assert sent(desk).count("bob@example.com") == 3
    assert "per_address (2) is reached" in fired(desk, desk.records()[2])[0]


def test_the_desk_does_not_write_to_its_own_inboxes(desk: Desk) -> None:
    me = a_person("me", addresses=("support@example.com",))
    desk.configure(configuration(a_rule("incident.created", "me"), people=(ANNA, ANN, BOB, me)))
    desk.receive(a_mail())
    assert sent(desk) == []
    assert "nobody to write to: me" in fired(desk)[0]


@pytest.mark.req("TI-35")
@pytest.mark.parametrize(
    ("keys", "writes"),
    [
        ({"schedule": "* 13 * * *"}, True),
        ({"schedule": "* 14 * * *"}, False),
        ({"calendar": "office"}, True),
        ({"calendar": "nights"}, False),
    ],
)
def test_notifications_are_limited_to_a_schedule_and_a_calendar(
    desk: Desk, keys: dict[str, str], *, writes: bool
) -> None:
    """It is 13:00 in Berlin, on a Friday."""
    calendars = (
        Calendar("office", {"mon-fri": ("09:00-17:00",)}),
        Calendar("nights", {"mon-sun": ("00:00-06:00", "22:00-24:00")}),
    )
    rule = a_rule("incident.created", "@Sender", set={"Priority": 1}, **keys)
    desk.configure(configuration(rule, settings=Settings(timezone="Europe/Berlin"), calendars=calendars))
    desk.receive(a_mail())
    assert desk.record()["fields"] == {"Priority": 1}
    assert len(sent(desk)) == writes
    assert ("no mail at this time" in fired(desk)[0]) is not writes


def test_an_operators_changes_are_asked_too(desk: Desk) -> None:
    rules = (
        a_rule("incident.created", "@Customer", name="new"),
        a_rule("incident.updated", "@Owner", name="given", when={"Owner": {"changed": True}}, set={"Status": "Active"}),
        a_rule("incident.closed", "@Customer", name="done"),
    )
    server = MailServer("out", host="localhost")
    desk.configure(configuration(*rules, mail_servers=(server,)))
    type_ = desk.app.directory.type_named("incident")
    assert type_
    made = manual_edits.create(desk.app, type_, manual_edits.NewRecord("Printer", customer="anna"))
    given = manual_edits.change(desk.app, type_, made.id, [("Owner", "bob")])
    assert given.status == "Active"
    manual_edits.change(desk.app, type_, made.id, [("Status", "Closed")])
    assert sent(desk) == ["anna@customer.example", "bob@example.com", "anna@customer.example"]
    assert [mail["state"] for mail in desk.outbox()] == ["waiting"] * 3
    assert [each.split(" ")[0] for each in fired(desk)] == ["new", "given", "done"]
    assert desk.record().get("pending") == []


def test_tasks_below_and_incidents_on_error_are_records_like_others(desk: Desk) -> None:
    rules = (
        a_rule("task.created", "team:Network", name="task", set={"Priority": 3}),
        a_rule("incident.created", "ops@example.org", name="error", when={"Source": "Email error"}),
    )
    inbox = an_inbox(task_for_every_email=True, owner_team="Service Desk", field_mapping={"Due": "@Subject"})
    job = RecordType("job", fields={"Due": "date"})
    jobs = an_inbox("jobs", processor="job", field_mapping={"Due": "@Subject"})
    people = (ANNA, ANN, BOB)
    desk.configure(
        a_configuration(
            replace(inbox, field_mapping={}), jobs, *people,
            record_types=(job,), business_rules=rules, mail_templates=(TEMPLATE,), settings=URLS,
        )
    )  # fmt: skip
    desk.receive(a_mail())
    assert desk.record("task")["fields"]["Priority"] == 3
    assert sent(desk) == ["bob@example.com"]
    desk.receive(a_mail(subject="not a date"), inbox="jobs")
    assert sent(desk) == ["bob@example.com", "ops@example.org"]


def test_a_dry_run_shows_what_rules_would_do(desk: Desk) -> None:
    desk.configure(configuration(a_rule("incident.created", "@OwnerTeam", name="tell", set={"Priority": 1})))
    found = dry_run(desk.app, a_mail()).as_json()
    steps = {(each["step"], each["decision"]): each["why"] for each in found["trace"]}
    assert steps["business-rule", "for INC1"].startswith("tell (incident.created): Priority: nothing → 1; note to ann@")
    assert found["changes"][0]["fields"] == {"Priority": 1}
    assert [each["to"] for each in found["notifications"]] == [["ann@example.com"], ["bob@example.com"]]
    assert "INC1" in found["notifications"][0]["subject"]
    assert desk.records() == desk.outbox() == []


def test_a_value_that_fits_no_more_is_said_and_the_mail_goes_on(desk: Desk) -> None:
    rule = a_rule("incident.created", "@OwnerTeam", set={"Owner": "gone", "Priority": 1})
    desk.configure(configuration(rule, people=(ANNA, ANN, BOB, a_person("gone"))))
    desk.store.delete("people", {"_id": "gone"})
    desk.receive(a_mail())
    assert desk.record()["fields"] == {}
    assert "nothing was set: the field Owner takes the id or the address of a person" in fired(desk)[0]
    assert sent(desk) == ["ann@example.com", "bob@example.com"]
