"""Actions on many things: the number, progress, what fails, a crash in the middle, twice."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.operator.errors import NotAvailable
from services.operator.mail import actions, jobs
from services.operator.mail.job_source import JobSource
from services.operator.mail.jobs import CHUNK, Chosen, JobRun, NewJob, NumberDiffers
from services.operator.mail.mail_list import MailSearch, all_that_match, find_mails
from services.operator.paging import Page
from shared.app import Location
from shared.contracts.errors import Unavailable
from shared.store.jobs import StoredJob
from shared.store.mails import MailQuery
from tests.builders import a_mail
from tests.desk import Desk

REJECTED = Chosen(mails=MailQuery(outcome="rejected"))


def a_job(desk: Desk, chosen: Chosen = REJECTED, **stated: object) -> StoredJob:
    """A release of what is chosen."""
    new = NewJob(verb="release", chosen=chosen, by="kim", token="t")
    return jobs.make_job(desk.app, replace(new, **stated))  # type: ignore[arg-type]


def out_of_office(desk: Desk, count: int) -> None:
    """Mails that a rule rejects."""
    desk.receive(*(a_mail(subject=f"Out of office {number}") for number in range(count)))


def outcomes(desk: Desk) -> list[str | None]:
    """Of all mails."""
    return [each["outcome"] for each in desk.mails()]


@pytest.mark.req("PR-01")
def test_all_rejected_mails_are_released_by_one_job(desk: Desk) -> None:
    out_of_office(desk, 3)
    desk.receive(a_mail(subject="Printer"))
    job = a_job(desk, reason="holidays are over")
    assert (job.total, job.state) == (3, "running")
    JobSource(desk.app).once()
    desk.work()
    assert outcomes(desk) == ["recorded"] * 4
    view = jobs.view_job(desk.app, jobs.find_job(desk.app, job.id))
    assert view.sentence == "finished: released 3 of 3 mails"
    assert "by kim: holidays are over" in desk.app.journal.of_mail(desk.mails()[0]["_id"])[2].why


def test_mail_that_is_rejected_after_the_job_was_made_is_not_touched(desk: Desk) -> None:
    out_of_office(desk, 1)
    a_job(desk)
    desk.receive(a_mail(subject="Out of office later"))
    JobSource(desk.app).once()
    desk.work()
    assert sorted(map(str, outcomes(desk))) == ["recorded", "rejected"]


def test_what_fails_is_listed_and_the_rest_is_done(desk: Desk) -> None:
    out_of_office(desk, 2)
    (fine,) = desk.receive(a_mail(subject="Printer"))
    ids = tuple(each["_id"] for each in desk.mails())
    job = a_job(desk, Chosen(ids=ids))
    JobSource(desk.app).once()
    (failed,) = desk.app.jobs.failures(job.id, 10)
    assert (failed.thing, failed.why) == (fine["_id"], "the mail is recorded; only a rejected mail can be released")
    assert jobs.view_job(desk.app, jobs.find_job(desk.app, job.id)).sentence == (
        "finished: released 2 of 3 mails; 1 could not be released"
    )


def test_a_job_goes_on_after_a_crash_and_has_its_effect_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process ends after some mails were released and before that was noted."""
    out_of_office(desk, CHUNK + 5)
    job, release, calls = a_job(desk), actions.release, list[str]()

    def killed(app: object, mail_id: str, **how: object) -> None:
        calls.append(mail_id)
        if len(calls) == CHUNK + 3:
            raise Unavailable("killed")
        release(app, mail_id, **how)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(actions, "release", killed)
        run = JobRun(desk.app)
        run.step()
        with pytest.raises(Unavailable):
            run.step()
    assert jobs.find_job(desk.app, job.id).done == CHUNK
    desk.work()
    JobSource(desk.app).once()
    desk.work()
    assert outcomes(desk) == ["recorded"] * (CHUNK + 5)
    assert len(desk.records()) == CHUNK + 5
    assert jobs.view_job(desk.app, jobs.find_job(desk.app, job.id)).failed == 0


def test_asking_twice_is_one_job(desk: Desk) -> None:
    out_of_office(desk, 2)
    assert a_job(desk) == a_job(desk)
    JobSource(desk.app).once()
    assert a_job(desk).state == "done"
    assert len(list(desk.app.jobs.recent(0))) == 1


def test_a_job_states_its_times_as_people_write_them() -> None:
    query = MailQuery(outcome="rejected", before=datetime(2026, 11, 28, 11, 9, 45, 605_000, tzinfo=UTC))
    assert Chosen(mails=query).in_words() == "outcome rejected, before 2026-11-28 11:09:45 UTC"


