"""What nobody needs any more goes, on both stores; what a message, a mail, a letter or an upload needs stays."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from services.operator.health.conservation import check
from services.operator.health.doctor import Finding, findings, not_swept
from services.operator.mail import actions
from services.pipeline import STAGES
from services.runner import run_all, worker_dependencies
from services.schedule.source import SWEEPS, ScheduleSource
from services.schedule.sweep import STEP
from shared.app import Location
from shared.config.model import Settings
from shared.ids import id_under
from shared.runtime.broker import RFC822, TIERS, Message
from shared.runtime.lease import Leases
from shared.runtime.worker import Worker, close_consumers
from shared.store.journal import JournalEntry
from shared.store.sweeps import EmptyQueues
from tests.builders import a_configuration, a_mail, an_inbox
from tests.conformance.test_documents_blobs import HALF_AN_UPLOAD, MIB, in_a_child, some_bytes
from tests.desk import Desk
from tests.servers.documents import Place
from tests.servers.presence import PATIENCE_SECONDS
from tests.system.test_scaled import store_of

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LARGE_TEXT = "Ten thousand lines of a log.\n" * 10_000
CHILD = """
import os, signal, sys
from pathlib import Path
from services.queues import QUEUES
from services.schedule.source import ScheduleSource
from shared.app import App, Location
from shared.clock import FixedClock
from datetime import datetime
data, store, at, crash_after = sys.argv[1:]
app = App.open(Location(Path(data), store_url=store or None), QUEUES, FixedClock(datetime.fromisoformat(at)))
kind = type(getattr(app.documents, "_store", app.documents))
calls = 0
def dying(method):
    def call(*args):
        global calls
        calls += 1
        if calls > int(crash_after):
            os.kill(os.getpid(), signal.SIGKILL)
        return method(*args)
    return call
for name in ("delete_blob", "delete", "replace"):
    setattr(kind, name, dying(getattr(kind, name)))
