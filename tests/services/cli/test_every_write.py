"""Every command that changes something leaves a line under Access (who, what, when, why), and with its mail."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import click
import pytest

from services.cli.main import cli
from services.operator.permissions.writes import Write
from services.queues import QUEUES
from shared.app import App, Location
from shared.runtime.broker import Message
from shared.store.mails import MailQuery
from tests.builders import a_mail
from tests.services.cli.conftest import Run

REASON: Final = "because of this"
READS: Final = frozenset(
    {
        *("parse", "try", "backtest", "backup", "doctor", "report", "queues", "jobs list", "jobs show"),
        *("mails list", "mails show", "mails source", "records list", "records attachment", "people list"),
        *("people show", "dead-letters list", "dead-letters causes", "dead-letters show", "outbox list", "outbox show"),
        "dead-letters source",
        *("inbox list", "inbox peek", "inbox sample", "inbox setup microsoft365", "inbox setup google"),
        *("inbox setup imap", "token list", "token keys", "mail-server list", "config check", "config export"),
        *("config history", "config show", "config diff", "config schema", "user list"),
    }
)
"""Commands that change nothing that people share."""
NO_LINE: Final = {
    "publish": "the mail itself says from where and when it came",
    "restore": "it replaces the whole store, with what was kept there",
    "demo": "it makes a desk of its own",
    "console": "its pages keep what people do",
    "worker": "nobody asks for what it does",
    "jobs run": "the job says who made it",
}
CONFIGURATION: Final = """
inboxes:
  - {name: support, address: support@example.com, commands: {reply_on_create: true}}
  - {name: sales, address: sales@example.com, protocol: imap, host: 127.0.0.1, port: 9, tls: none,
     username: x, password: "${KEY}"}
"""
SERVER: Final = """
mail_servers:
  - {name: main, host: 127.0.0.1, port: 9, tls: none, auth: none, username: support@example.com,
     from_address: support@example.com}
