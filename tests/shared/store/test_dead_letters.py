"""Dead letters: each message that failed is kept once, whatever its publisher called it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shared.embedded.documents import EmbeddedDocuments
from shared.runtime.broker import DEAD_LETTER, INTAKE, Message
from shared.store.dead_letters import DeadLetters, LetterQuery

AT = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.fixture
def letters(tmp_path: Path) -> Iterator[DeadLetters]:
    store = EmbeddedDocuments(tmp_path / "data")
    yield DeadLetters(store)
    store.close()


def keep(letters: DeadLetters, body: bytes, name: str = "", queue: str = "filter") -> tuple[str, bool]:
    message = Message(name, DEAD_LETTER, body, headers={"queue": queue, "reason": "this is not an event"})
    return letters.keep(message, mail_id=None, inbox=None, at=AT)


@pytest.mark.req("PR-01", "PR-12")
@pytest.mark.parametrize("queue", ["filter", INTAKE, ""])
@pytest.mark.parametrize("name", ["", "always-the-same"])
def test_messages_that_share_their_id_or_have_none_are_each_kept(letters: DeadLetters, name: str, queue: str) -> None:
    kept = [keep(letters, body, name, queue) for body in (b"one", b"two", b"three")]
    assert [new for _, new in kept] == [True, True, True]
    bodies = {letters.message(letter).body for letter in letters.recent(LetterQuery(), 10)}
    assert bodies == {b"one", b"two", b"three"}


def test_messages_of_two_types_are_two_letters_whatever_they_say(letters: DeadLetters) -> None:
    def ids(type_: str) -> tuple[str, bool]:
        message = Message("", DEAD_LETTER, b"{}", type_, headers={"queue": "record-writer"})
        return letters.keep(message, mail_id=None, inbox=None, at=AT)

    assert [ids("SenderMatched")[1], ids("RecordChanged")[1], ids("SenderMatched")[1]] == [True, True, False]


def test_a_message_that_is_delivered_again_is_kept_once(letters: DeadLetters) -> None:
    (first, new), (second, again) = keep(letters, b"one"), keep(letters, b"one")
    assert (first, new, again) == (second, True, False)


@pytest.mark.req("PR-15")
def test_an_event_of_a_mail_that_was_made_twice_is_kept_once(letters: DeadLetters) -> None:
    """Its sender has got another role between the two."""
    headers: dict[str, str | int] = {"queue": "record-writer", "cause": "the mail's arrival"}
    made = [
        Message("derived", DEAD_LETTER, body, "SenderMatched", correlation_id="mail-1", headers=headers)
        for body in (b"an analyst", b"an analyst and a user")
    ]
    assert [letters.keep(each, mail_id="mail-1", inbox=None, at=AT)[1] for each in made] == [True, False]