ScheduleSource(app).once()
"""
"""Does what is due, and dies before the N-th removal or note of a state."""


@pytest.fixture
def stored_desk(place: Place, tmp_path: Path) -> Iterator[Desk]:
    """A desk on each store, with the embedded broker."""
    made = Desk(_location(place, tmp_path / "data"))
    made.configure(a_configuration(an_inbox()))
    yield made
    made.close()


def _location(place: Place, data: Path) -> Location:
    return Location(data, store_url=store_of(place).get("POSTROOM_STORE_URL"))


def a_large_mail(subject: str = "A log") -> bytes:
    return a_mail(LARGE_TEXT, subject=subject)


def with_large_events(desk: Desk, *raws: bytes) -> int:
    """Let large mails become records, with an event each on every queue, which one process alone does not keep."""
    for mail in desk.receive(*(raws or (a_large_mail(),))):
        for queue in ("filter", "sender-matcher", "record-writer"):
            desk.app.large_events.keep(b'{"a":1}', mail["_id"], queue)
    return large_events(desk)


def pass_time(desk: Desk, *, hours: int, step: int = 4) -> None:
    """Let the schedule work through some time."""
    schedule = ScheduleSource(desk.app)
    for _ in range(0, hours, step):
        desk.clock.advance(step * HOUR)
        schedule.once()


def large_events(desk: Desk) -> int:
    return desk.store.count("large_events", {})


def test_large_events_go_when_their_mail_is_through(stored_desk: Desk) -> None:
    raw = a_large_mail()
    with_large_events(stored_desk, raw)
    (mail,) = stored_desk.mails()
    blobs = [event.id for event in stored_desk.app.large_events.page("", 10)]
    pass_time(stored_desk, hours=20)
    assert large_events(stored_desk) == len(blobs)
    pass_time(stored_desk, hours=20)
    assert large_events(stored_desk) == 0
    assert not any(map(stored_desk.store.has_blob, blobs))
    assert stored_desk.store.get_blob(mail["raw"]) == raw
    assert check(stored_desk.app, patience=0).problems == ()


def in_flight(desk: Desk) -> None:
    desk.store.update("mails", {}, {"$set": {"outcome": None}})


def an_open_letter(desk: Desk) -> None:
    (mail,) = desk.mails()
    desk.app.dead_letters.keep(Message("x", "filter", b"{}"), mail_id=mail["_id"], inbox="support", at=desk.clock.now())


def an_unknown_mail(desk: Desk) -> None:
    desk.store.delete("mails", {})


def a_message_on_its_queue(desk: Desk) -> None:
    desk.app.broker.publish([Message(f"m{n}", to, b"{}") for n, to in enumerate(STAGES) if to != "parser"])


def a_message_that_is_parked(desk: Desk) -> None:
    desk.app.broker.publish([Message("m", "parked", b"{}")])


def a_delayed_message(desk: Desk) -> None:
    desk.app.broker.publish([Message("m", "filter", b"{}")])
    consumer = desk.app.broker.consumer("filter", 1)
    for delivery in consumer.take(5):
        consumer.wait(delivery, TIERS[-1])  # longer than this test takes
    consumer.flush()


@pytest.mark.parametrize(
    "needed",
    [in_flight, an_open_letter, an_unknown_mail, a_message_on_its_queue, a_message_that_is_parked, a_delayed_message],
)
def test_large_events_stay_while_something_may_need_them(desk: Desk, needed: Callable[[Desk], None]) -> None:
    count = with_large_events(desk)
    needed(desk)
    pass_time(desk, hours=24 * 10)
    assert large_events(desk) == count
    assert all(desk.store.has_blob(event.id) for event in desk.app.large_events.page("", 10))


def test_a_replayed_letter_needs_its_event_until_its_queue_was_empty_again(desk: Desk) -> None:
    count = with_large_events(desk)
    an_open_letter(desk)
    pass_time(desk, hours=48)
    (letter,) = desk.dead_letters()
    desk.app.dead_letters.close(letter["_id"], "replayed", at=desk.clock.now(), by="ann")
    pass_time(desk, hours=1, step=1)
    assert large_events(desk) == count
    pass_time(desk, hours=12)
    assert large_events(desk) == 0


def test_a_message_that_waits_for_weeks_finds_its_event(desk: Desk) -> None:
    desk.hand_in(a_large_mail())
    parser = Worker(STAGES["parser"](desk.app), worker_dependencies(desk.app))
    parser.step(timeout=1)
    parser.step(timeout=0)
    close_consumers([parser.consumer])
    pass_time(desk, hours=24 * 21, step=12)
    desk.work()
    assert desk.record()["subject"] == "A log"
    assert desk.dead_letters() == []


def test_a_released_mail_has_an_event_of_its_own(desk: Desk) -> None:
    desk.configure(a_configuration(an_inbox(), settings=Settings(max_subject_length=4)))
    (mail,) = desk.receive(a_large_mail())
    pass_time(desk, hours=40)
    actions.release(desk.app, mail["_id"])
    pass_time(desk, hours=40)
    assert large_events(desk) == 1
    desk.work()
    assert desk.mails()[0]["outcome"] == "recorded"


def test_the_blob_of_a_large_event_can_be_nobody_elses(desk: Desk) -> None:
    """An attachment with the same JSON is another blob: a random member of the object comes first."""
    keep = desk.app.large_events.keep
    first, second = (keep(b'{"a":1}', "m", "filter") for _ in range(2))
    assert first != second
    assert desk.store.get_blob(first).endswith(b',"a":1}')


def an_entry(mail_id: str, desk: Desk, number: int = 0) -> JournalEntry:
    return JournalEntry(id_under(mail_id, str(number)), mail_id, "filter", desk.clock.now(), "done", "")


def test_old_entries_of_the_journal_go(stored_desk: Desk) -> None:
    stored_desk.configure(a_configuration(an_inbox(), settings=Settings(keep_journal=30 * DAY)))
    (old,) = stored_desk.receive(a_mail())
    stored_desk.clock.advance(31 * DAY)
    (new,) = stored_desk.receive(a_mail(subject="another"))
    ScheduleSource(stored_desk.app).once()
    assert stored_desk.app.journal.of_mail(old["_id"]) == []
    assert len(stored_desk.app.journal.of_mail(new["_id"])) == 4
    assert check(stored_desk.app, patience=0).problems == ()


def test_a_young_desk_reads_no_journal(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can be older than its first mail."""
    desk.receive(a_mail())
    desk.clock.advance(89 * DAY)
    monkeypatch.setattr(type(desk.app.journal), "page", lambda *_: pytest.fail("the journal was read"))
    state = SWEEPS["journal"](desk.app).step(desk.app.sweeps, desk.clock.now())
    assert state.after == ""
    assert state.ended_at is not None
    monkeypatch.undo()
    desk.clock.advance(2 * DAY)
    assert SWEEPS["journal"](desk.app).step(desk.app.sweeps, desk.clock.now()).last_removed == 4


