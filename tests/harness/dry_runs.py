"""What `try` says of a mail, and what is then written, in a form in which the two can be compared."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from shared.store.documents import Document
from tests.desk import Desk

COLLECTIONS = (
    "activities", "arrivals", "counters", "dead_letters", "history", "journal", "links", "mails", "outbox", "people",
    "records",
)  # fmt: skip


def everything(desk: Desk) -> dict[str, list[Document]]:
    """All documents of a desk."""
    return {name: sorted(desk.store.find(name, {}), key=lambda each: each["_id"]) for name in COLLECTIONS}


def compared(said: Mapping[str, Any]) -> dict[str, Any]:
    """What the dry run says."""
    people = [each["new_person"]["id"] for each in said["changes"] if each["new_person"]]
    return {
        "outcome": (said["outcome"], said["reason"]),
        "changes": sorted(_change(each) for each in _of_one_record(said["changes"])),
        "letters": _letters(said["notifications"]),
        "people": sorted(people),
    }


def compared_with_what_is_written(desk: Desk, raw: bytes, inbox: str | None) -> dict[str, Any]:
    """What the pipeline then does, in the words of the dry run."""
    before = everything(desk)
    (mail,) = desk.receive(raw, inbox=inbox)
    after = everything(desk)
    new = {name: _without(after[name], before[name]) for name in COLLECTIONS}
    return {
        "outcome": (mail["outcome"], mail["reason"]),
        "changes": sorted(_change(each) for each in _changed(before["records"], after["records"], new)),
        "letters": _letters(new["outbox"]),
        "people": [each["_id"] for each in new["people"]],
    }


def _of_one_record(changes: Iterable[Mapping[str, Any]]) -> Iterable[Mapping[str, Any]]:
    """Several changes of one record as one: what they add together."""
    merged: dict[str, dict[str, Any]] = {}
    for change in changes:
        before = merged.setdefault(change["number"], {**change, "activities": [], "links": []})
        for name in ("activities", "links"):
            before[name] = [*before[name], *change[name]]
    return merged.values()


def _without(after: Iterable[Document], before: Iterable[Document]) -> list[Document]:
    known = {each["_id"] for each in before}
    return [each for each in after if each["_id"] not in known]


def _changed(
    before: list[Document], records: list[Document], new: Mapping[str, list[Document]]
) -> Iterable[dict[str, Any]]:
    old = {each["_id"]: each for each in before}
    numbers = {each["_id"]: each["number"] for each in records}
    for record in records:
        if record["_id"] in old and record["updated_at"] == old[record["_id"]]["updated_at"]:
            continue
        links = [each for each in new["links"] if each["from_id"] == record["_id"]]
        yield {
            **{name: record[name] for name in ("type", "number", "customer", "status", "fields")},
            "action": "update" if record["_id"] in old else "create",
            "activities": [each for each in new["activities"] if each["record_id"] == record["_id"]],
            "links": [{"relationship": each["relationship"], "number": numbers[each["to_id"]]} for each in links],
        }


def _change(change: Mapping[str, Any]) -> tuple[Any, ...]:
    """A change in a form in which both sides can be compared: an update is shown by what it adds."""
    created = change["action"] == "create"
    activities = sorted(
        (each["kind"], each["by"], _without_letter(each["text"]), [file["filename"] for file in each["attachments"]])
        for each in change["activities"]
    )
    status = change.get("status") or change["set"].get("status")
    return (
        change["number"],
        change["action"],
        str(change["customer"]) if created else "",
        status if created else "",
        sorted(change["fields"].items()) if created else [],
        activities,
        sorted((each["relationship"], each["number"]) for each in change["links"]),
    )


def _letters(notifications: Iterable[Mapping[str, Any]]) -> list[tuple[Any, ...]]:
    return sorted((each["to"], each["subject"], each["text"], each["kind"]) for each in notifications)


def _without_letter(text: str) -> str:
    """An incident on error without what is known only when the letter is kept: its id and the time."""
    return re.sub(r"(Dead letter|Time): .*", r"\1", text)
