"""Rules, service levels, calendars and reports: what is read, what is refused, and what is noted."""

from __future__ import annotations

import pytest

from shared.config.model import Configuration
from shared.config.problems import InvalidConfiguration
from shared.config.reading import load_bytes
from shared.config.writing import to_yaml
from shared.store import configuration as configuration_store
from tests.desk import Desk
from tests.shared.config.test_notes import told

HEAD = """
inboxes: [{name: support, address: support@example.com}]
people: [{id: ann, name: Ann, teams: [Desk]}]
mail_templates: [{name: m, subject: s, text: t}]
record_types:
  - {name: job, fields: {Weight: number, Due: date}, statuses: {open: [New, On hold], closed: [Done]}}
quick_actions: [{name: Reopen, on: job, set: {Status: New}}]
"""
GOLD = "slas: [{name: gold, on: job, resolve: 1h}]\n"
FULL = (
    HEAD
    + """
calendars:
  - {name: office, hours: {mon-thu: "9:00 - 17:30", fri: ["09:00-12:00", "13:00-24:00"]}, holidays: [2026-12-25, 01-01]}
slas:
  - {name: gold, on: job, when: {Weight: {more_than: 2}, Status: [New, On hold]}, resolve: 8h, calendar: office,
     pause_in: On hold}
business_rules:
  - {name: a, on: [job.created, mail.received], calendar: office,
     when: {Weight: {changed: true, from: null, to: [1, 2]}, "@Subject": {contains: x}},
     quick_action: Reopen, stop: true, notify: {to: ["@sender", "team:Desk", ann], template: m}}
reports:
  - {name: r, schedule: "0 7 * * *", query: {type: job, status: {not: closed}, age: 3d, Weight: {at_least: 1}},
     columns: [Number, Weight, Age], group_by: Owner, to: ["@Analysts"]}
"""
)


def read(text: str) -> Configuration:
    return load_bytes(text.encode())


def problems(text: str) -> str:
    with pytest.raises(InvalidConfiguration) as caught:
        read(text)
    return str(caught.value)


def test_every_form_of_a_condition_is_read() -> None:
    config = read(FULL)
    (rule,), (sla,), (report,), (calendar,) = config.business_rules, config.slas, config.reports, config.calendars
    assert rule.on == ("job.created", "mail.received")
    assert rule.when == {"Weight": {"changed": True, "from": None, "to": (1, 2)}, "@Subject": {"contains": "x"}}
    assert sla.when == {"Weight": {"more_than": 2}, "Status": ("New", "On hold")}
    assert sla.pause_in == ("On hold",)
    assert report.query["status"] == {"not": "closed"}
    assert calendar.hours == {"mon-thu": ("09:00-17:30",), "fri": ("09:00-12:00", "13:00-24:00")}
    assert calendar.holidays == ("2026-12-25", "01-01")


