"""`postroom records`: what an operator sees and changes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.builders import a_mail
from tests.services.cli.conftest import Run

Write = Callable[[str, str | bytes], Path]
PEOPLE = "people: [{id: jane, name: Jane Doe, addresses: [jane@example.com]}, {id: ann, name: Ann, roles: [analyst]}]\n"


@pytest.fixture(autouse=True)
def people(run: Run, write: Write) -> None:
    assert run("config", "apply", write("people.yaml", PEOPLE)).code == 0


def test_a_new_record_is_printed_as_it_is_shown(run: Run) -> None:
    words = ("--subject", "Chairs", "--description", "Ten", "--customer", "jane@example.com", "--owner", "ann")
    made = run("records", "create", "call", *words, "--set", "Priority=2", "--set", "category=Furniture", "--json").line
    assert made == run("records", "show", "incident", "1", "--json").line
    assert (made["number"], made["status"], made["subject"], made["owner"]) == ("INC1", "Logged", "Chairs", "ann")
    assert made["customer"] == {"id": "jane", "name": "Jane Doe", "address": "jane@example.com", "kind": "employee"}
    assert made["fields"] == {"Priority": 2, "Category": "Furniture"}
    assert made["priority"] == 2
    promised = {
        "id", "type", "number", "status", "subject", "owner", "owner_team", "customer", "description", "fields",
        "logging_analyst", "updated_by_mail", "source", "partition", "created_by", "template", "priority", "tasks",
        "links", "attachments", "activities",
    }  # fmt: skip
    assert promised <= set(made)


def test_an_approval_lies_below_its_parent(run: Run) -> None:
    run("records", "create", "incident", "--subject", "Chairs")
    made = run("records", "create", "approval", "--parent", "incident:INC1", "--owner", "ann", "--json").line
    assert (made["type"], made["status"], made["owner"]) == ("approval", "Pending", "ann")
    assert made["links"] == [{"relationship": "parent", "type": "incident", "number": "INC1"}]
    parent = run("records", "show", "incident", "1", "--json").line
    assert [task["number"] for task in parent["tasks"]] == [made["number"]]


def test_a_change_stands_in_the_activities(run: Run) -> None:
    run("records", "create", "incident")
    done = run("records", "set", "Incident", "inc1", "status=resolved", "OwnerTeam=Second Line", "Owner=ann", "--json")
    assert (done.line["status"], done.line["owner_team"], done.line["owner"]) == ("Resolved", "Second Line", "ann")
    texts = [activity["text"] for activity in done.line["activities"]]
    assert "Status: Logged → Resolved" in texts
    assert "OwnerTeam: nothing → Second Line" in texts
    assert {activity["by"] for activity in done.line["activities"]} == {"operator"}


def test_setting_what_is_set_already_changes_nothing(run: Run) -> None:
    run("records", "create", "incident", "--set", "Impact=Low")
    before = run("records", "show", "incident", "1", "--json").line
    assert run("records", "set", "incident", "1", "Impact=Low", "--json").line == before


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("set", "incident", "1", "Colour=red"), 1, "incident has no field 'Colour' to set; it has Summary,"),
        (("set", "incident", "1", "IncidentNumber=3"), 1, "incident has no field 'IncidentNumber' to set"),
        (
            ("set", "incident", "1", "Status=Gone"),
            1,
            "Logged, Active, Waiting, Resolved, Closed",
        ),
        (("set", "incident", "1", "Priority=high"), 1, "the field Priority takes a number, not 'high'"),
        (("set", "incident", "1", "Owner=nobody"), 1, "there is no person 'nobody'; Owner takes the id or address"),
        (("set", "incident", "1", "Status"), 2, "'Status' is not Field=Value"),
        (("set", "incident", "7", "Status=Closed"), 1, "there is no incident '7'"),
        (("show", "incident", "\u0661"), 1, "there is no incident"),
        (("show", "nothing", "1"), 2, "there is no record type 'nothing'; known are incident,"),
        (("create", "task", "--parent", "incident"), 2, "'incident' is not TYPE:NUMBER"),
        (("create", "task", "--parent", "incident:9"), 1, "there is no incident '9'"),
        (("create", "task", "--customer", "nobody"), 1, "there is no person 'nobody'"),
    ],
)
def test_what_cannot_be_done_is_explained_in_one_sentence(
    run: Run, words: tuple[str, ...], code: int, sentence: str
) -> None:
    run("records", "create", "incident")
    done = run("records", *words)
    assert done.code == code
    assert sentence in done.err
    assert done.out == ""


def test_records_are_listed_by_type_status_and_group_of_statuses(run: Run) -> None:
    run("records", "create", "incident")
    run("records", "create", "incident", "--status", "closed")
    run("records", "create", "task", "--status", "Waiting")
    assert len(run("records", "list", "--json").lines) == 3
    assert [
        line["status"] for line in run("records", "list", "--type", "call", "--status", "open", "--json").lines
    ] == ["Logged"]
    assert [line["type"] for line in run("records", "list", "--status", "waiting", "--json").lines] == ["task"]
    assert run("records", "list", "--status", "Nonsense", "--json").lines == []


def test_only_the_newest_activities_are_shown_when_asked_so(run: Run) -> None:
    run("records", "create", "incident")
    for impact in ("Low", "High", "Medium"):
        run("records", "set", "incident", "1", f"Impact={impact}")
    shown = run("records", "show", "incident", "1", "--activities", "1", "--json").line["activities"]
    assert [activity["text"] for activity in shown] == ["Impact: High → Medium"]
    told = run("records", "show", "incident", "1", "--activities", "1").err
    assert told == "\nthe newest 1 of 4 activities are shown: --activities 4\n"
    assert run("records", "show", "incident", "1").err == ""


def test_a_record_is_readable_on_paper(run: Run) -> None:
    run("records", "create", "incident", "--subject", "Chairs", "--customer", "jane")
    out = run("records", "show", "incident", "1").out
    assert "customer    Jane Doe <jane@example.com>" in out
    assert "number      INC1" in out


@pytest.mark.req("PR-21")
def test_a_record_is_called_by_its_number_as_it_is_printed(run: Run) -> None:
    run("records", "create", "incident", "--subject", "Chairs")
    run("records", "create", "task", "--parent", "INC1")
    shown = run("records", "show", "INC1", "--json").line
    assert shown == run("records", "show", "incident", "1", "--json").line
    assert len(shown["tasks"]) == 1
    assert run("records", "set", " inc1 ", "Status=Closed", "--json").line["status"] == "Closed"


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("show", "INC7"), 1, "there is no record 'INC7'; write the number as it is printed (INC1), or TYPE NUMBER"),
        (("show", "7"), 1, "there is no record '7'"),
        (("show",), 2, "Missing argument"),
        (("show", "a", "b", "c"), 2, "name one record: INC1, or incident 1"),
        (("set", "INC1"), 2, "write what to set: Field=Value"),
        (("attachment", "INC1", "plan.txt", "--save", "x"), 1, "INC1 has no file 'plan.txt'; it has none"),
        (("attachment", "INC1"), 2, "name one record: INC1, or incident 1"),
    ],
)
def test_a_number_that_means_no_record_is_answered_in_one_sentence(
    run: Run, words: tuple[str, ...], code: int, sentence: str
) -> None:
    run("records", "create", "incident")
    done = run("records", *words)
    assert (done.code, sentence in done.err, done.out) == (code, True, "")


@pytest.mark.req("PR-21")
def test_an_activity_leads_to_its_mail_and_its_file_can_be_saved(run: Run, tmp_path: Path) -> None:
    content = bytes(range(256))
    receipt = run("publish", "-", "--json", stdin=a_mail(files=(("plan.bin", "application/x-plan", content),))).line
    run("up", "--once")
    assert f"  mail {receipt['mail_id'][:12]}\n" in run("records", "show", "INC1").out
    path = tmp_path / "saved.bin"
    assert run("records", "attachment", "INC1", "plan.bin", "--save", path).code == 0
    assert path.read_bytes() == content
    done = run("records", "attachment", "incident", "1", "plan.bin", "--save", path)
    assert (done.code, done.err) == (1, f"Error: File exists: {path}\n")
    sha256 = run("records", "show", "INC1", "--json").line["attachments"][0]["sha256"]
    assert run("records", "attachment", "INC1", sha256[:12], "--save", tmp_path / "b", "--json").line["size"] == 256


@pytest.mark.req("PR-17")
def test_the_mark_of_a_mail_is_cleared_when_the_handler_looks_or_changes_the_record(run: Run) -> None:
    def update() -> None:
        reply = a_mail("and?\n", subject="Re: Printer", In_Reply_To="<one@customer.example>")
        run("publish", "-", stdin=reply)
        run("up", "--once")
        assert run("records", "show", "INC1", "--json").line["updated_by_mail"] is True

    run("publish", "-", stdin=a_mail(Message_ID="<one@customer.example>"))
    run("up", "--once")
    update()
    assert run("records", "show", "INC1", "--seen", "--json").line["updated_by_mail"] is False
    update()
    changed = run("records", "set", "INC1", "Status=Closed", "--json").line
    assert changed["updated_by_mail"] is False
    assert not [each for each in changed["activities"] if "updated_by_mail" in each["text"]]
