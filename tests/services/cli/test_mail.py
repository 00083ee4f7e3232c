"""From `publish` to `mails show`: one desk, asked by its operator."""

from __future__ import annotations

import base64
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from services.operator.mail import mails
from services.queues import QUEUES
from shared.app import App, Location
from shared.runtime.broker import Message
from tests.builders import a_mail
from tests.services.cli.conftest import Run

Write = Callable[[str, str | bytes], Path]
AUTO_REPLY = a_mail(subject="Away", Auto_Submitted="auto-replied")


def receive(run: Run, *raws: bytes, inbox: str = "support") -> list[dict[str, Any]]:
    """Publish mails, let the desk work, and give what `publish` said."""
    receipts = [run("publish", "--inbox", inbox, "--json", "-", stdin=raw).line for raw in raws]
    assert run("up", "--once").code == 0
    return receipts


def test_the_first_command_makes_the_desk(run: Run, data: Path) -> None:
    assert run("inbox", "list", "--json").line["name"] == "support"
    assert run("people", "list", "--json").line["id"] == "admin"
    assert data.is_dir()


def test_a_published_mail_becomes_a_record_and_can_be_followed(run: Run) -> None:
    raw = a_mail(subject="Printer")
    (receipt,) = receive(run, raw)
    mail = run("mails", "show", receipt["mail_id"], "--json").line
    assert (mail["outcome"], mail["subject"], mail["inbox"]) == ("recorded", "Printer", "support")
    assert [entry["stage"] for entry in mail["journal"]] == ["parser", "filter", "sender-matcher", "record-writer"]
    (record,) = mail["records"]
    shown = run("records", "show", record["type"], record["number"], "--json").line
    assert shown["activities"][0]["mail_id"] == receipt["mail_id"]
    assert shown["customer"]["address"] == "anna@customer.example"


def test_mails_are_listed_newest_first_with_the_promised_keys(run: Run) -> None:
    receive(run, a_mail(subject="one"), a_mail(subject="two"), AUTO_REPLY)
    listed = run("mails", "list", "--json").lines
    keys = {"mail_id", "inbox", "from", "subject", "received_at", "outcome", "reason", "records"}
    assert all(keys <= set(line) for line in listed)
    assert {line["subject"]: line["outcome"] for line in listed} == {
        "one": "recorded",
        "two": "recorded",
        "Away": "rejected",
    }
    assert [line["subject"] for line in run("mails", "list", "--outcome", "rejected", "--json").lines] == ["Away"]
    paged = [run("mails", "list", "--limit", "1", "--after", str(n), "--json").line["mail_id"] for n in range(3)]
    assert paged == [line["mail_id"] for line in listed]


def test_mails_are_searched_by_what_a_person_remembers(run: Run) -> None:
    receive(run, a_mail(subject="Größe der Stühle"), a_mail(subject="two", sender="Bea <bea@other.example>"))

    def subjects(*words: str) -> list[str]:
        return [line["subject"] for line in run("mails", "list", *words, "--json").lines]

    assert subjects("--search", "größe DER") == ["Größe der Stühle"]
    assert subjects("--search", "BEA@") == ["two"]
    assert subjects("--search", "example", "--limit", "1", "--after", "1") == ["Größe der Stühle"]
    assert subjects("--since", "1h") == ["two", "Größe der Stühle"]
    assert subjects("--since", "2999-01-01") == []
    assert run("mails", "list", "--since", "yesterday").code == 2


def test_a_mail_is_found_by_the_beginning_of_its_id_and_by_its_message_id(run: Run) -> None:
    (receipt,) = receive(run, a_mail(Message_ID="<found@customer.example>"))
    for name in (receipt["mail_id"][:8], "<found@customer.example>", "found@customer.example"):
        assert run("mails", "show", name, "--json").line["mail_id"] == receipt["mail_id"]
    assert run("mails", "show", "0000").code == 1