def test_it_comes_back_from_a_file_and_from_the_store(desk: Desk) -> None:
    config = read(FULL)
    assert read(to_yaml(config)) == config
    desk.configure(config)
    stored = configuration_store.read(desk.store)
    for section in ("calendars", "slas", "business_rules", "reports"):
        assert getattr(stored, section) == getattr(config, section)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("business_rules: [{name: a, on: job.made, stop: on}]", '"job.made" is not an event'),
        ("business_rules: [{name: a, on: mail.recieved, stop: on}]", 'did you mean "mail.received"?'),
        ("business_rules: [{name: a, on: job.created}]", "business_rules[0]: this rule does nothing"),
        (
            "business_rules: [{name: a, on: job.created, stop: on, when: {Wieght: 1}}]",
            'business_rules[0].when.Wieght: job has no field "Wieght"; did you mean "Weight"?',
        ),
        (
            "business_rules: [{name: a, on: sla.due, stop: on, when: {Prioritty: 1}}]",
            'business_rules[0].when.Prioritty: no type has a field "Prioritty"; did you mean "Priority"?',
        ),
        (
            "business_rules: [{name: a, on: job.created, stop: on, when: {Status: Logged}}]",
            'job has no status "Logged"',
        ),
        (
            "business_rules: [{name: a, on: job.created, stop: on, when: {Status: {to: Gone}}}]",
            'job has no status "Gone"',
        ),
        (
            "business_rules: [{name: a, on: job.created, stop: on, when: {Weight: {containz: 1}}}]",
            'did you mean "contains"',
        ),
        (
            "business_rules: [{name: a, on: job.created, stop: on, when: {Weight: {at_least: heavy}}}]",
            "business_rules[0].when.Weight: the field Weight takes a number, not 'heavy'",
        ),
        ("business_rules: [{name: a, on: job.created, stop: on, when: {Weight: {}}}]", "needs something to compare"),
        ("business_rules: [{name: a, on: job.created, stop: on, when: {Weight: []}}]", "the list is empty"),
        ("business_rules: [{name: a, on: job.created, stop: on, when: {'@Subjekt': 1}}]", 'did you mean "@Subject"?'),
        ("business_rules: [{name: a, on: job.created, set: {Weight: heavy}}]", "the field Weight takes a number"),
        ("business_rules: [{name: a, on: [job.created, mail.received], set: {Status: Gone}}]", 'has no status "Gone"'),
        ("business_rules: [{name: a, on: job.created, quick_action: Reopn}]", 'did you mean "Reopen"?'),
        ("business_rules: [{name: a, on: task.created, quick_action: Reopen}]", '"Reopen" is for job'),
        ("business_rules: [{name: a, on: sla.due, notify: {to: a@b, template: x}}]", 'there is no mail template "x"'),
        ("business_rules: [{name: a, on: sla.due, notify: {to: '@Sendr', template: m}}]", 'did you mean "@Sender"?'),
        ("business_rules: [{name: a, on: sla.due, notify: {to: bob, template: m}}]", 'there is no person "bob"'),
        (
            "business_rules: [{name: a, on: sla.due, notify: {to: Support@example.com, template: m}}]",
            "is an inbox of this desk: the mail would come back",
        ),
        ("business_rules: [{name: a, on: sla.due, stop: on, calendar: x}]", 'there is no calendar "x"'),
        ("business_rules: [{name: a, on: sla.due, stop: on, schedule: 61 * * * *}]", "is not a valid minute"),
        ("slas: [{name: a, on: job, resolve: 1h, warn_before: 60m}]", "does not lie before resolve: 1h"),
        ("slas: [{name: a, on: job, resolve: 8h, respond: 10m, warn_before: 15m}]", "does not lie before respond: 10m"),
        ("slas: [{name: a, on: job, resolve: 1h, calendar: x}]", 'slas[0].calendar: there is no calendar "x"'),
        ("slas: [{name: a, on: job, resolve: 1h, pause_in: Waiting}]", 'job has no status "Waiting"'),
        ("slas: [{name: a, on: job, resolve: 1h, pause_in: Done}]", "has met its targets already"),
        ("slas: [{name: a, on: job, resolve: 1h, when: {Status: {to: New}}}]", "to asks for a change"),
        ("slas: [{name: a, on: job, resolve: 1h, when: {'@Subject': x}}]", 'there is no "@Subject" here'),
        (
            "business_rules: [{name: a, on: sla.due, when: {'@Target': respnd}, stop: true}]",
            'there is no target "respnd"; did you mean "respond"?',
        ),
        (
            "business_rules: [{name: a, on: sla.due, when: {'@Target': {not: x}}, stop: true}]",
            'there is no target "x"; it is one of respond, resolve',
        ),
        (
            GOLD + "business_rules: [{name: a, on: sla.due, when: {'@Sla': [Gold, glod]}, stop: true}]",
            'there is no sla "glod"; did you mean "gold"?',
        ),
        ("calendars: [{name: a, hours: {}}]", "there are no working hours"),
        (
            "calendars: [{name: a, hours: {mon-fri: '9:00-17:00', wed: '16:00-18:00'}}]",
            "16:00-18:00 overlaps other hours",
        ),
        ("calendars: [{name: a, hours: {mon-fry: '9:00-17:00'}}]", '"mon-fry" is not a day'),
        ("calendars: [{name: a, hours: {fri-mon: '9:00-17:00'}}]", '"fri-mon" is not a day'),
        ("calendars: [{name: a, hours: {mon: '17:00-9:00'}}]", "ends before it begins"),
        ("calendars: [{name: a, hours: {mon: '9-17'}}]", '"9-17" is not a time of day'),
        ("calendars: [{name: a, hours: {mon: '9:00-24:30'}}]", "ends before it begins"),
        ("calendars: [{name: a, hours: {mon: '9:00-17:00'}, holidays: [02-30]}]", '"02-30" is not a day'),
        (
            "reports: [{name: a, schedule: 0 7 * * *, query: {type: job, status: opn}, to: a@b}]",
            'job has no status "opn"',
        ),
        ("reports: [{name: a, schedule: 0 7 * * *, query: {type: job, age: old}, to: a@b}]", '"old" is not a time'),
        ("reports: [{name: a, schedule: 0 7 * * *, query: {type: job, Wieght: 1}, to: a@b}]", 'did you mean "Weight"?'),
        ("reports: [{name: a, schedule: 0 7 * * *, query: {type: job}, columns: [Wieght], to: a@b}]", "columns[0]"),
        (
            "reports: [{name: a, schedule: 0 7 * * *, query: {type: job}, to: '@Sender'}]",
            'there is no "@Sender" to write',
        ),
        ("reports: [{name: a, schedule: 0 7 * * *, query: {type: job}, to: support@example.com}]", "would come back"),
    ],
)
def test_what_never_fits_is_refused_with_its_place_and_remedy(text: str, problem: str) -> None:
    assert problem in problems(HEAD + text)


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("business_rules: [{name: a, on: job.created, stop: on, schedule: '* 8 * * *'}]", "limits notifications"),
        ("business_rules: [{name: a, on: sla.due, notify: {to: 'team:Dask', template: m}}]", 'did you mean "Desk"?'),
        ("reports: [{name: a, schedule: 0 7 * * *, query: {type: job}, to: 'team:X'}]", 'nobody is in the team "X"'),
    ],
)
def test_what_does_nothing_is_noted(text: str, note: str) -> None:
    assert any(note in each for each in told(HEAD + text))