@pytest.mark.parametrize("needed", [in_flight, an_open_letter])
def test_the_journal_of_a_mail_that_a_person_looks_for_stays(desk: Desk, needed: Callable[[Desk], None]) -> None:
    (mail,) = desk.receive(a_mail())
    needed(desk)
    desk.clock.advance(400 * DAY)
    ScheduleSource(desk.app).once()
    assert len(desk.app.journal.of_mail(mail["_id"])) == 4


def test_a_step_is_bounded_and_a_pass_goes_on_where_it_was(desk: Desk) -> None:
    desk.app.journal.add([an_entry("gone", desk, number) for number in range(2 * STEP + 7)])
    desk.clock.advance(91 * DAY)
    sweep, left = SWEEPS["journal"](desk.app), []
    for _ in range(3):
        state = sweep.step(desk.app.sweeps, desk.clock.now())
        left.append(desk.store.count("journal", {}))
    assert left == [STEP + 7, 7, 0]
    assert (state.after, state.removed, state.last_removed) == ("", 2 * STEP + 7, 2 * STEP + 7)
    assert not sweep.is_due(state, desk.clock.now())
    assert sweep.is_due(state, desk.clock.now() + DAY)


def test_one_process_at_a_time_sweeps(desk: Desk) -> None:
    desk.app.journal.add([an_entry("gone", desk)])
    desk.clock.advance(91 * DAY)
    with Leases(desk.store).acquire("schedule") or pytest.fail("it is free"):
        ScheduleSource(desk.app).once()
        assert desk.store.count("journal", {}) == 1
    ScheduleSource(desk.app).once()
    assert desk.store.count("journal", {}) == 0


