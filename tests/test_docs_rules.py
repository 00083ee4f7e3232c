"""The examples of docs/rules.md: each is configured as it stands, and does what the page says."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.operator.service_desk import manual_edits
from services.operator.service_desk.manual_edits import NewRecord
from services.operator.service_desk.reports import report_now
from services.schedule.report_text import as_text
from services.schedule.source import ScheduleSource
from shared.config.reading import load_bytes
from tests.builders import a_mail
from tests.desk import Desk

PAGE = Path(__file__).parents[1] / "docs" / "rules.md"
HEAD = """
inboxes: [{name: support, address: support@example.com, owner_team: Service Desk}]
people: [{id: ann, name: Ann, addresses: [ann@example.com], roles: [analyst], teams: [Service Desk]}]
"""


def examples() -> dict[str, tuple[str, str]]:
    """Heading → its configuration, and what comes of it."""
    found = re.findall(r"^### ([^\n]+)\n(.*?)(?=^##|\Z)", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    blocks = {heading: re.findall(r"```(?:yaml|text)\n(.*?)```", body, re.DOTALL) for heading, body in found}
    return {heading: (found[0], found[1]) for heading, found in blocks.items() if len(found) == 2}


def activities(desk: Desk, kind: str) -> Iterator[str]:
    for record in desk.records():
        yield from (each["text"] for each in desk.activities(record) if each["kind"] == kind)


def urgent(desk: Desk) -> Iterator[str]:
    desk.receive(a_mail(subject="Outage in Berlin"))
    yield from activities(desk, "rule")


def assigned(desk: Desk) -> Iterator[str]:
    desk.receive(a_mail())
    type_ = desk.app.directory.type_named("incident")
    assert type_
    manual_edits.change(desk.app, type_, desk.record()["_id"], [("Owner", "ann")])
    yield from activities(desk, "rule")


def closed(desk: Desk) -> Iterator[str]:
    desk.receive(a_mail(subject="[ad] Buy"))
    yield from activities(desk, "rule")


def late(desk: Desk) -> Iterator[str]:
    desk.clock.at = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
    desk.receive(a_mail())
    for at in (datetime(2026, 11, 23, 8, 45, tzinfo=UTC), datetime(2026, 11, 23, 11, 0, tzinfo=UTC)):
        desk.clock.at = at
        ScheduleSource(desk.app).once()
        desk.work()
    for each in desk.activities(desk.record()):
        if each["kind"] in ("service-level", "rule"):
            yield each["text"]


def reminded(desk: Desk) -> Iterator[str]:
    desk.clock.at = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
    change, approval = (desk.app.directory.type_named(name) for name in ("change", "approval"))
    assert change
    assert approval
    above = manual_edits.create(desk.app, change, NewRecord("Network"))
    manual_edits.create(desk.app, approval, NewRecord("New firewall", parent=above, values=(("Owner", "ann"),)))
    for day in range(21, 26):
        desk.clock.at = datetime(2026, 11, day, 15, 1, tzinfo=UTC)
        before = len(desk.outbox())
        ScheduleSource(desk.app).once()
        desk.work()
        yield from (f"2026-11-{day} {each['subject']}" for each in desk.outbox()[before:] if each["kind"] == "rule")


def open_by_team(desk: Desk) -> Iterator[str]:
    desk.receive(a_mail())
    desk.clock.advance(timedelta(hours=1))
    desk.receive(a_mail(subject="Scanner"))
    yield as_text(report_now(desk.app, "open-by-team")).strip()


RUN: dict[str, Callable[[Desk], Iterator[str]]] = {
    "Mark mail by its words": urgent,
    "Tell the new owner": assigned,
    "Stop, and what rules cause": closed,
    "Escalate what is late": late,
    "Remind the approver": reminded,
    "Open incidents by team, each working day": open_by_team,
}


def test_every_example_is_run() -> None:
    assert examples().keys() == RUN.keys()


@pytest.mark.req("TI-35", "VF-18")
@pytest.mark.parametrize("heading", RUN)
def test_an_example_does_what_the_page_says(heading: str, desk: Desk) -> None:
    text, expected = examples()[heading]
    desk.configure(load_bytes((HEAD + text).encode()))
    assert "".join(f"{line}\n" for line in RUN[heading](desk)) == expected
