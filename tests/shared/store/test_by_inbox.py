"""Lists of some inboxes are filtered by the store, however many rows of others lie before; on both stores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.contracts.errors import Unsupported
from shared.store.by_inbox import find_in_inboxes
from shared.store.dead_letters import OPEN, DeadLetters
from shared.store.documents import Documents
from shared.store.indexes import INDEXES
from shared.store.mails import MailQuery, Mails
from shared.store.outbox import Outbox
from shared.store.people import People
from shared.store.records import Records
from tests.servers.documents import Place, uses_index

START = datetime(2026, 11, 20, tzinfo=UTC)
MANY = 300
"""Rows of another inbox that are newer than all others."""


def at(number: int) -> datetime:
    return START + timedelta(minutes=number)


def a_record(number: int, inbox: str | None) -> dict[str, Any]:
    common = {"_id": f"r{number:04}", "type": "incident", "serial": number, "number": f"INC{number}", "version": 1}
    return {**common, "status": "Open", "inbox": inbox, "created_at": at(number), "deleted": None}


def an_outgoing_mail(number: int, inbox: str | None) -> dict[str, Any]:
    text = {"to": ["a@b.example"], "subject": "", "text": "", "kind": "reply", "message_id": f"<{number}@x>"}
    return {"_id": f"o{number:04}", **text, "state": "sent", "inbox": inbox, "at": at(number)}


def a_mail(number: int, inbox: str | None) -> dict[str, Any]:
    said = {"raw": "x", "subject": "", "outcome": "recorded", "records": []}
    return {"_id": f"m{number:04}", **said, "inbox": inbox or "none", "received_at": at(number)}


def a_letter(number: int, inbox: str | None) -> dict[str, Any]:
    message = {"id": "m", "type": "", "content_type": "", "correlation_id": "", "headers": [], "body": "x"}
    said = {"stage": "filter", "queue": "filter", "reason": "gone", "mail_id": None, "state": "open"}
    return {"_id": f"l{number:04}", **said, "inbox": inbox, "at": at(number), "message": message}


def an_entry(number: int, inbox: str | None) -> dict[str, Any]:
    done = {"record_id": "r", "type": "incident", "number": "INC1", "event": "created"}
    return {
        "_id": f"h{number:04}",
        "person_id": "anna",
        "mail_id": f"m{number}",
        **done,
        "at": at(number),
        "inbox": inbox,
    }


Read = Callable[[Documents, int, int, Sequence[str]], list[str]]
LISTS: dict[str, tuple[str, Callable[[int, str | None], dict[str, Any]], Read]] = {
    "records": (
        "records",
        a_record,
        lambda store, limit, skip, inboxes: [each.id for each in Records(store).list(limit, skip, inboxes=inboxes)],
    ),
    "records of a status": (
        "records",
        a_record,
        lambda store, limit, skip, inboxes: [
            each.id for each in Records(store).list(limit, skip, type_="incident", statuses=["Open"], inboxes=inboxes)
        ],
    ),
    "outbox": (
        "outbox",
        an_outgoing_mail,
        lambda store, limit, skip, inboxes: [
            each.id for each in Outbox(store).recent(None, limit, skip, inboxes=inboxes)
        ],
    ),
    "outbox of a state": (
        "outbox",
        an_outgoing_mail,
        lambda store, limit, skip, inboxes: [
            each.id for each in Outbox(store).recent("sent", limit, skip, inboxes=inboxes)
        ],
    ),
    "mails": (
        "mails",
        a_mail,
        lambda store, limit, skip, inboxes: [
            each.id for each in Mails(store).recent(MailQuery(inboxes=tuple(inboxes)), limit, skip)
        ],
    ),
    "mails of an outcome": (
        "mails",
        a_mail,
        lambda store, limit, skip, inboxes: [
            each.id for each in Mails(store).recent(MailQuery(inboxes=tuple(inboxes), outcome="recorded"), limit, skip)
        ],
    ),
    "dead letters": (
        "dead_letters",
        a_letter,
        lambda store, limit, skip, inboxes: [
            each.id for each in DeadLetters(store).recent(OPEN, limit, skip, inboxes=inboxes)
        ],
    ),
}


@pytest.mark.parametrize(("collection", "row", "read"), LISTS.values(), ids=LISTS)
def test_rows_of_other_inboxes_hide_none_and_pages_are_whole(
    documents: Documents, collection: str, row: Callable[[int, str | None], dict[str, Any]], read: Read
) -> None:
    documents.ensure([each for each in INDEXES if each.collection == collection])
    own = [row(number, ("sales", "support")[number % 2]) for number in range(7)]
    others = [row(number, ("other", None)[number % 2]) for number in range(10, 10 + MANY)]
    documents.insert_many(collection, [*own, *others])
    newest = [each["_id"] for each in reversed(own)]
    both = ("sales", "support")
    assert read(documents, 0, 0, both) == newest
    assert [read(documents, 3, skip, both) for skip in (0, 3, 6, 9)] == [newest[:3], newest[3:6], newest[6:], []]
    assert read(documents, 2, 1, ["sales"]) == newest[2::2][:2]
    assert read(documents, 5, 0, ["unknown"]) == []
    assert read(documents, 5, 0, []) == []


def test_the_history_of_a_person_is_that_of_the_inboxes(documents: Documents) -> None:
    documents.ensure([each for each in INDEXES if each.collection == "history"])
    rows = [an_entry(1, "sales"), an_entry(2, "support"), *(an_entry(number, "other") for number in range(3, MANY))]
    old = {name: value for name, value in an_entry(0, None).items() if name != "inbox"}
    documents.insert_many("history", [*rows, old])
    people = People(documents)
    assert [each.id for each in people.history("anna", 9, inboxes=("sales", "support"))] == ["h0002", "h0001"]
    assert [each.id for each in people.history_without_inbox("anna", 9)] == ["h0000"]
    assert len(list(people.history("anna", 0))) == MANY


@pytest.mark.parametrize(
    ("collection", "where", "sort"),
    [
        ("records", {"deleted": None}, (("created_at", -1), ("serial", -1))),
        ("outbox", {}, (("at", -1),)),
        ("dead_letters", {"state": "open"}, (("at", -1),)),
        ("history", {"person_id": "anna"}, (("at", -1),)),
    ],
)
def test_a_page_of_one_inbox_is_found_by_an_index(
    documents: Documents, place: Place, collection: str, where: dict[str, Any], sort: Any
) -> None:
    documents.ensure([each for each in INDEXES if each.collection == collection])
    with place.may_differ("explain"):
        assert uses_index(documents, collection, {**where, "inbox": "support"}, sort)


def test_answers_in_two_directions_are_not_merged(documents: Documents) -> None:
    with pytest.raises(Unsupported):
        list(find_in_inboxes(documents, "records", {}, ["a"], sort=(("a", 1), ("b", -1))))