def test_a_subject_that_older_mails_may_have_too_is_shown_with_a_note(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    receive(run, a_mail(subject="old"), a_mail(subject="new"))
    assert run("mails", "show", "new").err == ""
    monkeypatch.setattr(mails, "MAX_SEARCHED", 1)
    shown = run("mails", "show", "NEW", "--json")
    assert (shown.code, shown.line["subject"]) == (0, "new")
    assert "older ones may have it too" in shown.err
    assert "name the mail by its id" in run("mails", "source", "new").err


def test_the_source_is_the_exact_bytes(run: Run) -> None:
    raw = a_mail().replace(b"\n", b"\r\n") + b"\xff\x00"
    (receipt,) = receive(run, raw)
    told = run("mails", "source", receipt["mail_id"], "--json").line
    assert base64.b64decode(told["raw"]) == raw


def test_on_a_terminal_the_source_is_shown_and_not_obeyed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = a_mail("plain \x1b]0;owned\x07 \u202e\n").replace(b"\n", b"\r\n") + b"\xff"
    (receipt,) = receive(run, raw)
    monkeypatch.setattr("services.cli.output.is_terminal", lambda: True)
    shown = run("mails", "source", receipt["mail_id"]).out
    assert not set(shown) & set("\x1b\x07\r\u202e")
    assert "Subject: Printer\n" in shown
    assert shown.endswith("\\xff\n")


@pytest.mark.req("PR-01")
def test_a_rejected_mail_can_be_released(run: Run) -> None:
    (receipt,) = receive(run, AUTO_REPLY)
    assert run("mails", "show", receipt["mail_id"], "--json").line["outcome"] == "rejected"
    assert run("mails", "release", receipt["mail_id"]).code == 0
    assert run("mails", "show", receipt["mail_id"], "--json").line["outcome"] is None
    found = run("doctor", "--json").lines
    assert [each["name"] for each in found if each["status"] == "problem"] == ["no-worker"]
    run("up", "--once")
    mail = run("mails", "show", receipt["mail_id"], "--json").line
    assert (mail["outcome"], mail["released"]) == ("recorded", True)
    assert [entry["stage"] for entry in mail["journal"]].count("filter") == 2
    assert run("doctor").code == 0
    done = run("mails", "release", receipt["mail_id"])
    assert (done.code, done.err) == (1, "Error: the mail is recorded; only a rejected mail can be released\n")


def test_a_mail_to_an_unknown_inbox_is_a_dead_letter_that_can_be_replayed(run: Run, write: Write) -> None:
    (receipt,) = receive(run, a_mail(), inbox="nowhere")
    letter = run("dead-letters", "list", "--json").line
    assert {"id", "stage", "reason", "mail_id", "incident"} <= set(letter)
    assert (letter["mail_id"], letter["stage"]) == (receipt["mail_id"], "parser")
    assert "there is no inbox 'nowhere'" in run("dead-letters", "show", letter["id"][:10]).out
    run("config", "apply", write("p.yaml", "inboxes: [{name: nowhere, address: n@example.com}]"))
    assert run("dead-letters", "replay", letter["id"]).out == f"replayed  {letter['id']}  to intake\n"
    run("up", "--once")
    assert run("mails", "show", receipt["mail_id"], "--json").line["outcome"] == "recorded"
    assert run("dead-letters", "list", "--json").lines == []
    assert run("dead-letters", "replay", letter["id"]).code == 1
    assert run("doctor").code == 0


@pytest.mark.req("PR-12")
def test_the_mail_of_an_unreadable_message_can_be_handed_in_anew(run: Run, data: Path) -> None:
    raw = a_mail()
    message = Message("m-1", "intake", raw, content_type="application/json")
    with closing(App.open(Location(data), QUEUES)) as app:
        app.broker.publish([message])
    run("up", "--once")
    letter = run("dead-letters", "list", "--json").line
    assert (letter["mail_id"], letter["reason"]) == (
        None,
        "intake takes the content type message/rfc822, not 'application/json'",
    )
    assert run("dead-letters", "source", letter["id"]).out.encode() == raw
    found = run("dead-letters", "source", letter["id"][:8], "--json").line
    assert (base64.b64decode(found["raw"]), found["size"]) == (raw, len(raw))


@pytest.mark.req("PR-12")
def test_letters_are_chosen_by_options_that_fit_together(run: Run) -> None:
    receive(run, a_mail(), inbox="nowhere")
    letter = run("dead-letters", "list", "--stage", "parser", "--json").line["id"]
    for words in (("list", "--stage", "parsr"), ("replay", "--all", "--stage", "parsr")):
        done = run("dead-letters", *words)
        assert (done.code, "there is no stage 'parsr'; known are fetcher, parser" in done.err) == (2, True)
    assert "use them with --all" in run("dead-letters", "replay", letter, "--stage", "parser").err
    assert "use --stage or --cause" in run("dead-letters", "discard", "--all", "--stage", "parser", "--cause", "x").err
    assert run("dead-letters", "discard", "--all", "--stage", "parser").code == 0
    assert run("dead-letters", "replay", letter).err == f"Error: the dead letter {letter} is already discarded\n"


def test_a_discarded_letter_stays_and_is_shown(run: Run) -> None:
    receive(run, a_mail(), inbox="nowhere")
    letter = run("dead-letters", "list", "--json").line["id"]
    assert run("dead-letters", "discard", letter, "--reason", "a typing error").code == 0
    assert run("dead-letters", "list", "--state", "discarded", "--json").line["id"] == letter
    assert run("dead-letters", "replay").code == 2


def test_publish_takes_folders_and_never_judges(run: Run, write: Write) -> None:
    write("in/a.eml", a_mail())
    write("in/empty.eml", b"")
    folder = write("in/b.mbox", b"From a 10:00\n" + a_mail() + b"\nFrom b 10:00\n" + a_mail()).parent
    done = run("publish", folder)
    assert (done.code, done.err) == (0, "published 4\n")
    ids, names = zip(*(line.split("  ", 1) for line in done.out.splitlines()), strict=True)
    assert list(names) == [f"{folder}/a.eml", f"{folder}/b.mbox#1", f"{folder}/b.mbox#2", f"{folder}/empty.eml"]
    assert {run("mails", "show", each, "--json").line["outcome"] for each in ids} == {None}


def test_publish_exits_with_75_when_the_mail_cannot_be_stored(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTROOM_BROKER_URL", "amqp://guest:hidden@127.0.0.1:1/")
    done = run("publish", "-", stdin=a_mail())
    assert "hidden" not in done.err
    assert done.code == 75
    assert done.err.startswith("Error: not published, try again later: ")


def test_publish_of_a_missing_file_is_a_usage_error(run: Run, tmp_path: Path) -> None:
    assert run("publish", tmp_path / "none.eml").code == 2


def test_the_same_mail_twice_is_one(run: Run) -> None:
    raw = a_mail()
    receive(run, raw, raw)
    assert len(run("mails", "list", "--json").lines) == 1
    assert len(run("records", "list", "--json").lines) == 1
    assert run("doctor").code == 0


def test_a_dry_run_tells_everything_and_writes_nothing(run: Run, write: Write) -> None:
    done = run("try", "--inbox", "support", write("m.eml", a_mail(subject="Printer")), "--json")
    assert done.code == 0
    assert done.line["outcome"] == "recorded"
    assert {"mail", "outcome", "reason", "trace", "changes", "notifications"} <= set(done.line)
    assert {"stage", "step", "decision", "why"} <= set(done.line["trace"][0])
    assert (done.line["changes"][0]["action"], done.line["changes"][0]["type"]) == ("create", "incident")
    assert run("mails", "list", "--json").lines == []
    assert run("records", "list", "--json").lines == []
    assert "would create incident INC1" in run("try", "-", stdin=a_mail()).out


def test_a_dry_run_in_an_unknown_inbox_is_a_problem(run: Run) -> None:
    assert run("try", "--inbox", "nowhere", "-", stdin=a_mail()).code == 1


@pytest.mark.req("PR-14")
def test_a_stage_is_paused_and_resumed(run: Run) -> None:
    assert run("queues", "pause", "filter", "--reason", "new rules").code == 0
    assert "filter is paused by " in run("queues").out
    paused = {line["name"]: line["paused"] for line in run("queues", "--json").lines}
    assert paused["filter"].endswith("new rules")
    assert run("queues", "pause", "printer", "--reason", "x").code == 2
    assert run("queues", "resume", "filter").out == "resumed  filter\n"
    assert run("queues", "resume", "filter").code == 1


@pytest.mark.req("PR-14")
def test_queues_show_what_waits(run: Run) -> None:
    run("publish", "-", stdin=a_mail())
    lines = {line["name"]: line for line in run("queues", "--json").lines}
    assert lines["intake"]["ready"] == 1
    assert lines["intake"]["oldest_seconds"] >= 0
    assert {"name", "queue", "ready", "unacked", "consumers", "oldest_seconds", "paused"} == set(lines["filter"])


def test_text_of_a_mail_does_not_reach_the_terminal_as_commands(run: Run) -> None:
    (receipt,) = receive(run, a_mail("\x1b[2Jgone\n", subject="=?utf-8?q?=1B=5B31m_=E2=80=AEdecrof?="))
    out = (
        run("mails", "list").out
        + run("mails", "show", receipt["mail_id"]).out
        + run("records", "show", "call", "1").out
    )
    assert (out.count("gone"), out.count("decrof")) == (1, 3), "text and subject are shown"
    assert "\x1b" not in out
    assert "\u202e" not in out


def test_a_person_is_shown_with_the_mail_history(run: Run) -> None:
    (receipt,) = receive(run, a_mail())
    person = run("people", "show", "anna@customer.example", "--json").line
    assert person["history"][0]["mail_id"] == receipt["mail_id"]
    assert run("people", "show", "nobody").code == 1


def test_the_doctor_finds_a_lost_message(run: Run, data: Path) -> None:
    import sqlite3

    run("publish", "-", stdin=a_mail())
    with sqlite3.connect(data / "postroom.sqlite") as file:
        file.execute("DELETE FROM queue")
    done = run("doctor", "--json")
    assert done.code == 1
    assert [line["check"] for line in done.lines if line["status"] == "problem"] == ["conservation"]


def test_a_page_of_mails_tells_of_the_next(run: Run) -> None:
    receive(run, a_mail(subject="one"), a_mail(subject="two"))
    first = run("mails", "list", "--limit", "1", "--json")
    assert (len(first.lines), first.err) == (1, "1 is shown; there are more: --after 1\n")
    assert run("mails", "list", "--limit", "1", "--after", "1", "--search", "one").err == ""
    assert run("mails", "list", "--limit", "2").err == ""
    assert run("mails", "list", "--after", "2").out == "nothing after the first 2\n"
    assert run("people", "list", "--limit", "1").err == "1 is shown; there are more: --after 1\n"


def test_an_empty_list_says_what_makes_it_fuller(run: Run) -> None:
    assert run("mails", "list").out == "no mails yet; postroom publish FILE hands one in\n"
    assert run("mails", "list", "--inbox", "support").out == "no matching mails\n"
    assert run("mails", "list", "--inbox", "sails").out == "no matching mails: there is no inbox 'sails'\n"
    assert run("records", "list").out.startswith("no records yet; ")
    assert run("dead-letters", "list").out == "no dead letter is open\n"


@pytest.mark.parametrize("words", [("dead-letters", "replay"), ("dead-letters", "discard"), ("outbox", "send")])
def test_all_of_an_empty_list_is_reported(run: Run, words: tuple[str, str]) -> None:
    done = run(*words, "--all")
    assert (done.code, done.out) == (0, "")
    assert done.err.startswith("no ")


def test_a_mail_without_a_record_says_what_to_do_next(run: Run) -> None:
    (rejected,) = receive(run, AUTO_REPLY)
    (dead,) = receive(run, a_mail(), inbox="nowhere")
    (recorded,) = receive(run, a_mail(subject="Chairs"))
    assert f"postroom mails release {rejected['mail_id'][:12]}" in run("mails", "show", rejected["mail_id"]).out
    letter = run("dead-letters", "list", "--json").line["id"]
    assert f"postroom dead-letters replay {letter[:12]}" in run("mails", "show", dead["mail_id"]).out
    assert "next" not in run("mails", "show", recorded["mail_id"]).out


def test_publishing_to_an_inbox_that_is_not_there_is_noted_and_done(run: Run) -> None:
    done = run("publish", "--inbox", "suport", "-", stdin=a_mail())
    assert done.code == 0
    assert "note: there is no inbox 'suport'; its mail becomes dead letters" in done.err
    assert "note" not in run("publish", "--inbox", "support", "-", stdin=a_mail()).err


@pytest.mark.parametrize("words", [("mails", "show"), ("dead-letters", "show"), ("outbox", "show")])
def test_the_beginning_of_an_id_has_to_say_which(run: Run, words: tuple[str, str]) -> None:
    short = run(*words, "0a1")
    assert (short.code, short.err) == (1, "Error: '0a1' is too short; write at least 4 letters of the id\n")
    gone = run(*words, "0a1b2c")
    assert gone.code == 1
    assert gone.err.startswith("Error: there is no ")


def test_a_thing_has_the_same_key_everywhere_and_its_old_key(run: Run) -> None:
    receive(run, a_mail(Message_ID="<one@customer.example>"))
    receive(run, a_mail("and?\n", subject="Re: Printer", In_Reply_To="<one@customer.example>"))
    receive(run, a_mail(), inbox="nowhere")
    for words, new, old in (
        (("records", "list"), "record_id", "id"),
        (("records", "show", "INC1"), "record_id", "id"),
        (("outbox", "list"), "outbox_id", "id"),
        (("dead-letters", "list"), "letter_id", "id"),
        (("people", "list"), "person_id", "id"),
        (("people", "show", "admin"), "person_id", "id"),
        (("inbox", "list"), "inbox", "name"),
        (("queues",), "queue", "name"),
    ):
        lines = run(*words, "--json").lines
        assert lines, words
        for line in lines:
            assert line[new] == line[old], words


@pytest.mark.req("PR-01")
def test_all_rejected_mails_that_match_are_released_by_a_job(run: Run) -> None:
    receive(run, *(a_mail(subject=f"Out of office {number}") for number in range(3)), a_mail(subject="Chairs"))
    made = run("mails", "release", "--all", "--search", "office", "--reason", "back again", "--json").line
    assert (made["verb"], made["total"], made["state"]) == ("release", 3, "running")
    run("jobs", "run")
    shown = run("jobs", "show", made["id"][:12], "--json").line
    assert (shown["state"], shown["done"], shown["failed"], shown["failures"]) == ("done", 3, 0, [])
    assert "finished: released 3 of 3 mails" in run("jobs", "show", made["id"]).out
    assert "back again" in run("jobs", "list").out
    run("up", "--once")
    assert {each["outcome"] for each in run("mails", "list", "--json").lines} == {"recorded"}


def test_a_job_states_its_number(run: Run) -> None:
    receive(run, *(a_mail(subject=f"Out of office {number}") for number in range(2)))
    refused = run("mails", "release", "--all", "--number", "3")
    assert (refused.code, refused.err) == (1, "Error: these are 2 mails now; state this number to go on\n")
    nothing = run("mails", "release", "--all", "--inbox", "sales")
    assert (nothing.code, nothing.err) == (1, "Error: no mail matches\n")


@pytest.mark.parametrize(("verb", "state"), [("replay", "replayed"), ("discard", "discarded")])
def test_the_letters_of_a_mail_are_replayed_and_discarded(run: Run, verb: str, state: str) -> None:
    (dead,) = receive(run, a_mail(), inbox="nowhere")
    assert run("mails", verb, dead["mail_id"], "--json").line == {
        "mail_id": dead["mail_id"],
        "verb": verb,
        "letters": 1,
    }
    assert run("dead-letters", "list", "--state", state, "--json").line["mail_id"] == dead["mail_id"]


def test_a_job_is_stopped(run: Run) -> None:
    receive(run, a_mail(subject="Out of office"))
    made = run("mails", "release", "--all", "--json").line
    assert run("jobs", "stop", made["id"]).out == f"stopped  {made['id']}\n"
    run("jobs", "run")
    assert run("mails", "list", "--json").line["outcome"] == "rejected"
