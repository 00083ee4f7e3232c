"""The text of an activity: passages that repeat what the desk knows are left out, all others stay."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from services.record_writer.decide.model import Decision
from services.record_writer.decide.plan import decide
from shared.contracts.change import Activity
from shared.contracts.mail import Passage
from shared.store.record import StoredActivity
from tests.builders import an_inbox, an_outgoing_mail
from tests.plain import PlainLookups, a_record, facts

OLD = "Which paper do you use? Since when does it print stripes?"
QUOTED = "> Which paper do you use? Since\n> when does it print\n>\n> stripes?"
OWN = "> Your serial 778 is under warranty until 2028."
SENT = an_outgoing_mail(message_key="o1@desk", to=(), record_id="incident-1", text=OLD)
THREAD = PlainLookups((a_record(description="My printer prints stripes, and smells."),), sent_mails=(SENT,))
NOTE = StoredActivity("a1", "incident-1", datetime(2026, 11, 20, tzinfo=UTC), 0, "Ann", "note", OLD)


def shown(*passages: Passage, lookups: PlainLookups = THREAD) -> Activity:
    new = "\n\n".join(each.text for each in passages if each.kind == "new")
    text = "\n".join(f"{each.head}\n{each.text}" for each in passages)
    return activity(decide(facts(in_reply_to="<o1@desk>", text=text, new_text=new, passages=passages), lookups))


def activity(decision: Decision) -> Activity:
    return decision.changes[0].activities[0]


def new(text: str) -> Passage:
    return Passage("new", text)


def unannounced(text: str, head: str = "") -> Passage:
    return Passage("unannounced", text, head)


@pytest.mark.req("PR-19")
def test_what_stands_nowhere_before_is_the_senders() -> None:
    entry = shown(new("The vendor says:"), unannounced(OWN), new("Please check."))
    assert entry.text == f"The vendor says:\n\n{OWN}\n\nPlease check."
    assert not entry.shortened


@pytest.mark.req("PR-19", "VF-12")
@pytest.mark.parametrize(
    "lookups",
    [
        THREAD,
        replace(THREAD, sent_mails=(replace(SENT, text=""),), noted=(NOTE,)),
        replace(THREAD, records=(a_record(description=OLD.upper()),), sent_mails=(replace(SENT, text=""),)),
    ],
    ids=["sent", "in the activities", "in the description"],
)
def test_what_the_desk_knows_is_left_out_however_it_is_wrapped(lookups: PlainLookups) -> None:
    entry = shown(new("A4."), unannounced(QUOTED), lookups=lookups)
    assert (entry.text, entry.shortened) == ("A4.", True)


@pytest.mark.req("PR-19")
def test_known_and_own_lines_of_one_passage_are_distinguished() -> None:
    assert shown(new("A4."), unannounced(f"{QUOTED}\n{OWN}")).text == f"A4.\n\n{OWN}"
    assert shown(unannounced("> paper"), new("A4.")).text == "A4."  # a whole passage that is known
    assert shown(unannounced(f"> paper\n{OWN}")).text == f"> paper\n{OWN}"  # a word is there by chance


@pytest.mark.req("PR-19")
def test_the_announcement_goes_with_what_it_announces() -> None:
    head = "From: Bob\nSent: Monday"
    assert shown(new("A4."), unannounced(OLD, head)).text == "A4."
    assert shown(new("It broke."), unannounced("Disk full.", head)).text == f"It broke.\n\n{head}\nDisk full."
    assert shown(unannounced(f"\nDisk full.\n{OLD}", head)).text == f"{head}\nDisk full."


def test_when_all_is_known_the_text_stays() -> None:
    asked = facts(in_reply_to="<o1@desk>", text=QUOTED, new_text=QUOTED, passages=(unannounced(QUOTED),))
    assert activity(decide(asked, THREAD)).text == QUOTED


def test_only_so_many_lines_are_searched_for() -> None:
    lines = "\n".join(f"> line number {number}" for number in range(1000))
    known = replace(THREAD, records=(a_record(description=lines.replace("> ", "")),))
    assert shown(unannounced(f"{OWN}\n{lines}"), lookups=known).text.count("\n") < 1000


@pytest.mark.req("PR-19")
@pytest.mark.parametrize(
    ("keys", "is_shortened"),
    [
        ({"text": "New\n\n> old\n", "new_text": "New"}, True),
        ({"text": "New\n\n-- \nAnna\n", "new_text": "New"}, True),
        ({"text": "New\n \n", "new_text": "New"}, False),
        ({"text": "See below.\n\nA4? Yes", "new_text": "See below.\n\n> A4? Yes"}, False),
        ({"text": "New " * 60_000, "new_text": "New " * 60_000}, True),
        ({"text": "New", "new_text": "New", "defects": ("text-cut",)}, True),
    ],
    ids=[
        "a quotation",
        "a signature",
        "blank lines",
        "answers inside",
        "a very long mail",
        "a mail that the parser cut",
    ],
)
def test_an_activity_says_that_text_was_left_out(keys: dict[str, object], is_shortened: bool) -> None:
    entry = activity(decide(facts(in_reply_to="<o1@desk>", **keys), THREAD))
    assert entry.shortened is is_shortened


@pytest.mark.req("PR-19")
def test_a_part_of_a_mail_says_that_it_is_a_part() -> None:
    inbox = an_inbox("changes", processor="change", record_marker="#", field_separator="$")
    first, second = decide(facts(inbox, text="One\n#Two\n", new_text="One\n#Two\n"), PlainLookups()).changes
    assert [each.activities[0].shortened for each in (first, second)] == [True, True]
