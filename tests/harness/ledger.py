"""The sender's own list, held against what the desk made of it: nothing lost, nothing doubled.

Independent of the product: it knows what was sent because it sent it, and reads the store's documents as they are.
Every breach is named after the invariant that it breaks.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services import pipeline
from services.operator.health import conservation
from shared.app import App
from shared.ids import mail_id
from shared.store.documents import Documents
from tests.harness.mails import Sent

TERMINAL = {"recorded", "commanded", "exported", "rejected", "dead"}
Effects = Mapping[str, Counter[Any]]


@dataclass(frozen=True, slots=True)
class Breach:
    """An invariant that does not hold, and how."""

    invariant: str
    detail: str


def id_of(sent: Sent) -> str:
    """The identity that the design gives this mail."""
    return mail_id(sent.inbox or "support", None, hashlib.sha256(sent.raw).hexdigest())


def breaches(app: App, sent: Sequence[Sent], undisturbed: Effects | None = None) -> list[Breach]:
    """Everything that is wrong with a desk that has come to rest."""
    store = app.documents
    found = [*_mails(store, sent), *_records(store), *_left_over(app)]
    if undisturbed is not None:
        found += _differences(effects(store), undisturbed)
    return found


def _mails(store: Documents, sent: Sequence[Sent]) -> Iterator[Breach]:
    mails = {mail["_id"]: mail for mail in store.find("mails", {})}
    for each in sent:
        mail = mails.pop(id_of(each), None)
        if mail is None:
            yield Breach("lost", f"{each.label}: no document")
            continue
        if mail["outcome"] is None:
            yield Breach("lost", f"{each.label}: no outcome")
        elif mail["outcome"] not in ({each.outcome} if each.outcome else TERMINAL):
            yield Breach("outcome", f"{each.label}: {mail['outcome']} instead of {each.outcome}: {mail['reason']}")
        if mail["outcome"] in ("rejected", "dead") and not mail["reason"]:
            yield Breach("reason", f"{each.label}: {mail['outcome']} without a reason")
        if not _intact(store, mail["raw"], each.raw):
            yield Breach("raw", f"{each.label}: the raw mail is not what was sent")
    for id_ in mails:
        yield Breach("doubled", f"a mail that nobody sent: {id_}")


def _intact(store: Documents, sha256: str, raw: bytes) -> bool:
    try:
        return sha256 == hashlib.sha256(raw).hexdigest() and store.get_blob(sha256) == raw
    except LookupError:
        return False


def _records(store: Documents) -> Iterator[Breach]:
    records = list(store.find("records", {}))
    for number, times in Counter((each["type"], each["number"]) for each in records).items():
        if times > 1:
            yield Breach("numbers", f"{times} records are called {number}")
    for each in records:
        if each["pending"]:
            yield Breach("left over", f"{each['number']} has entries that were never let go: {len(each['pending'])}")
    known = {each["_id"]: each["number"] for each in records}
    for answer in store.find("outbox", {}):
        if answer["record_id"] in known and answer["record"] != known[answer["record_id"]]:
            yield Breach("numbers", f"{answer['subject']!r} is about {known[answer['record_id']]}")
    for mail in store.find("mails", {}):
        labels = [label["id"] for label in mail["records"]]
        if len(set(labels)) < len(labels) or not set(labels) <= known.keys():
            yield Breach("labels", f"the records of {mail['subject']!r} are {mail['records']}")
        if mail["outcome"] == "recorded" and not labels:
            yield Breach("records", f"{mail['subject']!r} is recorded, but names no record")
        yield from _wrong_numbers(store, mail)


def _wrong_numbers(store: Documents, mail: Mapping[str, Any]) -> Iterator[Breach]:
    for label in mail["records"]:
        record = store.get("records", label["id"])
        if record and record["number"] != label["number"]:
            yield Breach("labels", f"{mail['subject']!r} calls {record['number']} {label['number']}")


def _left_over(app: App) -> Iterator[Breach]:
    for problem in conservation.check(app, patience=0).problems:
        yield Breach("conservation", problem)
    if in_flight := app.broker.in_flight():
        yield Breach("conservation", f"{in_flight} messages are in flight on a desk at rest")


def _differences(found: Effects, undisturbed: Effects) -> Iterator[Breach]:
    for name in undisturbed:
        for one, times in (found[name] - undisturbed[name]).items():
            yield Breach(name, f"{times} too many: {one}")
        for one, times in (undisturbed[name] - found[name]).items():
            yield Breach(name, f"{times} missing: {one}")


def effects(store: Documents) -> Effects:
    """What mails have done, by content: without times, and with numbers blotted out, for their order is free."""
    return {
        "outcomes": _counted(
            (m["_id"], m["outcome"], _uncapped(_blot(m["reason"])), len(m["records"])) for m in store.find("mails", {})
        ),
        "records": _counted(_record(each) for each in store.find("records", {})),
        "activities": _counted(_activity(each) for each in store.find("activities", {})),
        "notifications": _counted(
            (tuple(m["to"]), _blot(m["subject"]), _blot(m["text"]), m["kind"], m["state"], m["record_id"])
            for m in store.find("outbox", {})
        ),
        "history": _counted(
            (h["person_id"], h["mail_id"], h["record_id"], h["event"]) for h in store.find("history", {})
        ),
        "links": _counted((e["from_id"], e["to_id"], e["relationship"]) for e in store.find("links", {})),
        "people": _counted((p["_id"], p["name"], tuple(p["addresses"])) for p in store.find("people", {})),
        "letters": _counted(
            (d["mail_id"], d["stage"], d["queue"], d["state"], d["incident"] is None)
            for d in store.find("dead_letters", {})
        ),
        "firings": _counted((f["_id"], len(f["emitted"])) for f in store.find("firings", {})),
        "journal": _journal(store),
    }


def _counted(things: Iterable[Any]) -> Counter[Any]:
    return Counter(things)


def _journal(store: Documents) -> Counter[Any]:
    """Which decision each stage came to; coming to it twice, waiting before, or finding it made, does not count."""
    entries = {(each["mail_id"], each["stage"], each["decision"]) for each in store.find("journal", {})}
    idle = {
        ("parser", "done"),
        ("record-writer", "done"),
        *((stage, why) for stage in pipeline.STAGES for why in ("wait", "retry")),
    }
    return Counter(each for each in entries if each[1:] not in idle)


def _record(record: Mapping[str, Any]) -> tuple[Any, ...]:
    """With its version: who plans twice, or writes twice, moves it once more."""
    plain = (
        "_id",
        "type",
        "version",
        "status",
        "subject",
        "customer",
        "origin",
        "parent",
        "owner_team",
        "updated_by_mail",
    )
    fields = tuple(sorted((name, str(value)) for name, value in record["fields"].items()))
    return (*(_blot(record.get(name)) for name in plain), fields)


def _activity(activity: Mapping[str, Any]) -> tuple[Any, ...]:
    text = "" if activity["kind"] == "error" else _blot(activity["text"])
    files = tuple((each["filename"], each["sha256"]) for each in activity["attachments"])
    return activity["record_id"], activity["kind"], text, activity["by"], activity["mail_id"], files


def _blot(value: Any) -> Any:
    return re.sub(r"\b(INC|PRB|TSK|SR)\d+", r"\1#", value) if isinstance(value, str) else value


def _uncapped(reason: Any) -> Any:
    """A reason without the limit on automatic mail: which of many mails at once reach it is free."""
    return (
        re.sub(r"; not answered: the limit \S+ \(\d+\) is reached$", "", reason) if isinstance(reason, str) else reason
    )