"""


def commands(command: click.Command, words: tuple[str, ...] = ()) -> Iterator[str]:
    """Every command that can be called, by its words."""
    if not isinstance(command, click.Group) or command.invoke_without_command:
        yield " ".join(words)
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found
            yield from commands(found, (*words, name))


STEPS: Final[tuple[tuple[Write, str, tuple[str, ...]], ...]] = (
    (Write.APPLIED_CONFIGURATION, "config apply", ("{file}", "--no-test", "--reason", REASON)),
    (Write.APPLIED_CONFIGURATION, "config apply", ("{changed}", "--no-test", "--reason", REASON)),
    (Write.ROLLED_BACK, "config rollback", ("2", "--yes", "--reason", REASON)),
    (Write.ADDED_USER, "user add", ("Ann", "--no-password")),
    (Write.CHANGED_PASSWORD, "user password", ("Ann",)),
    (Write.REMOVED_USER, "user remove", ("Ann",)),
    (Write.MADE_TOKEN, "token add", ("support", "--note", REASON)),
    (Write.REVOKED_TOKEN, "token revoke", ("support", "--all")),
    (Write.SET_KEY, "token key", ("support", "mailgun", "${KEY}")),
    (Write.REMOVED_KEY, "token key", ("support", "mailgun", "--remove")),
    (Write.TESTED_INBOX, "inbox test", ("sales",)),
    (Write.CLEARED_INBOX_TEST, "inbox test", ("sales", "--clear")),
    (Write.ASKED_FOR_VISIT, "inbox fetch", ("sales",)),
    (Write.STOPPED_INBOX, "inbox stop", ("sales", "--reason", REASON)),
    (Write.STARTED_INBOX, "inbox start", ("sales",)),
    (Write.STOPPED_ALL_INBOXES, "inbox stop", ("--all", "--reason", REASON)),
    (Write.STARTED_ALL_INBOXES, "inbox start", ("--all",)),
    (Write.IMPORTED_MAILS, "import", ("{mbox}", "--inbox", "support")),
    (Write.PAUSED_STAGE, "queues pause", ("filter", "--reason", REASON)),
    (Write.RESUMED_STAGE, "queues resume", ("filter", "--reason", REASON)),
    (Write.HELD_OUTGOING, "outbox hold", ("{outgoing}", "--reason", REASON)),
    (Write.APPLIED_CONFIGURATION, "config apply", ("{server}", "--no-test", "--reason", REASON)),
    (Write.TESTED_SERVER, "mail-server test", ("main",)),
    (Write.CLEARED_SERVER_TEST, "mail-server test", ("main", "--clear")),
    (Write.SENT_TEST_MAIL, "mail-server test", ("main", "--send")),
    (Write.SENT_OUTGOING, "outbox send", ("{outgoing}", "--reason", REASON)),
    (Write.CANCELLED_OUTGOING, "outbox cancel", ("{outgoing}", "--reason", REASON)),
    (Write.MADE_JOB, "mails release", ("--all", "--reason", REASON)),
    (Write.STOPPED_JOB, "jobs stop", ("{job}",)),
    (Write.RELEASED_MAIL, "mails release", ("{rejected}", "--reason", REASON)),
    (Write.REPLAYED_MAIL, "mails replay", ("{dead}", "--reason", REASON)),
    (Write.DISCARDED_MAIL, "mails discard", ("{dead2}", "--reason", REASON)),
    (Write.REPLAYED_LETTER, "dead-letters replay", ("{letter3}", "--reason", REASON)),
    (Write.DISCARDED_LETTER, "dead-letters discard", ("{letter4}", "--reason", REASON)),
    (Write.CREATED_RECORD, "records create", ("incident", "--subject", "One")),
    (Write.CREATED_RECORD, "records create", ("incident", "--subject", "Two")),
    (Write.CHANGED_RECORD, "records set", ("{record}", "Subject=Other")),
    (Write.SAW_RECORD, "records show", ("{record}", "--seen")),
    (Write.DELETED_RECORD, "records delete", ("{record}",)),
    (Write.RESTORED_RECORD, "records undelete", ("{record}",)),
    (Write.MERGED_RECORDS, "records merge", ("{record}", "{record2}")),
)
WRITES: Final = frozenset(what for what, _, _ in STEPS)


def test_every_command_is_a_read_or_leaves_a_line() -> None:
    """A new command needs its line."""
    known = READS | set(NO_LINE) | {command for _, command, _ in STEPS} | {"up"}
    assert set(commands(cli)) == known


@pytest.mark.req("VS-12")
def test_every_command_that_changes_something_leaves_a_line(
    run: Run, data: Path, write: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("USER", "olga")
    monkeypatch.setenv("KEY", "a key of sixteen letters")
    names = {
        "file": str(write("desk.yaml", CONFIGURATION)),
        "changed": str(write("changed.yaml", CONFIGURATION.replace("sales@", "shop@"))),
        "server": str(write("server.yaml", SERVER)),
        "mbox": str(write("old.mbox", "From x Fri Nov 20 09:00:00 2026\n" + a_mail(subject="Old").decode())),
    }
    done = list[tuple[str, str]]()
    for what, command, arguments in STEPS:
        if what == Write.HELD_OUTGOING:
            names |= some_mail(run, data)
        if what == Write.CHANGED_RECORD:
            numbers = [each["number"] for each in run("records", "list", "--json").lines]
            names |= {"record": numbers[0], "record2": numbers[1]}
        if what == Write.STOPPED_JOB:
            names["job"] = run("jobs", "list", "--json").lines[0]["id"]
        words = [each.format(**names) if each.startswith("{") else each for each in arguments]
        ran = run(*command.split(), *words, stdin=b"correct horse battery\n")
        assert ran.code in {0, 1}, (command, ran)
        done.append((what, REASON if REASON in words else ""))
    assert run("up", "--once", "--config", names["changed"]).code in {0, 1}
    with closing(App.open(Location(data), QUEUES)) as app:
        kept = list(reversed(app.access.audit.recent(100)))
    assert {each.who for each in kept} == {"olga"}
    assert [(each.what, each.why) for each in kept] == [*done, (Write.APPLIED_CONFIGURATION, "")]
    assert [each.about for each in kept if not each.about] == ["", ""], "of all inboxes"
    for mail in ("rejected", "dead", "dead2", "dead3", "dead4", "recorded"):
        journal = [each["why"] for each in run("mails", "show", names[mail], "--json").line["journal"]]
        assert [why for why in journal if "olga" in why and REASON in why], mail


def some_mail(run: Run, data: Path) -> dict[str, str]:
    """A recorded mail with its answer, a rejected one, and four with a dead letter, by name."""
    with closing(App.open(Location(data), QUEUES)) as app:
        for number in range(6):
            subject = "Out of office" if number == 1 else f"Printer {number}"
            run("publish", "--inbox", "support", "-", stdin=a_mail(subject=subject))
        run("up", "--once")
        found = {each.subject: each.id for each in app.mails.recent(MailQuery(), 10)}
        names = {"recorded": found["Printer 0"], "rejected": found["Out of office"]}
        for number in range(2, 6):
            headers = {"reason": "gone", "stage": "filter", "queue": "filter"}
            message = Message(f"dead {number}", "filter", b"{}", headers=headers)
            mail = found[f"Printer {number}"]
            app.dead_letters.keep(message, mail_id=mail, inbox="support", at=app.clock.now())
            suffix = "" if number == 2 else str(number - 1)
            names |= {f"dead{suffix}": mail}
        letters = {each["mail_id"]: each["id"] for each in run("dead-letters", "list", "--json").lines}
        names |= {f"letter{each}": letters[names[f"dead{each}"]] for each in (3, 4)}
        names["outgoing"] = next(each.id for each in app.outbox.recent(None, 50) if each.mail_id == names["recorded"])
    return names
