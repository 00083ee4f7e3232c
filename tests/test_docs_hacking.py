"""The page for developers: its skeletons are files that work, and the page shows them as they are."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from services.fetcher.mailbox import Mailbox
from services.fetcher.source import FetcherSource, Wiring
from services.filter import rules
from services.filter.stage import gather
from services.record_writer.decide.content.body import Block
from services.record_writer.decide.model import MissingRecord, Part, Target
from services.record_writer.decide.plan import PLANNERS, decide
from shared.config.model import Settings
from shared.contracts.errors import PostroomError
from shared.contracts.events import Envelope, MailAccepted, MailParsed
from shared.contracts.mail import Address, ParsedMail
from shared.runtime.outcome import Emit, Fail
from tests.builders import a_configuration, a_mail, an_inbox
from tests.desk import Desk
from tests.plain import PlainLookups, a_record, facts

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/hacking.md"
SKELETONS = sorted((ROOT / "docs/skeletons").glob("*.py"))
SHOWN = re.compile(r"^`(docs/skeletons/\w+\.py)`:\n\n```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"`((?:services|shared|tests|docs|examples|bench|requirements)/[\w./]*)`")
ENVELOPE = Envelope("m1", "support", "2026-11-20T12:00:00Z")
MAIL = ParsedMail("0" * 64, 400, "<m1@x.example>", subject="Printer", from_=Address("Anna", "anna@customer.example"))


@cache
def skeleton(name: str) -> ModuleType:
    """The module of one skeleton."""
    spec = importlib.util.spec_from_file_location(f"skeleton_{name}", ROOT / f"docs/skeletons/{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_the_page_shows_every_skeleton_as_it_is() -> None:
    shown = dict(SHOWN.findall(PAGE.read_text("utf-8")))
    assert shown == {path.relative_to(ROOT).as_posix(): path.read_text("utf-8") for path in SKELETONS}


def test_there_is_a_skeleton_of_each_extension() -> None:
    assert [path.stem for path in SKELETONS] == ["decision", "filter_rule", "mailbox", "stage"]


def test_the_skeletons_have_the_types_that_the_code_asks_for() -> None:
    """A skeleton that the type checker refuses would teach what does not work."""
    files = [path.relative_to(ROOT).as_posix() for path in SKELETONS]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file", "pyproject.toml", *files],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_every_file_that_the_page_names_exists() -> None:
    named = set(NAMED.findall(PAGE.read_text("utf-8")))
    assert named
    assert [each for each in sorted(named) if not (ROOT / each).exists()] == []


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("Printer", Emit(note="7 characters", mail_id="m1")),
        ("", Fail("the mail has no subject to count", "m1")),
    ],
)
def test_the_stage_turns_an_event_into_an_outcome(desk: Desk, subject: str, expected: Emit | Fail) -> None:
    desk.configure(a_configuration(an_inbox()))
    stage = skeleton("stage").build(desk.app)
    assert stage.handle(MailAccepted(ENVELOPE, replace(MAIL, subject=subject))) == expected


def test_the_stage_names_an_inbox_that_is_gone(desk: Desk) -> None:
    stage = skeleton("stage").build(desk.app)
    with pytest.raises(PostroomError, match="'gone' is gone"):
        stage.handle(MailAccepted(replace(ENVELOPE, inbox="gone"), MAIL))


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("MY PRINTER IS ON FIRE", ("shouting", "the subject is written in capitals only")),
        ("My printer is on fire", None),
        ("VPN", None),
    ],
)
def test_the_filter_rule_objects_in_words(desk: Desk, subject: str, expected: tuple[str, str] | None) -> None:
    inbox = an_inbox()
    parsed = MailParsed(ENVELOPE, replace(MAIL, subject=subject))
    stores = {"mails": desk.app.mails, "people": desk.app.people, "outbox": desk.app.outbox}
    found = gather(parsed, inbox, a_configuration(inbox), bytes, **stores)
    assert rules.objection(found, (*rules.CHECKS, skeleton("filter_rule").SHOUTING)) == expected


def test_the_mailbox_is_read_by_the_fetcher_once_and_archived(desk: Desk, tmp_path: Path) -> None:
    folder = tmp_path / "box"
    folder.mkdir()
    raws = [a_mail(subject="One"), a_mail(subject="Two")]
    for number, raw in enumerate(raws):
        (folder / f"{number}.eml").write_bytes(raw)
    inbox = an_inbox("box", protocol="imap", host="mail.example", username="u", folder=str(folder), after="archive")
    taken: list[bytes] = []

    def mailbox_class(_: str) -> type[Mailbox]:
        return skeleton("mailbox").FolderMailbox

    wiring = Wiring(
        lambda arrivals: taken.extend(each.raw for each in arrivals),
        inboxes=lambda: [inbox],
        settings=Settings,
        mailbox_class=mailbox_class,
    )
    for _ in range(2):
        FetcherSource(desk.app.documents, wiring, clock=desk.clock).once()
    assert taken == raws
    assert sorted(path.name for path in (folder / "archive").iterdir()) == ["0.eml", "1.eml"]


def test_the_mailbox_answers_a_connection_test_and_a_peek(desk: Desk, tmp_path: Path) -> None:
    inbox = an_inbox("box", protocol="imap", host="mail.example", username="u", folder=str(tmp_path))
    wiring = Wiring(
        lambda _: None,
        inboxes=lambda: [inbox],
        settings=Settings,
        mailbox_class=lambda _: skeleton("mailbox").FolderMailbox,
    )
    source = FetcherSource(desk.app.documents, wiring, clock=desk.clock)
    (tmp_path / "one.eml").write_bytes(a_mail())
    assert source.check(inbox).ok
    (peeked,) = source.peek(inbox)
    assert peeked.raw == (tmp_path / "one.eml").read_bytes()
    assert not source.check(replace(inbox, folder=str(tmp_path / "nowhere"))).ok


CLOSE = Part(0, Target("update", "thanks", "a word of thanks", "incident-1"), Block((), "Thanks", "Thanks"))


def test_the_decision_is_a_change_of_its_record() -> None:
    thanks = facts(text="Thank you!\n", subject="Incident#1")
    assert skeleton("decision").is_thanks(thanks)
    change = skeleton("decision").plan_close(thanks, PlainLookups(), replace(CLOSE, record=a_record()))
    assert [(each.name, each.value) for each in change.set] == [("status", "Closed")]
    assert (change.number, change.event, change.activities[0].kind) == ("INC1", "closed", "email")


def test_the_decision_is_planned_by_the_table_of_planners(monkeypatch: pytest.MonkeyPatch) -> None:
    table = {**PLANNERS, "update": skeleton("decision").plan_close}
    monkeypatch.setattr("services.record_writer.decide.plan.PLANNERS", table)
    decision = decide(facts(text="Thanks\n", subject="Incident#1"), PlainLookups(records=(a_record(),)))
    assert (decision.ending, [change.event for change in decision.changes]) == ("recorded", ["closed"])


def test_the_decision_says_so_when_the_record_does_not_exist() -> None:
    assert not skeleton("decision").is_thanks(facts(text="Thanks, but it burns again\n"))
    with pytest.raises(MissingRecord):
        skeleton("decision").plan_close(facts(), PlainLookups(), CLOSE)


def test_the_checks_before_a_commit_are_those_of_the_virtual_environment() -> None:
    """They download nothing, and say the same as continuous integration."""
    (repo,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))["repos"]
    assert repo["repo"] == "local"
    assert {hook["language"] for hook in repo["hooks"]} == {"system"}
    commands = [hook["entry"].removesuffix(" --force-exclude") for hook in repo["hooks"]]
    integration = (ROOT / ".ci/run").read_text("utf-8").replace('"$venv/bin/python"', ".venv/bin/python")
    assert [each for each in commands if each not in integration] == []


def test_the_map_names_folders_that_exist_and_leaves_none_out() -> None:
    text = (ROOT / "docs/architecture.md").read_text("utf-8")
    (found,) = re.findall(r"^## The folders\n\n```\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    named = set(re.findall(r"\b(?:services|shared)/[\w/.]+", found)) - {"services/operator"}
    assert [each for each in sorted(named) if not (ROOT / each).exists()] == []
    folders = {path.parent.name for room in ("services", "shared") for path in ROOT.glob(f"{room}/*/__init__.py")}
    assert [name for name in sorted(folders) if name not in found] == []
