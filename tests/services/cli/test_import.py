"""`postroom import`, as a person runs it: killed and run again, from a mailbox of a real server, with its summary."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from services.queues import QUEUES
from shared.app import App, Location
from tests.builders import a_mail
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.services.cli.conftest import Run

Write = Callable[[str, str | bytes], Path]
MAILS = 250


def old(number: int, *, crlf: bool = False) -> bytes:
    """The mail `number`, which answers the one before in its thread of five."""
    after = {"In_Reply_To": f"<{number - 1}@x>"} if number % 5 else {}
    at = f"01 Mar 2019 10:{number // 60:02}:{number % 60:02} +0000"
    mail = a_mail(f"Text {number}.\n", Message_ID=f"<{number}@x>", Date=at, **after)
    return mail.replace(b"\n", b"\r\n") if crlf else mail


def box_of(numbers: range) -> bytes:
    return b"".join(b"From a@x Fri Mar  1 10:00:00 2019\n" + old(number) + b"\n" for number in numbers)


@pytest.fixture
def app(data: Path) -> Iterator[App]:
    opened = App.open(Location(data), QUEUES)
    yield opened
    opened.close()


@pytest.mark.req("PR-15", "VF-01")
@pytest.mark.parametrize("crash", ["intake.stored:2", "intake.published:2", "intake.counted:1", "intake.counted:3"])
def test_killed_in_the_middle_a_second_run_goes_on_and_each_mail_is_there_once(
    run: Run, write: Write, data: Path, app: App, crash: str
) -> None:
    box = write("old.mbox", box_of(range(MAILS)))
    command = [sys.executable, "-m", "services.cli.main", "import", str(box), "--data", str(data)]
    environment = os.environ | {"POSTROOM_CRASH_AT": crash, "PYTHONPATH": str(Path(__file__).parents[3])}
    killed = subprocess.run(command, env=environment, capture_output=True, timeout=120, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    again = run("import", box, "--json").line
    assert again["imported"] + again["known"] == MAILS
    assert again["known"] == {"intake.counted:1": 0, "intake.counted:3": 200}.get(crash, 100)
    assert run("up", "--once").code == 0
    raws = [mail.raw for mail in app.mails.with_ids(each["_id"] for each in app.documents.find("mails", {}))]
    assert sorted(raws) == sorted(hashlib.sha256(old(number)).hexdigest() for number in range(MAILS))
    records = list(app.records.list(1000))
    assert len(records) == MAILS / 5
    assert {app.records.count_activities(record.id) for record in records} == {5}


def test_the_summary_is_one_object(run: Run, write: Write) -> None:
    box = write("old.mbox", box_of(range(10)))
    done = run("import", box, "--dry-run", "--since", "2019-03-01T10:00:05", "--json")
    assert done.line == {
        "inbox": "support",
        "found": 10,
        "imported": 5,
        "known": 0,
        "copies": 0,
        "outside": 5,
        "unreadable": 0,
        "threads": 1,
        "first": "2019-03-01T10:00:05.000Z",
        "last": "2019-03-01T10:00:09.000Z",
        "dry_run": True,
    }
    shown = run("import", box)
    assert (shown.code, shown.out.splitlines()[:2]) == (0, ["imported  10", "threads   2"])


def test_a_log_shows_how_far_an_import_is(run: Run, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.cli.output.PROGRESS_LINE_SECONDS", 0.0)
    box = write("old.mbox", box_of(range(MAILS)) + box_of(range(1)))
    lines = run("import", box).err.splitlines()
    assert [line for line in lines if "import" in line] == [f"importing: {done} of {MAILS}" for done in (100, 200, 250)]
    assert f"reading: {MAILS + 1}" in lines
    assert run("import", box, "--json").err == ""


def test_what_cannot_be_read_is_listed_with_exit_code_1(run: Run, write: Write, tmp_path: Path) -> None:
    (write("in/a.eml", old(0)).parent / "b.eml").symlink_to(tmp_path / "gone")
    done = run("import", tmp_path / "in", "--json")
    assert (done.code, done.line["imported"], done.line["unreadable"]) == (1, 1, 1)
    assert json.loads(done.err)["error"].endswith("b.eml: cannot be read: No such file or directory")


def test_an_mbox_has_any_name_when_it_is_called_one(run: Run, write: Write) -> None:
    spool = write("spool/support", box_of(range(3)))
    assert run("import", spool, "--mbox", "--json").line["imported"] == 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "name an mbox or a folder"),
        (["--inbox", "nobody"], "there is no inbox 'nobody'"),
        (["nothing.mbox"], "there is no file or folder 'nothing.mbox'"),
        (["--folder", "Old", "."], "--folder names a folder of the inbox's mailbox"),
        (["--since", "yesterday", "."], "'yesterday' does not match"),
        (["--inbox", "support"], "takes mail from intake only"),
    ],
)
def test_what_cannot_be_done_is_said(run: Run, words: list[str], said: str) -> None:
    done = run("import", *words)
    assert done.code in {1, 2}
    assert said in done.err


@pytest.fixture(scope="module")
def running() -> Iterator[Dovecot]:
    with Dovecot() as server:
        yield server


def configure(run: Run, write: Write, protocol: str, port: int) -> None:
    """An inbox `mail` that reads bob's mailbox."""
    keys = f"protocol: {protocol}, host: localhost, port: {port}, tls: none, auth: regular, username: bob"
    inbox = f"inboxes: [{{name: mail, address: m@x.example, {keys}, password: '${{BOB_PASSWORD}}'}}]"
    assert run("config", "apply", write("desk.yaml", inbox), "--no-test").code == 0


