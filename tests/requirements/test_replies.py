"""Nothing that a person wrote vanishes from a reply (PR-19): mails in, activities out."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.operator.service_desk import records
from shared.store.record import StoredActivity
from tests.builders import a_mail
from tests.desk import Desk

FIELD = Path(__file__).resolve().parents[3] / "shared" / "corpus" / "field"
KEPT = {
    "reply-own-passage": ("Your serial 778 is under warranty until 2028.",),
    "log-pasted-into-reply": (
        "Here is what the log says:",
        "Subject: job 17",
        "and then it hangs. Please fix the queue.",
    ),
    "answers-in-red": ("Which paper do you use? Plain A4", "Since when? Monday"),
}
FIRST = a_mail("My laptop is slow, since Monday.\n", Message_ID="<first@customer.example>", subject="Laptop")


def newest(desk: Desk, *raws: bytes) -> StoredActivity:
    """The activity that the last mail adds to the record of the first."""
    for raw in raws:
        desk.receive(raw)
    (record,) = desk.records()
    stored = desk.app.records.get(record["_id"])
    assert stored is not None
    return [each for each in records.view(desk.app, stored, 50).activities if each.kind == "email"][-1]


def answer(text: str) -> bytes:
    return a_mail(text, subject="Re: Laptop", In_Reply_To="<first@customer.example>")


@pytest.mark.req("PR-19")
@pytest.mark.skipif(not FIELD.is_dir(), reason="the mails of the field are not beside the checkout")
@pytest.mark.parametrize("name", KEPT)
def test_the_words_of_the_sender_stay(desk: Desk, name: str) -> None:
    entry = newest(desk, *((FIELD / f"{name}-{number}.eml").read_bytes() for number in (1, 2)))
    assert all(words in entry.text for words in KEPT[name])


@pytest.mark.req("PR-19", "VF-12")
def test_what_was_left_out_is_found_in_the_mail_of_the_activity(desk: Desk) -> None:
    entry = newest(desk, FIRST, answer("Still slow.\n\n> My laptop is slow,\n> since Monday.\n\n-- \nAnna\n"))
    assert (entry.text, entry.shortened) == ("Still slow.", True)
    mail = desk.app.mails.get(entry.mail_id or "")
    assert mail is not None
    assert b"> since Monday." in desk.app.mails.source(mail)


@pytest.mark.req("PR-19")
def test_quoted_lines_that_stand_nowhere_before_are_the_senders(desk: Desk) -> None:
    own = "The vendor says:\n\n> Your serial 778 is under warranty.\n\nPlease check."
    entry = newest(desk, FIRST, answer(own))
    assert (entry.text, entry.shortened) == (own, False)
