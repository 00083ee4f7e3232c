"""Old mail is imported: with its true dates, in threads, once, and nobody is notified."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from services.operator.errors import NotAvailable
from services.operator.mail.actions import release
from services.operator.mail.history import HistoryImport, ImportRequest, ImportSummary, import_request
from shared import mail_files
from shared.config.model import CommandPolicy, OAuth, RecordType, Rule
from shared.config.values import Secret
from shared.contracts.errors import Unavailable
from tests.builders import ANNA, a_configuration, a_mail, an_analyst, an_inbox
from tests.desk import NOW, Desk
from tests.servers.microsoft import CLIENT, SUPPORT, TENANT, MicrosoftStub

OLD = "Fri, 01 Mar 2019 08:15:00 +0100"
OLD_AT = datetime(2019, 3, 1, 7, 15, tzinfo=UTC)


def mbox(*mails: bytes, separator: str = "From anna@x Fri Mar  1 08:00:00 2019") -> bytes:
    """The mails as an mbox, with their lines `From ` quoted."""
    quoted = (b"\n".join(b">" + line if _is_from(line) else line for line in mail.split(b"\n")) for mail in mails)
    return b"".join(separator.encode() + b"\n" + mail.rstrip(b"\n") + b"\n\n" for mail in quoted)


def _is_from(line: bytes) -> bool:
    return line.lstrip(b">").startswith(b"From ")


def answer(number: int, to: int, *, day: int = 2, text: str = "", sender: str = ANNA, **headers: str) -> bytes:
    """The mail `number` of a thread, which answers another one; mail 0 answers none."""
    threading = {"In_Reply_To": f"<{to}@x>", "References": f"<{to}@x>"} if number else {}
    at = f"{day:02} Mar 2019 10:00:00 +0000"
    given = {"Message_ID": f"<{number}@x>", "Date": at, **threading, **headers}
    return a_mail(text or f"Text {number}.\n", sender=sender, subject="Re: Printer" if number else "Printer", **given)


Listed = Callable[[str, str], None]


def run_import(desk: Desk, *paths: Path, unreadable: Listed | None = None, **asked: Any) -> ImportSummary:
    """Import files without working on them."""
    wanted = {"since": None, "until": None, "status": None, **asked}
    is_mbox, dry = wanted.pop("is_mbox", None), wanted.pop("dry_run", False)
    request = import_request(desk.app, wanted.pop("inbox", None), **wanted)
    with HistoryImport(desk.app, request, unreadable or (lambda *_: None)) as run:
        for path in paths:
            list(run.collect(path, is_mbox=is_mbox))
        list(run.count() if dry else run.hand_in())
        return run.summary


@pytest.fixture
def box(tmp_path: Path) -> Callable[..., Path]:
    """Writes an mbox and gives its path."""

    def write(*mails: bytes, name: str = "old.mbox") -> Path:
        path = tmp_path / name
        path.write_bytes(mbox(*mails))
        return path

    return write


def texts(desk: Desk) -> list[str]:
    return [activity["text"].strip() for activity in desk.activities(desk.record())]


@pytest.mark.req("VF-01")
def test_a_record_and_its_activities_have_the_dates_of_the_mails(desk: Desk, box: Callable[..., Path]) -> None:
    summary = run_import(desk, box(answer(0, 0, Date=OLD), answer(1, 0)))
    desk.work()
    record = desk.record()
    assert record["created_at"] == OLD_AT
    assert record["updated_at"] == datetime(2019, 3, 2, 10, 0, tzinfo=UTC)
    assert [each["at"] for each in desk.activities(record)] == [OLD_AT, datetime(2019, 3, 2, 10, 0, tzinfo=UTC)]
    assert (summary.imported, summary.threads, summary.first) == (2, 1, OLD_AT)


def test_the_arrival_counts_before_the_date_that_the_sender_wrote(desk: Desk, box: Callable[..., Path]) -> None:
    received = "from a by b; Mon, 04 Mar 2019 09:00:00 +0000"
    run_import(desk, box(answer(0, 0, Date=OLD, Received=received)))
    desk.work()
    assert desk.record()["created_at"] == datetime(2019, 3, 4, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("Fri, 01 Jan 2038 00:00:00 +0000", datetime(2019, 3, 1, 8, 0, tzinfo=UTC)),
        ("Thu, 01 Jan 1970 00:00:00 +0000", datetime(2019, 3, 1, 8, 0, tzinfo=UTC)),
        ("soon", datetime(2019, 3, 1, 8, 0, tzinfo=UTC)),
    ],
)
def test_a_date_that_cannot_be_is_replaced_by_that_of_the_box(
    desk: Desk, box: Callable[..., Path], date: str, expected: datetime
) -> None:
    run_import(desk, box(answer(0, 0, Date=date)))
    desk.work()
    assert desk.record()["created_at"] == expected


def test_without_any_date_a_mail_is_of_today(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "odd.mbox"
    path.write_bytes(b"From nobody 10:00\nFrom: a@x.example\nSubject: Printer\n\nHelp\n")
    run_import(desk, path)
    desk.work()
    assert NOW <= desk.record()["created_at"] < NOW + timedelta(seconds=10)


@pytest.mark.parametrize("seed", range(5))
def test_a_thread_is_one_record_wherever_its_mails_stand(desk: Desk, box: Callable[..., Path], seed: int) -> None:
    mails = [answer(number, number - 1, day=number + 1) for number in range(8)]
    random.Random(seed).shuffle(mails)
    run_import(desk, box(*mails))
    desk.work()
    assert texts(desk) == [f"Text {number}." for number in range(8)]


def test_a_parent_comes_first_even_when_its_date_is_later(desk: Desk, box: Callable[..., Path]) -> None:
    summary = run_import(desk, box(answer(1, 0, day=2), answer(0, 0, Date="09 Mar 2019 10:00:00 +0000")))
    desk.work()
    assert desk.record()["origin"] == next(each["_id"] for each in desk.mails() if each["message_id"] == "<0@x>")
    assert summary.threads == 1


def test_mails_that_answer_each_other_in_a_circle_are_imported(desk: Desk, box: Callable[..., Path]) -> None:
    mails = [answer(1, 2), answer(2, 3), answer(3, 1)]
    assert run_import(desk, box(*mails)).imported == 3
    desk.work()
    assert {mail["outcome"] for mail in desk.mails()} == {"recorded"}


def test_a_closed_record_gets_the_rest_of_its_thread_and_stays_closed(desk: Desk, box: Callable[..., Path]) -> None:
    run_import(desk, box(answer(0, 0), answer(1, 0)), status="closed")
    desk.work()
    assert desk.record()["status"] == "Closed"
    assert texts(desk) == ["Text 0.", "Text 1."]


def test_an_unknown_status_is_refused_with_those_that_there_are(desk: Desk) -> None:
    with pytest.raises(NotAvailable, match="incident has no status 'Gone'; it has Logged, Active"):
        import_request(desk.app, None, since=None, until=None, status="Gone")


@pytest.mark.req("PR-02")
def test_nobody_is_notified_of_an_import(desk: Desk, box: Callable[..., Path]) -> None:
    commands = CommandPolicy(
        reply_on_create=True, reply_on_update=True, notify_customer_on_update=True, notify_handler_on_update=True
    )
    inbox = an_inbox(commands=commands, task_for_every_email=True)
    desk.configure(a_configuration(inbox, an_analyst("tom", name="Tom"), an_analyst("ann")))
    run_import(desk, box(answer(0, 0, sender="tom@example.com"), answer(1, 0, sender="tom@example.com")))
    desk.work()
    assert desk.outbox() == []
    assert desk.records("task") == []
    emitted = [event["body"] for mail in desk.mails() for event in mail["emitted"]]
    assert len(emitted) == sum('"action":"imported"' in body for body in emitted) == 2
    assert desk.record()["updated_by_mail"] is False


@pytest.mark.parametrize("subject", ["[CLOSE#1]", "[MyCalls]", "Re: [Call - INC1] Printer", "Incident#1"])
def test_numbers_and_commands_of_old_mail_say_nothing(desk: Desk, box: Callable[..., Path], subject: str) -> None:
    desk.receive(a_mail(sender=ANNA, subject="Today"))
    today = desk.record()
    run_import(desk, box(a_mail(sender=ANNA, subject=subject, Date=OLD)))
    desk.work()
    assert desk.store.get("records", today["_id"]) == today
    assert len(desk.records("incident")) == 2
    assert desk.outbox() == [] or all(each["mail_id"] == today["origin"] for each in desk.outbox())


def test_a_mail_of_today_joins_the_imported_thread(desk: Desk, box: Callable[..., Path]) -> None:
    run_import(desk, box(answer(0, 0)))
    desk.work()
    desk.receive(answer(1, 0, Date="Fri, 20 Nov 2026 09:00:00 +0000"))
    assert texts(desk) == ["Text 0.", "Text 1."]
    assert desk.record()["updated_at"] > NOW


def test_hundreds_with_one_subject_are_not_taken_for_a_loop(desk: Desk, box: Callable[..., Path]) -> None:
    mails = [a_mail(f"Report {number}\n", subject="Report", Date=OLD) for number in range(520)]
    run_import(desk, box(*mails))
    desk.work()
    assert {mail["outcome"] for mail in desk.mails()} == {"recorded"}
    (live,) = desk.receive(a_mail("Report of today\n", subject="Report"))
    assert live["outcome"] == "recorded"


def test_a_second_run_imports_nothing(desk: Desk, box: Callable[..., Path]) -> None:
    path = box(answer(0, 0), answer(1, 0))
    run_import(desk, path)
    again = run_import(desk, path)  # before any stage has worked
    desk.work()
    assert (again.imported, again.known) == (0, 2)
    assert len(desk.mails()) == 2
    assert run_import(desk, path).known == 2


def test_a_mail_that_came_in_before_is_known_whatever_its_line_ends(desk: Desk, box: Callable[..., Path]) -> None:
    live = answer(0, 0).replace(b"\n", b"\r\n")
    desk.receive(b"Received: from a by b; 20 Nov 2026 09:00:00 +0000\r\n" + live)
    assert run_import(desk, box(answer(0, 0))).known == 1
    desk.work()
    assert len(desk.mails()) == 1


def test_the_same_message_id_with_other_words_is_another_mail(desk: Desk, box: Callable[..., Path]) -> None:
    one, two = (answer(0, 0, text=f"{word}.\n") for word in ("One", "Two"))
    summary = run_import(desk, box(one, two, one))
    assert (summary.imported, summary.copies) == (2, 1)


def test_since_and_until_bound_the_time(desk: Desk, box: Callable[..., Path]) -> None:
    path = box(*(answer(number, 0, day=number + 1) for number in range(4)))
    summary = run_import(desk, path, since=datetime(2019, 3, 2, tzinfo=UTC), until=datetime(2019, 3, 4, tzinfo=UTC))
    assert (summary.imported, summary.outside) == (2, 2)


def test_a_dry_run_counts_and_writes_nothing(desk: Desk, box: Callable[..., Path]) -> None:
    summary = run_import(desk, box(answer(0, 0), answer(1, 0)), dry_run=True)
    desk.work()
    assert (summary.imported, summary.threads, desk.mails()) == (2, 1, [])
    assert list(desk.store.find("ledger", {})) == []


def test_lines_that_begin_with_from_are_read_back(desk: Desk, box: Callable[..., Path]) -> None:
    mail = answer(0, 0, text="From now on\n\nFrom Monday 10:00 it rains.\n>From quoted\n")
    run_import(desk, box(mail, answer(1, 0)))
    desk.work()
    assert desk.app.mails.source(desk.app.mails.get(desk.record()["origin"])) == mail  # type: ignore[arg-type]


def test_a_mail_that_is_too_large_is_listed_and_the_others_are_imported(
    desk: Desk, box: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail_files, "LARGEST", 4000)
    listed: list[tuple[str, str]] = []
    path = box(answer(0, 0), answer(1, 0, text="x" * 60 + "\n" + "y\n" * 4000), answer(2, 0))
    summary = run_import(desk, path, unreadable=lambda *each: listed.append(each))
    assert listed == [(f"{path}#2", "mail-size: larger than 0 MB")]
    assert (summary.found, summary.imported, summary.unreadable) == (3, 2, 1)


def test_a_mail_that_the_parser_refuses_is_kept_and_makes_no_incident(desk: Desk, box: Callable[..., Path]) -> None:
    run_import(desk, box(b"X: y\n" * 20_001 + answer(0, 0)))
    desk.work()
    (mail,) = desk.mails()
    assert (mail["outcome"], desk.records()) == ("dead", [])
    assert len(desk.dead_letters()) == 1


def test_a_rejected_old_mail_stays_old_when_it_is_released(desk: Desk, box: Callable[..., Path]) -> None:
    rule = Rule("no-news", direction="inbound", reason="news", match={"sender": "anna@"})  # type: ignore[arg-type]
    inbox = an_inbox(commands=CommandPolicy(reply_on_create=True))
    desk.configure(a_configuration(inbox, rules=(rule,)))
    run_import(desk, box(answer(0, 0, Date=OLD)))
    desk.work()
    (mail,) = desk.mails()
    assert (mail["outcome"], mail["reason"]) == ("rejected", "news")
    release(desk.app, mail["_id"])
    desk.work()
    assert desk.record()["created_at"] == OLD_AT
    assert desk.outbox() == []


def test_maildirs_are_read_with_the_folders_in_them(desk: Desk, tmp_path: Path) -> None:
    for number, folder in enumerate(("new", "cur", ".Archive/cur", "Sub/new")):
        (tmp_path / "box" / folder).mkdir(parents=True)
        (tmp_path / "box" / folder / f"155{number}.M1.host:2,S").write_bytes(answer(number, 0))
    for folder in ("", ".Archive", "Sub"):
        for part in ("cur", "new", "tmp"):
            (tmp_path / "box" / folder / part).mkdir(exist_ok=True)
            (tmp_path / "box" / folder / "dovecot-uidlist").write_text("3 V1 N5")
        (tmp_path / "box" / folder / "tmp" / "half").write_bytes(b"From: x")
    assert run_import(desk, tmp_path / "box").imported == 4
    desk.work()
    assert sorted(texts(desk)) == [f"Text {number}." for number in range(4)]


@pytest.mark.parametrize("inbox", ["requests", "changes"])
def test_other_types_are_imported_without_their_body_language(desk: Desk, box: Callable[..., Path], inbox: str) -> None:
    types = (RecordType("change", "Change", "ChangeNumber", "CHG"),)
    inboxes = (
        an_inbox("requests", processor="service_request", update_only=True),
        an_inbox("changes", processor="change", record_marker="===", field_separator=":"),
    )
    desk.configure(a_configuration(*inboxes, record_types=types))
    run_import(desk, box(answer(0, 0, text="Status: Closed\n===\nStatus: Open\n")), inbox=inbox)
    desk.work()
    assert desk.record()["type"] == {"requests": "incident", "changes": "change"}[inbox]


def a_request(desk: Desk) -> ImportRequest:
    return import_request(desk.app, None, since=None, until=None, status=None)


def test_the_import_stays_behind_the_mail_of_today(
    desk: Desk, box: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.operator.mail.history.MAX_IN_FLIGHT", 150)
    depths: list[int] = []

    def worked(_: float) -> None:
        depths.append(desk.app.broker.in_flight())
        desk.work()

    path = box(*(answer(number, 0) for number in range(300)))
    with HistoryImport(desk.app, a_request(desk), print, pause=worked) as run:
        list(run.collect(path))
        list(run.hand_in())
    assert depths == [200]
    desk.work()
    assert len(desk.activities(desk.record())) == 300


def test_an_import_that_nobody_works_on_says_so_and_goes_on_later(
    desk: Desk, box: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = count(0.0, 7.0)
    path = box(*(answer(number, 0) for number in range(250)))
    with monkeypatch.context() as patched:
        patched.setattr("services.operator.mail.history.MAX_IN_FLIGHT", 50)
        with HistoryImport(
            desk.app, a_request(desk), print, pause=lambda _: None, monotonic=lambda: next(seconds)
        ) as run:
            list(run.collect(path))
            with pytest.raises(Unavailable, match="no worker takes them: run `postroom up`"):
                list(run.hand_in())
    summary = run_import(desk, path)
    assert (summary.imported, summary.known) == (150, 100)


@pytest.mark.req("VF-01", "PR-02")
def test_a_mailbox_at_microsoft_365_is_imported_and_its_mails_stay_unread(
    desk: Desk, microsoft: MicrosoftStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.operator.mail.history.PORTION_MAILS", 2)
    application = OAuth(
        client_id=CLIENT,
        client_secret=Secret("${GRAPH_SECRET}"),
        tenant_id=TENANT,
        authority=microsoft.url,
        endpoint=microsoft.url,
    )
    inbox = an_inbox("mail", address=SUPPORT, protocol="graph", oauth=application)
    desk.configure(a_configuration(inbox))
    mails = [answer(0, 0, Date=OLD), answer(1, 0), answer(2, 1)]
    microsoft.deliver(*mails)
    request = import_request(desk.app, "mail", since=None, until=None, status=None)
    for imported in (3, 0):
        with HistoryImport(desk.app, request, print) as run:
            list(run.from_mailbox())
            assert run.summary.imported == imported
        desk.work()
    assert (texts(desk), desk.record()["created_at"]) == (["Text 0.", "Text 1.", "Text 2."], OLD_AT)
    assert microsoft.support.in_folder("Inbox") == mails
    assert not any(mail.read for mail in microsoft.support.messages.values())
    assert desk.outbox() == []