@pytest.mark.parametrize("calls", [0, 1, 2, 4, 6, 8, 9, 10])
def test_a_crash_in_the_middle_is_harmless(stored_desk: Desk, calls: int) -> None:
    with_large_events(stored_desk, a_large_mail(), a_large_mail("Another log"))
    raws = [mail["raw"] for mail in stored_desk.mails()]
    stored_desk.clock.advance(100 * DAY)
    now = stored_desk.clock.now()
    stored_desk.app.sweeps.keep_queues(EmptyQueues(settled=dict.fromkeys(STAGES, now)))
    data, store = stored_desk.app.location.data, stored_desk.app.location.store_url or ""
    argv = [sys.executable, "-c", CHILD, str(data), store, now.isoformat(), str(calls)]
    killed = subprocess.run(argv, check=False, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    pass_time(stored_desk, hours=48, step=24)
    assert (large_events(stored_desk), stored_desk.store.count("journal", {})) == (0, 0)
    assert all(map(stored_desk.store.has_blob, raws))
    assert check(stored_desk.app, patience=0).problems == ()


def test_workers_go_on_beside_the_schedule(desk: Desk) -> None:
    """Everything that `up` runs, with a schedule that removes whatever it may, and mails that come meanwhile."""
    desk.receive(a_mail())
    desk.app.journal.add([an_entry("gone", desk, number) for number in range(2000)])
    desk.clock.advance(91 * DAY)
    stop = threading.Event()
    up = threading.Thread(target=run_all, args=(desk.app, stop))
    up.start()
    try:
        for number in range(20):
            desk.hand_in(a_large_mail(f"Log {number}"))
        assert desk.app.broker.join(PATIENCE_SECONDS)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while desk.store.count("journal", {"mail_id": "gone"}):
            assert time.monotonic() < deadline, "old entries are left"
            time.sleep(0.05)
    finally:
        stop.set()
        up.join()
    assert len(desk.records()) == 21
    assert check(desk.app, patience=0).problems == ()


def test_an_upload_that_was_killed_is_removed_a_day_later(stored_desk: Desk, place: Place) -> None:
    """The embedded store has nothing to remove: there an upload is one transaction."""
    whole = stored_desk.store.put_blob(some_bytes(5 * MIB))
    with in_a_child(HALF_AN_UPLOAD, place) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"half\n"
        child.kill()
    left = 1 if place.kind == "mongodb" else 0
    ScheduleSource(stored_desk.app).once()
    assert len(stored_desk.store.unfinished_uploads("", STEP)[0]) == left
    stored_desk.clock.advance(DAY + HOUR)
    assert sum(finding.status == "ok" and "1 of the first" in finding.what for finding in swept(stored_desk)) == left
    ScheduleSource(stored_desk.app).once()
    assert list(stored_desk.store.unfinished_uploads("", STEP)[0]) == []
    assert stored_desk.store.get_blob(whole) == some_bytes(5 * MIB)


class Interrupted(bytes):
    """Bytes that an upload takes piece by piece; in the middle something happens, once."""

    happens: Callable[[], None] | None = None

    def __getitem__(self, part: Any) -> Any:
        if part.start >= 5 * MIB and (happens := self.happens):
            self.happens = None
            happens()
        return super().__getitem__(part)


def test_an_upload_in_progress_is_protected(stored_desk: Desk, place: Place) -> None:
    content = some_bytes(10 * MIB)
    if place.kind == "mongodb":  # the embedded store lets nobody else write meanwhile
        interrupted = Interrupted(content)
        interrupted.happens = lambda: pass_time(stored_desk, hours=24, step=6)
        key = stored_desk.store.put_blob(interrupted)
        assert stored_desk.store.get_blob(key) == content
    pass_time(stored_desk, hours=24 * 20, step=24)
    assert stored_desk.store.get_blob(stored_desk.store.put_blob(content)) == content
    assert stored_desk.store.count("unfinished_uploads", {}) == 0


def swept(desk: Desk) -> list[Finding]:
    return [finding for finding in findings(desk.app) if finding.check == "sweeps"]


def test_nothing_is_read_of_what_somebody_sweeps(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The overview of the console asks whenever a page looks again."""
    desk.app.journal.add([an_entry("gone", desk, 1)])
    ScheduleSource(desk.app).once()
    desk.clock.advance(2 * DAY)
    monkeypatch.setattr(type(desk.app.journal), "page", lambda *_: pytest.fail("the journal was read"))
    assert list(not_swept(desk.app)) == []
    monkeypatch.undo()
    desk.configure(a_configuration(an_inbox(), settings=Settings(keep_journal=DAY)))
    desk.clock.advance(2 * DAY)
    assert [each.name for each in not_swept(desk.app)] == ["not-swept"]


def test_the_doctor_says_what_is_due_and_what_was_swept(desk: Desk) -> None:
    assert swept(desk) == []
    desk.app.journal.add([an_entry("gone", desk, number) for number in range(3)])
    desk.clock.advance(91 * DAY)
    what = "journal entries: not swept yet; 3 of the first 500 journal entries may go"
    assert swept(desk) == [Finding("sweeps", "note", what, "postroom up, or postroom worker schedule", "not-swept")]
    ScheduleSource(desk.app).once()
    desk.clock.advance(HOUR)
    assert [finding.what for finding in swept(desk) if finding.status == "ok"] == [
        "journal entries: swept 60 min ago, 3 removed then",
        "large events: swept 60 min ago, 0 removed then",
        "notes of what the clock caused: swept 60 min ago, 0 removed then",
        "unfinished uploads: swept 60 min ago, 0 removed then",
    ]


def test_mail_that_is_handed_in_again_after_the_sweep_is_a_duplicate(desk: Desk) -> None:
    raw = a_large_mail()
    desk.receive(raw)
    pass_time(desk, hours=40)
    desk.app.broker.publish([Message("again", "intake", raw, "", RFC822, headers={"inbox": "support"})])
    desk.work()
    assert len(desk.records()) == 1
    assert check(desk.app, patience=0).problems == ()
