"""Scheduled reports: which records, in which form, to whom, and when: once each, whatever happens between."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from typing import Any

import pytest
from click.testing import CliRunner

from services.cli.main import cli
from services.notifier.compose import Outgoing, build
from services.notifier.stage import as_outgoing, with_files
from services.operator.service_desk import manual_edits
from services.operator.service_desk.reports import report_now, reports
from services.schedule.report_text import as_csv, as_html, as_text
from services.schedule.source import ScheduleSource
from shared.config.model import Configuration, MailServer, Report, Settings
from shared.store.outbox import OutboxMail
from tests.builders import a_configuration, a_mail, an_analyst, an_inbox
from tests.desk import Desk

pytestmark = pytest.mark.req("TI-34")

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def a_report(**keys: Any) -> Report:
    keys.setdefault("name", "open")
    keys.setdefault("schedule", "0 7 * * *")
    keys.setdefault("query", {"type": "incident", "status": "open"})
    keys.setdefault("to", ("lead@example.com", "team:Desk"))
    return Report(**keys)


def configuration(*found: Report, **keys: Any) -> Configuration:
    ann = an_analyst("ann", teams=("Desk",))
    bob = an_analyst("bob", addresses=("support@example.com",), teams=("Desk",))
    keys.setdefault("settings", Settings(timezone="Europe/Berlin"))
    return a_configuration(an_inbox(owner_team="Desk"), ann, bob, reports=found, **keys)


def look(desk: Desk, at: datetime) -> None:
    desk.clock.at = at
    ScheduleSource(desk.app).once()
    desk.work()


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def set_values(desk: Desk, number: int, **values: str) -> None:
    type_, record = desk.app.directory.type_named("incident"), desk.app.records.numbered("incident", number)
    assert type_
    assert record
    manual_edits.change(desk.app, type_, record.id, list(values.items()))


def numbers(desk: Desk, **keys: Any) -> list[str]:
    """The numbers of the records of a report with this query."""
    desk.configure(configuration(a_report(query={"type": "incident", **keys})))
    table = report_now(desk.app, "open")
    return [row[0] for group in table.groups for row in group.rows]


def test_a_report_goes_out_once_at_its_time_as_text_html_and_csv(desk: Desk) -> None:
    desk.configure(configuration(a_report(title="Open incidents", group_by="OwnerTeam")))
    desk.receive(a_mail(subject="Printer & more"))
    look(desk, utc("2026-11-21 05:00"))
    assert desk.outbox() == []
    look(desk, utc("2026-11-21 06:01"))
    look(desk, utc("2026-11-21 06:02"))
    assert [mail["to"] for mail in desk.outbox()] == [["lead@example.com"], ["ann@example.com"]]
    mail = desk.outbox()[0]
    assert mail["subject"] == "Open incidents: 1 record"
    assert "INC1" in mail["text"]
    assert "Printer &amp; more" in mail["html"]
    (file,) = mail["attachments"]
    assert file["filename"] == "open.csv"
    rows = list(csv.reader(io.StringIO(desk.store.get_blob(file["sha256"]).decode("utf-8-sig"))))
    assert rows[0][:2] == ["Number", "Subject"]
    assert rows[1][:2] == ["INC1", "Printer & more"]


def test_the_file_is_in_the_mail_that_leaves(desk: Desk) -> None:
    desk.configure(configuration(a_report(name="Öffnung"), mail_servers=(MailServer("out", host="localhost"),)))
    look(desk, utc("2026-11-21 05:00"))
    desk.clock.at = utc("2026-11-21 06:01")
    ScheduleSource(desk.app).once()
    mail = desk.app.outbox.get(desk.outbox()[0]["_id"])
    assert isinstance(mail, OutboxMail)
    assert mail.state == "waiting"
    outgoing: Outgoing = with_files(as_outgoing(mail), mail, desk.store.get_blob)
    server = MailServer("out", host="localhost", from_address="support@example.com")
    assert build(outgoing, server) == build(outgoing, server)
    sent = message_from_bytes(build(outgoing, server), policy=policy.default)
    (file,) = sent.iter_attachments()
    assert (file.get_filename(), file.get_content_type()) == ("Öffnung.csv", "text/csv")
    assert sent["Auto-Submitted"] == "auto-generated"


def test_after_a_standstill_the_latest_time_alone_is_made_up_for(desk: Desk) -> None:
    desk.configure(configuration(a_report(to=("lead@example.com",))))
    look(desk, utc("2026-11-21 05:00"))
    look(desk, utc("2026-11-28 23:00"))
    assert len(desk.outbox()) == 1
    look(desk, utc("2026-11-29 06:00:01"))
    assert len(desk.outbox()) == 2


@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25", "2026-10-26"], ids=["skipped", "repeated", "other"])
def test_an_hour_that_the_clock_skips_or_repeats_happens_once(desk: Desk, day: str) -> None:
    desk.configure(configuration(a_report(schedule="30 2 * * *", to=("lead@example.com",))))
    begin = utc(f"{day} 00:00") - 2 * HOUR
    look(desk, begin)
    for quarter in range(1, 4 * 12):
        desk.clock.at = begin + quarter * HOUR / 4
        ScheduleSource(desk.app).once()
    assert len(desk.outbox()) == 1


def test_two_schedules_and_a_crash_before_the_state_is_kept_send_it_once(desk: Desk) -> None:
    desk.configure(configuration(a_report()))
    look(desk, utc("2026-11-21 05:00"))
    before = desk.app.reports.get("open")
    assert before
    look(desk, utc("2026-11-21 06:01"))
    desk.app.reports.keep(before)
    look(desk, utc("2026-11-21 06:30"))
    assert len(desk.outbox()) == 2


def test_a_new_schedule_begins_now_and_a_report_that_fails_is_named(desk: Desk) -> None:
    desk.configure(configuration(a_report()))
    look(desk, utc("2026-11-21 05:00"))
    desk.configure(configuration(a_report(schedule="30 5 * * *")))
    look(desk, utc("2026-11-21 05:10"))
    assert desk.outbox() == []
    desk.store.update("reports", {"_id": "open"}, {"$set": {"query": [["type", "incident"], ["age", "old"]]}})
    desk.app.directory.renew()
    (shown,) = reports(desk.app)
    assert shown.recipients == ("lead@example.com", "ann@example.com")
    assert shown.next_at == utc("2026-11-22 04:30")


def test_a_query_asks_for_status_age_and_fields(desk: Desk) -> None:
    desk.configure(configuration())
    for number in range(1, 4):
        desk.receive(a_mail(subject=f"Mail {number}"))
        desk.clock.advance(DAY)
    set_values(desk, 1, Status="Closed")
    set_values(desk, 2, Priority="1", Category="VPN")
    assert numbers(desk, status="open") == ["INC3", "INC2"]
    assert numbers(desk, status="closed") == ["INC1"]
    assert numbers(desk, status={"not": "closed"}) == ["INC3", "INC2"]
    assert numbers(desk, status=("Closed", "Logged")) == ["INC3", "INC2", "INC1"]
    assert numbers(desk, age="36h") == ["INC2", "INC1"]
    assert numbers(desk, Priority={"at_most": 1}) == ["INC2"]
    assert numbers(desk, Category=("vpn", "Network")) == ["INC2"]
    assert numbers(desk, Category=None) == ["INC3", "INC1"]


def test_what_strangers_write_adds_no_formula_no_markup_and_no_new_line(desk: Desk) -> None:
    desk.configure(configuration(a_report(columns=("Number", "Subject"))))
    desk.receive(a_mail(subject='=HYPERLINK("http://x","y") <b>印刷</b>'))
    table = report_now(desk.app, "open")
    assert "'=HYPERLINK" in as_csv(table).decode("utf-8-sig")
    assert "&lt;b&gt;印刷" in as_html(table)
    assert len(as_text(table).splitlines()) == 7


def test_the_command_prints_one_and_lists_all(desk: Desk) -> None:
    desk.configure(configuration(a_report(columns=("Number", "Subject"), group_by="Status")))
    desk.receive(a_mail())
    data = str(desk.app.location.data)

    def run(*arguments: str) -> str:
        done = CliRunner().invoke(cli, ["report", *arguments, "--data", data], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    assert "INC1    Printer" in run("open")
    assert run("OPEN", "--csv").splitlines()[1] == "Logged,INC1,Printer"
    found = json.loads(run("open", "--json"))
    assert found["records"] == [{"Number": "INC1", "Subject": "Printer", "Status": "Logged"}]
    assert "0 7 * * *" in run("list")
    assert json.loads(run("--json"))["recipients"] == ["lead@example.com", "ann@example.com"]
    missing = CliRunner().invoke(cli, ["report", "opn", "--data", data])
    assert missing.exit_code != 0
