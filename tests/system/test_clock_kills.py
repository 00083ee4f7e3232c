"""What the clock causes under kill -9: wherever the process dies, it happens once."""

from __future__ import annotations

import signal
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.operator.health.conservation import check
from shared.app import Location
from shared.config.model import BusinessRule, MailTemplate, Notify, Report, Sla
from tests.builders import a_configuration, a_mail, an_analyst, an_inbox
from tests.desk import Desk
from tests.harness.bench import Bench
from tests.harness.child import Job
from tests.servers.documents import Place
from tests.services.schedule.test_canaries import hand_in_a_probe, watched_desk
from tests.system.test_scaled import store_of

KILLED_AT = (
    "worker.taken",
    "writer.committed",
    "writer.carried-out",
    "writer.outcome",
    "store.phase",
    "worker.settled",
)
RULE = BusinessRule("late", ("sla.breached",), {}, Notify(("team:Desk",), "late"), {"Priority": 1, "Status": "Active"})
CONFIGURATION = a_configuration(
    an_inbox(),
    an_analyst("ann", teams=("Desk",)),
    an_analyst("bob", teams=("Desk",)),
    slas=(Sla("gold", "incident", {}, respond=timedelta(hours=1)),),
    business_rules=(RULE,),
    mail_templates=(MailTemplate("late", "{number} is late", "{due}"),),
)


def start(bench: Bench, place: Place, data: Path, at: datetime, **environment: str) -> int:
    """A process that does what is due; its id."""
    store, log = store_of(place).get("POSTROOM_STORE_URL"), data.with_name("log")
    return bench.fork_server.start(
        Job(str(data), str(log), store_url=store, until="done", at=at.isoformat(), environ=environment)
    )


def child(bench: Bench, place: Place, data: Path, at: datetime, **environment: str) -> int | None:
    """The same, until it ends; its exit code."""
    return bench.fork_server.wait(start(bench, place, data, at, **environment), 120)


@pytest.mark.parametrize("place", ["embedded", pytest.param("mongodb", marks=pytest.mark.slow)], indirect=True)
def test_wherever_the_process_dies_everything_happens_once(bench: Bench, place: Place, tmp_path: Path) -> None:
    data, listing = tmp_path / "data", tmp_path / "steps"
    desk = Desk(Location(data, store_url=store_of(place).get("POSTROOM_STORE_URL")))
    desk.configure(CONFIGURATION)
    desk.receive(a_mail(subject="clean"))
    desk.clock.advance(timedelta(hours=2))
    assert child(bench, place, data, desk.clock.now(), POSTROOM_STEPS=str(listing)) == 0
    passed = Counter(listing.read_text().split())
    assert {"writer.committed", "writer.carried-out", "writer.outcome"} <= passed.keys()
    boundaries = [(name, number) for name in KILLED_AT if name in passed for number in sorted({1, passed[name]})]
    for name, number in boundaries:
        desk.receive(a_mail(subject=f"killed at {name} {number}"))
        desk.clock.advance(timedelta(hours=2))
        killed = child(bench, place, data, desk.clock.now(), POSTROOM_CRASH_AT=f"{name}:{number}")
        assert killed == -signal.SIGKILL, name
        desk.clock.advance(timedelta(minutes=15))
        for _ in range(2):
            assert child(bench, place, data, desk.clock.now()) == 0
    clean, *others = [_what_happened(desk, record["_id"]) for record in desk.records("incident")]
    assert len(others) == len(boundaries)
    assert clean[1] == ["ann@example.com", "bob@example.com"]
    assert [each for each in others if each != clean] == []
    assert desk.dead_letters() == []
    desk.close()


def _what_happened(desk: Desk, record_id: str) -> tuple[list[str], list[str], object]:
    """Activities without the times of day, recipients of mail, and the state of the record."""
    record = desk.app.records.get(record_id)
    assert record
    assert record.service
    activities = [each.kind for each in desk.app.records.activities(record_id, 100)]
    mails = [mail["to"][0] for mail in desk.store.find("outbox", {}) if mail["record_id"] == record_id]
    return activities, sorted(mails), (record.status, dict(record.fields), record.service.fired, record.pending)