def test_a_mailbox_at_a_pop3_server_is_imported_and_its_mails_stay(
    run: Run, write: Write, running: Dovecot, monkeypatch: pytest.MonkeyPatch, app: App
) -> None:
    running.clear("bob")
    monkeypatch.setenv("BOB_PASSWORD", PASSWORD)
    monkeypatch.setattr("services.operator.mail.history.PORTION_MAILS", 4)
    running.deliver("bob", *(old(number, crlf=True) for number in (1, 0, 2, 3, 4, 5, 6)))
    configure(run, write, "pop3", running.pop3_port)
    assert run("import", "--inbox", "mail", "--json").line["imported"] == 7
    assert run("import", "--inbox", "mail", "--json").line["imported"] == 0
    assert len(running.mails("bob")) == 7
    assert run("up", "--once").code == 0
    records = [record for record in app.records.list(10) if record.created_at and record.created_at.year == 2019]
    assert sorted(app.records.count_activities(record.id) for record in records) == [2, 5]


def test_a_mailbox_is_imported_and_its_mails_stay_unread(
    run: Run, write: Write, running: Dovecot, monkeypatch: pytest.MonkeyPatch, app: App
) -> None:
    running.clear("bob")
    monkeypatch.setenv("BOB_PASSWORD", PASSWORD)
    monkeypatch.setattr("services.operator.mail.history.PORTION_MAILS", 4)
    mails = [old(number, crlf=True) for number in (1, 0, 2, 3, 4, 5, 6)]
    running.deliver("bob", *mails)
    configure(run, write, "imap", running.port)
    assert run("import", "--inbox", "mail", "--dry-run", "--json").line["imported"] == 7
    first = run("import", "--inbox", "mail", "--since", "2019-03-01T10:00:01", "--json").line
    assert (first["imported"], first["outside"]) == (6, 1)
    second = run("import", "--inbox", "mail", "--json").line
    assert (second["found"], second["imported"]) == (1, 1)
    assert len(running.mails("bob", criteria="UNSEEN")) == 7
    assert run("import", "--inbox", "mail", "--folder", "Nothing").code == 1
    assert app.arrivals.count() == 7
