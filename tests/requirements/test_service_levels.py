"""Service levels: targets in working time, near and passed once each, whoever says so and whatever happens between."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.operator.service_desk import manual_edits, records
from services.operator.trial.dry_run import dry_run
from services.schedule.source import ScheduleSource
from shared.config.model import (
    BusinessRule,
    Calendar,
    CommandPolicy,
    Configuration,
    MailTemplate,
    Notify,
    Settings,
    Sla,
)
from shared.contracts.change import ServiceTarget
from tests.builders import a_configuration, a_mail, a_person, an_analyst, an_inbox
from tests.desk import Desk

pytestmark = pytest.mark.req("TI-35")

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
BERLIN = Settings(timezone="Europe/Berlin", response_url="https://desk/a", self_service_url="https://desk/s")
GOLD = Sla("gold", "incident", {"Priority": 1}, respond=HOUR, resolve=8 * HOUR, warn_before=15 * MINUTE)
SILVER = Sla("silver", "incident", {}, resolve=24 * HOUR, warn_before=HOUR)
TEMPLATE = MailTemplate("late", "{number}: {target} of {sla}", "{due} {response_url} {self_service_url}")
OFFICE = Calendar("office", {"mon-fri": ("09:00-17:00",)})
RAISE = BusinessRule("priority", ("incident.created",), {"@Subject": {"contains": "fire"}}, set={"Priority": 1})
LATE = BusinessRule(
    "late", ("sla.breached",), {"@Target": "respond"}, Notify(("@OwnerTeam",), "late"), {"Impact": "High"}
)
NEAR = BusinessRule("near", ("sla.due",), {}, Notify(("@OwnerTeam",), "late"))


def configuration(*slas: Sla, **keys: Any) -> Configuration:
    ann = an_analyst("ann", teams=("Service Desk",))
    anna = a_person("anna", addresses=("anna@customer.example",))
    inbox = an_inbox(owner_team="Service Desk", commands=CommandPolicy(reply_on_update=False))
    keys.setdefault("business_rules", (RAISE, LATE, NEAR))
    keys.setdefault("settings", BERLIN)
    return a_configuration(inbox, ann, anna, slas=slas, mail_templates=(TEMPLATE,), calendars=(OFFICE,), **keys)


def pass_time(desk: Desk, by: timedelta = timedelta()) -> None:
    """Let the schedule look, after some time, and the stages work."""
    desk.clock.advance(by)
    ScheduleSource(desk.app).once()
    desk.work()


def targets(desk: Desk) -> dict[str, ServiceTarget]:
    """The targets of the only record."""
    record = desk.app.records.get(desk.record("incident")["_id"])
    assert record
    assert record.service
    return {each.kind: each for each in record.service.targets}


def said(desk: Desk, kind: str = "service-level") -> list[str]:
    return [each["text"] for each in desk.activities(desk.record("incident")) if each["kind"] == kind]


def edit(desk: Desk, **values: str) -> None:
    type_ = desk.app.directory.type_named("incident")
    assert type_
    manual_edits.change(desk.app, type_, desk.record("incident")["_id"], list(values.items()))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_targets_are_near_then_late_once_each_and_rules_act_on_both(desk: Desk) -> None:
    desk.configure(configuration(GOLD, SILVER))
    desk.receive(a_mail(subject="A fire"))
    assert [(each.kind, each.state) for each in targets(desk).values()] == [
        ("respond", "running"),
        ("resolve", "running"),
    ]
    assert desk.record()["service_due_at"] < utc("2026-11-20 12:45:01")
    pass_time(desk, 44 * MINUTE)
    assert said(desk) == []
    pass_time(desk, 2 * MINUTE)
    pass_time(desk, MINUTE)
    assert said(desk) == ["gold: the response is due at 2026-11-20 14:00 Europe/Berlin"]
    pass_time(desk, 20 * MINUTE)
    pass_time(desk, MINUTE)
    assert said(desk)[1:] == ["gold: the response was due at 2026-11-20 14:00 Europe/Berlin and is late"]
    assert [each["text"].split(":")[0] for each in desk.activities(desk.record()) if each["kind"] == "rule"] == [
        "priority (incident.created)", "near (sla.due)", "late (sla.breached)",
    ]  # fmt: skip
    assert desk.record()["fields"]["Impact"] == "High"
    near, late = desk.outbox()
    assert (near["to"], near["subject"]) == (["ann@example.com"], "INC1: respond of gold")
    assert "https://desk/a/records/incident/INC1" in late["text"]
    assert "https://desk/s/records/incident/INC1" in late["text"]
    assert late["record"] == "INC1"
    assert desk.record()["pending"] == []
    assert all(
        each.get("mail_id") is None for each in desk.activities(desk.record()) if each["kind"] == "service-level"
    )


def test_the_first_fitting_service_level_holds_and_without_one_nothing_is_stored(desk: Desk) -> None:
    desk.configure(configuration(GOLD))
    desk.receive(a_mail())
    assert not {"service", "service_due_at"} & desk.record().keys()
    desk.configure(configuration(GOLD, SILVER))
    desk.receive(a_mail(subject="fire"))
    assert desk.records()[1]["service"]["sla"] == "gold"


def test_the_response_is_the_desks_first_work_not_the_customers_next_mail(desk: Desk) -> None:
    desk.configure(configuration(GOLD))
    desk.receive(a_mail(subject="fire"))
    desk.receive(a_mail("More", subject="Incident#1"))
    assert targets(desk)["respond"].state == "running"
    desk.clock.advance(30 * MINUTE)
    desk.receive(a_mail("We look", sender="Ann <ann@example.com>", subject="Incident#1"))
    assert targets(desk)["respond"].state == "met"
    assert targets(desk)["resolve"].state == "running"
    pass_time(desk, HOUR)
    assert said(desk) == []


def test_resolving_meets_both_and_reopening_goes_on_with_the_time_that_is_left(desk: Desk) -> None:
    desk.configure(configuration(GOLD))
    desk.receive(a_mail(subject="fire"))
    desk.clock.advance(6 * HOUR)
    edit(desk, Status="Resolved")
    assert {each.state for each in targets(desk).values()} == {"met"}
    assert desk.record()["service_due_at"] is None
    desk.clock.advance(100 * HOUR)
    desk.receive(a_mail("Again", subject="Incident#1"))
    resolve = targets(desk)["resolve"]
    assert targets(desk)["respond"].state == "met"
    assert resolve.due_at
    assert timedelta(0) < resolve.due_at - desk.clock.now() - 2 * HOUR + MINUTE < 2 * MINUTE
    pass_time(desk, 3 * HOUR)
    pass_time(desk, 3 * HOUR)
    assert len(said(desk)) == 1
    edit(desk, Status="Closed")
    edit(desk, Status="Active")
    pass_time(desk, 30 * HOUR)
    assert len(said(desk)) == 1


def test_a_paused_target_counts_nothing(desk: Desk) -> None:
    sla = replace(GOLD, respond=None, pause_in=("Waiting",))
    desk.configure(configuration(sla))
    desk.receive(a_mail(subject="fire"))
    desk.clock.advance(HOUR)
    edit(desk, Status="Waiting")
    paused = targets(desk)["resolve"]
    assert (paused.state, paused.due_at, round(paused.used_seconds / 60)) == ("paused", None, 60)
    pass_time(desk, 100 * HOUR)
    assert said(desk) == []
    edit(desk, Status="Active")
    due = targets(desk)["resolve"].due_at
    assert due
    assert abs(due - desk.clock.now() - 7 * HOUR) < MINUTE


def test_working_hours_count_through_nights_weekends_and_the_change_of_the_clock(desk: Desk) -> None:
    desk.configure(configuration(replace(GOLD, calendar="office", respond=None)))
    desk.clock.at = utc("2026-03-27 14:00")  # a Friday, 15:00 in Berlin; the clock changes on Sunday
    desk.receive(a_mail(subject="fire"))
    assert targets(desk)["resolve"].due_at.replace(microsecond=0, second=0) == utc("2026-03-30 13:00")  # type: ignore[union-attr]


def test_another_priority_brings_another_service_level_and_keeps_the_time_used(desk: Desk) -> None:
    desk.configure(configuration(GOLD, SILVER))
    desk.receive(a_mail())
    assert desk.record()["service"]["sla"] == "silver"
    desk.clock.advance(5 * HOUR)
    edit(desk, Priority="1")
    assert desk.record()["service"]["sla"] == "gold"
    resolve = targets(desk)["resolve"]
    assert resolve.due_at
    assert abs(resolve.due_at - desk.clock.now() - 3 * HOUR) < MINUTE
    edit(desk, Priority="2")
    edit(desk, Priority="1")
    pass_time(desk, 4 * HOUR)
    edit(desk, Priority="2")
    edit(desk, Priority="1")
    pass_time(desk, HOUR)
    assert len([each for each in said(desk) if "resolution" in each]) == 1


@pytest.mark.parametrize("others", [(SILVER,), ()], ids=["one without a response", "none"])
def test_a_response_stays_made_while_another_service_level_holds(desk: Desk, others: tuple[Sla, ...]) -> None:
    desk.configure(configuration(GOLD, *others))
    desk.receive(a_mail(subject="A fire"))
    desk.clock.advance(30 * MINUTE)
    edit(desk, Impact="High")
    responded = targets(desk)["respond"].met_at
    assert responded
    desk.clock.advance(HOUR)
    edit(desk, Priority="2")
    assert "respond" not in targets(desk)
    desk.receive(a_mail("More", subject="Incident#1"))
    desk.clock.advance(HOUR)
    edit(desk, Priority="1")
    assert (targets(desk)["respond"].state, targets(desk)["respond"].met_at) == ("met", responded)


def test_after_a_standstill_a_target_that_passed_is_said_once_and_not_announced_before(desk: Desk) -> None:
    desk.configure(configuration(GOLD))
    desk.receive(a_mail(subject="fire"))
    pass_time(desk, 100 * HOUR)
    pass_time(desk, HOUR)
    assert [each.rpartition(" ")[2] for each in said(desk)] == ["late", "late"]


def test_a_record_that_is_gone_or_met_in_the_meantime_is_left_alone(desk: Desk) -> None:
    desk.configure(configuration(GOLD))
    desk.receive(a_mail(subject="fire"))
    desk.clock.advance(50 * MINUTE)
    ScheduleSource(desk.app).once()
    edit(desk, Status="Closed")
    desk.work()
    assert said(desk) == []
    assert desk.dead_letters() == []


def test_two_schedules_and_a_message_that_comes_again_say_it_once(desk: Desk) -> None:
    desk.configure(configuration(GOLD))
    desk.receive(a_mail(subject="fire"))
    desk.clock.advance(50 * MINUTE)
    for _ in range(3):
        ScheduleSource(desk.app).once()
    desk.work()
    assert len(said(desk)) == 1
    assert len(desk.outbox()) == 1


def test_a_schedule_publishes_an_event_once_while_the_writer_is_stopped(desk: Desk) -> None:
    desk.configure(configuration(GOLD))
    desk.receive(a_mail(subject="fire"))
    schedule = ScheduleSource(desk.app)
    desk.clock.advance(50 * MINUTE)
    for _ in range(3):
        schedule.once()
    depths = {depth.name: depth.ready for depth in desk.app.broker.depths()}
    assert depths["record-writer"] == 1


def test_what_the_clock_caused_is_forgotten_after_a_while(desk: Desk) -> None:
    desk.configure(configuration(GOLD))
    desk.receive(a_mail(subject="fire"))
    pass_time(desk, 50 * MINUTE)
    assert desk.store.count("firings", {}) == 1
    edit(desk, Status="Closed")
    pass_time(desk, 91 * timedelta(days=1))
    assert desk.store.count("firings", {}) == 0


def test_tasks_have_service_levels_of_their_own(desk: Desk) -> None:
    sla = Sla("tasks", "task", {}, resolve=HOUR)
    config = configuration(sla)
    desk.configure(replace(config, inboxes=(replace(config.inboxes[0], task_for_every_email=True),)))
    desk.receive(a_mail())
    assert desk.record("task")["service"]["sla"] == "tasks"


def test_a_dry_run_shows_the_targets(desk: Desk) -> None:
    desk.configure(configuration(GOLD))
    found = dry_run(desk.app, a_mail(subject="fire")).as_json()
    (step,) = [each for each in found["trace"] if each["step"] == "service-level"]
    assert (step["decision"], step["why"]) == (
        "gold", "respond by 2026-11-20 13:00 UTC; resolve by 2026-11-20 20:00 UTC",
    )  # fmt: skip


def test_an_operator_sees_the_targets(desk: Desk) -> None:
    desk.configure(configuration(GOLD))
    desk.receive(a_mail(subject="fire"))
    desk.clock.advance(2 * HOUR)
    record = desk.app.records.get(desk.record()["_id"])
    assert record
    respond, resolve = records.view(desk.app, record, 10).as_json()["targets"]
    assert (respond["target"], respond["state"], respond["late"]) == ("respond", "running", True)
    assert (resolve["sla"], resolve["state"], resolve["late"]) == ("gold", "running", False)
    assert resolve["due_at"].replace(microsecond=0) == utc("2026-11-20 20:00:00")