@pytest.mark.req("TI-33", "TI-35")
def test_rules_of_a_target_act_once_however_often_it_is_said(bench: Bench, place: Place, tmp_path: Path) -> None:
    """Two processes at once on one store and one queue."""
    store = store_of(place).get("POSTROOM_STORE_URL")
    desk = Desk(Location(tmp_path / "data", store_url=store))
    desk.configure(CONFIGURATION)
    desk.receive(a_mail())
    at = desk.clock.now() + timedelta(hours=2)
    running = [start(bench, place, tmp_path / "data", at) for _ in range(2)]
    assert [bench.fork_server.wait(each, 120) for each in running] == [0, 0]
    activities, mails, _ = _what_happened(desk, desk.record("incident")["_id"])
    assert Counter(activities)["service-level"] == 1
    assert mails == ["ann@example.com", "bob@example.com"]
    desk.close()


@pytest.mark.req("TI-34")
def test_a_report_is_sent_once_although_the_process_dies_between_two_mailboxes(
    bench: Bench, place: Place, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    desk = Desk(Location(data, store_url=store_of(place).get("POSTROOM_STORE_URL")))
    report = Report("open", "0 7 * * *", {"type": "incident"}, to=("lead@example.com", "team:Desk"))
    desk.configure(replace(CONFIGURATION, slas=(), business_rules=(), reports=(report,)))
    watched, due = datetime(2026, 11, 21, 6, 0, tzinfo=UTC), datetime(2026, 11, 21, 7, 1, tzinfo=UTC)
    assert child(bench, place, data, watched) == 0
    for number in (1, 2):
        assert child(bench, place, data, due, POSTROOM_CRASH_AT=f"writer.carried-out:{number}") == -signal.SIGKILL
    for later in range(2):
        assert child(bench, place, data, due + timedelta(minutes=later)) == 0
    assert sorted(mail["to"][0] for mail in desk.outbox()) == ["ann@example.com", "bob@example.com", "lead@example.com"]
    desk.close()


@pytest.mark.req("PR-14")
@pytest.mark.parametrize("place", ["embedded", pytest.param("mongodb", marks=pytest.mark.slow)], indirect=True)
def test_a_probe_is_queued_once_although_the_process_dies_before_it_is_noted(
    bench: Bench, place: Place, tmp_path: Path
) -> None:
    data, desk = tmp_path / "data", watched_desk(place, tmp_path)
    assert child(bench, place, data, desk.clock.now(), POSTROOM_CRASH_AT="writer.carried-out:1") == -signal.SIGKILL
    assert child(bench, place, data, desk.clock.now()) == 0
    (probe,) = desk.outbox()
    state = desk.app.canaries.get("support")
    assert state
    assert (state.probe, probe["state"]) == (probe["_id"], "waiting")
    assert check(desk.app).problems == ()
    desk.close()


@pytest.mark.req("PR-14")
@pytest.mark.slow
def test_a_probe_counts_once_wherever_the_process_dies(bench: Bench, place: Place, tmp_path: Path) -> None:
    data, listing, desk = tmp_path / "data", tmp_path / "steps", watched_desk(place, tmp_path)
    hand_in_a_probe(desk)
    assert child(bench, place, data, desk.clock.now(), POSTROOM_STEPS=str(listing)) == 0
    passed = Counter(listing.read_text().split())
    boundaries = [(name, number) for name in KILLED_AT if name in passed for number in sorted({1, passed[name]})]
    for name, number in boundaries:
        desk.clock.advance(timedelta(minutes=10))
        probe = hand_in_a_probe(desk)
        killed = child(bench, place, data, desk.clock.now(), POSTROOM_CRASH_AT=f"{name}:{number}")
        assert killed == -signal.SIGKILL, name
        for _ in range(2):
            assert child(bench, place, data, desk.clock.now()) == 0
        state = desk.app.canaries.get("support")
        assert state
        assert (state.back, state.is_open) == (probe, False), (name, number)
    ended = {(mail["outcome"], mail["rule"], mail["reason"]) for mail in desk.mails()}
    assert ended == {("rejected", "canary", "a probe of the canary of this inbox, back after 0 seconds")}
    assert (len(desk.mails()), desk.records(), desk.dead_letters()) == (len(boundaries) + 1, [], [])
    desk.close()