def test_many_things_need_their_number(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "MANY", 2)
    out_of_office(desk, 3)
    assert str(NumberDiffers(1, "mail")) == "this is 1 mail now; state this number to go on"
    with pytest.raises(NumberDiffers, match="these are 3 mails now; state this number"):
        a_job(desk)
    with pytest.raises(NumberDiffers):
        a_job(desk, number=2)
    assert a_job(desk, number=3).total == 3


def test_only_allowed_inboxes_are_acted_on(desk: Desk) -> None:
    out_of_office(desk, 1)
    with pytest.raises(NotAvailable, match="no mail matches"):
        a_job(desk, replace(REJECTED, inboxes=("sales",)))
    (mail,) = desk.mails()
    with pytest.raises(NotAvailable, match="no mail matches"):
        a_job(desk, Chosen(ids=(mail["_id"],), inboxes=("sales",)))


def test_all_that_match_are_those_that_the_list_shows(desk: Desk) -> None:
    """An id or the number of a record names mails; other mails that have it as a word are not meant."""
    (first,) = desk.receive(a_mail(subject="Printer"))
    desk.receive(a_mail(subject="About INC1"), a_mail(subject=f"About {first['_id']}"))
    for text in ("INC1", first["_id"], first["message_id"], "About", "about inc1", " "):
        search = MailSearch(text=text)
        shown = {each.id for each in find_mails(desk.app, search, Page(50, 0)).page.things}
        assert {each.id for each in all_that_match(desk.app, search)} == shown, text
        job = a_job(desk, Chosen(text=text), token=text)
        assert job.total == len(shown), text
    assert a_job(desk, Chosen(text="INC1"), token="INC1").total == 1


def test_a_job_keeps_to_its_rate(desk: Desk) -> None:
    out_of_office(desk, 5)
    a_job(desk, per_minute=120)
    now = 0.0
    run = JobRun(desk.app, monotonic=lambda: now)
    assert run.step() == 1.0
    assert outcomes(desk).count("rejected") == 3
    assert run.step() == 1.0
    assert outcomes(desk).count("rejected") == 3
    now = 1.0
    run.step()
    assert outcomes(desk).count("rejected") == 1


def test_a_stopped_job_does_no_more(desk: Desk) -> None:
    out_of_office(desk, 2)
    job = a_job(desk)
    jobs.stop_job(desk.app, job, by="kim")
    JobSource(desk.app).once()
    assert outcomes(desk) == ["rejected"] * 2
    with pytest.raises(NotAvailable, match="has ended already"):
        jobs.stop_job(desk.app, job, by="kim")


@pytest.mark.req("PR-12")
@pytest.mark.parametrize(("verb", "state"), [("replay", "replayed"), ("discard", "discarded")])
@pytest.mark.parametrize("kind", ["mails", "letters"])
def test_dead_letters_are_replayed_and_discarded_by_a_job(desk: Desk, verb: str, state: str, kind: str) -> None:
    desk.receive(a_mail(), inbox="nobody")
    chosen = Chosen(kind=kind, mails=MailQuery(outcome="dead"))  # type: ignore[arg-type]
    job = a_job(desk, chosen, verb=verb)
    JobSource(desk.app).once()
    (letter,) = desk.dead_letters()
    assert (letter["state"], letter["moved_by"]) == (state, "kim")
    assert jobs.view_job(desk.app, jobs.find_job(desk.app, job.id)).failed == 0


@pytest.mark.req("PR-15")
def test_a_killed_process_loses_no_place_and_doubles_nothing(tmp_path: Path) -> None:
    """A process is killed in the middle of a job, and another goes on with it."""
    location = Location(tmp_path / "data")
    desk, count = Desk(location), 4 * CHUNK
    out_of_office(desk, count)
    job = a_job(desk)
    code = f"""
from pathlib import Path
from services.operator.mail.jobs import JobRun
from services.queues import QUEUES
from shared.app import App, Location
run = JobRun(App.open(Location(Path({str(location.data)!r})), QUEUES))
while run.step() is not None:
    print("step", flush=True)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"step\n"
        child.kill()
    assert jobs.find_job(desk.app, job.id).done >= CHUNK
    JobSource(desk.app).once()
    desk.work()
    view = jobs.view_job(desk.app, jobs.find_job(desk.app, job.id))
    assert (view.job.state, view.job.done, view.failed) == ("done", count, 0)
    assert outcomes(desk) == ["recorded"] * count
    assert len(desk.records()) == count
    desk.close()
