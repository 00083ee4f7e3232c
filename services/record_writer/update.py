"""Plan an update of an existing record: the new text, the status, what the sender is told. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from services.record_writer.body import Block, typed
from services.record_writer.create import MAX_TEXT, PROPERTY, UNSPECIFIED, plan_task
from services.record_writer.facts import Facts, author_on, kept_attachments, left_out
from shared.contracts.desk import QuickAction, RecordType
from shared.contracts.service import Activity, Change, FieldValue, Notification
from shared.store.documents import Document
from shared.text import shortened

WORKING: Final = "Active"
PRODUCT: Final = "Postroom"


def plan_update(facts: Facts, type_: RecordType, record: Document, block: Block, *, replies: bool, part: str = "0") -> Change:
    """The Change that this mail makes to a record as it stands. `replies`: it answers a mail of ours or of the
    thread, so that only its new part counts (VF-12). Raises `BadValue`.
    """
    group, quick = type_.statuses.group(record["status"]), _mapped(facts, record)
    if group == "closed" and quick is None and not facts.inbox.commands.reopen_closed:
        return _closed(facts, record, block, replies=replies)
    values = {value.name: value.value for value in typed(type_, block.fields) if value.name != type_.number_field}
    values |= _status(type_, group, quick)
    return _change(
        facts,
        record,
        "reopened" if group != "open" and "Status" in values else "updated",
        values=values,
        activities=_activities(facts, record, block, replies=replies) + _moves(facts, record, values),
        notifications=_told(facts, record, f"{_title(type_)} {_bare(record)} has been updated"),
        subordinates=(plan_task(facts, part),) if _wants_task(facts, record) else (),
    )


def _mapped(facts: Facts, record: Document) -> QuickAction | None:
    """The quick action for the record's current status (IV-39)."""
    if record["type"] != "incident":
        return None
    found = next((each for each in facts.inbox.status_mapping if each.enabled and each.status == record["status"]), None)
    return facts.configuration.quick_action(found.quick_action) if found else None


def _status(type_: RecordType, group: str | None, quick: QuickAction | None) -> dict[str, Any]:
    """The quick action's fields; by default a resolved record is worked on again (IV-39, VF-14)."""
    if quick is not None:
        return dict(quick.set)
    if group == "open" or not type_.statuses.open:
        return {}
    return {"Status": WORKING if WORKING in type_.statuses.open else type_.statuses.open[0]}


def _closed(facts: Facts, record: Document, block: Block, *, replies: bool) -> Change:
    """A closed record stays closed (VF-13); the sender is told whatever the auto-reply switch says."""
    number = _bare(record)
    if facts.inbox.commands.update_closed:
        told = f"Call No {number} has been updated by {PRODUCT}."
        activities = _activities(facts, record, block, replies=replies)
        return _change(facts, record, "updated", activities=activities, notifications=_answer(facts, told, "closed"))
    told = f"Call No {number} is already closed and has not been updated."
    return _change(facts, record, "none", notifications=_answer(facts, told, "closed"))


def _change(
    facts: Facts,
    record: Document,
    event: str,
    *,
    values: Mapping[str, Any] | None = None,
    activities: tuple[Activity, ...] = (),
    notifications: tuple[Notification, ...] = (),
    subordinates: tuple[Change, ...] = (),
) -> Change:
    given = dict(values or {})
    own = {PROPERTY[name]: given.pop(name) for name in PROPERTY if name in given}
    if event != "none":
        own["updated_by_mail"] = True
    return Change(
        action="none" if event == "none" else "update",
        type=record["type"],
        record_id=record["_id"],
        number=record["number"],
        serial=record["serial"],
        event=event,
        set=tuple(FieldValue(name, value) for name, value in own.items()),
        fields=tuple(FieldValue(name, value) for name, value in given.items()),
        activities=activities,
        notifications=notifications,
        customer=facts.sender.person_id,
        subordinates=subordinates,
    )


def _activities(facts: Facts, record: Document, block: Block, *, replies: bool) -> tuple[Activity, ...]:
    """The mail as a note: only the new part of a reply, if replies are truncated (VF-12)."""
    text = block.text
    if replies and facts.settings.truncate_replies and block.text == facts.mail.text:
        text = facts.mail.new_text or facts.mail.text
    kept, restricted = kept_attachments(facts)
    author = author_on(facts, record)
    email = Activity("email", shortened(text, MAX_TEXT), author, kept, UNSPECIFIED)
    return (email, Activity("note", left_out(restricted), author)) if restricted else (email,)


def _moves(facts: Facts, record: Document, values: Mapping[str, Any]) -> tuple[Activity, ...]:
    after = values.get("Status")
    if after is None or after == record["status"]:
        return ()
    return (Activity("status", f"Status: {record['status']} → {after}", author_on(facts, record)),)


def _told(facts: Facts, record: Document, subject: str) -> tuple[Notification, ...]:
    """The reply to an update (VF-20): for calls by the inbox's switch, for all else always."""
    if record["type"] == "incident" and not facts.inbox.commands.reply_on_update:
        return ()
    text = f"{subject}.\n\nSubject: {record['subject']}\nStatus: {record['status']}\n"
    return _answer(facts, subject, "updated", text)


def _answer(facts: Facts, subject: str, kind: str, text: str | None = None) -> tuple[Notification, ...]:
    address = facts.sender.address
    if not facts.may_answer or address is None:
        return ()
    return (Notification((address.address,), subject, text or f"{subject}\n", kind, facts.mail.message_id),)


def _wants_task(facts: Facts, record: Document) -> bool:
    return facts.inbox.task_for_every_email and record["type"] == "incident"


def _bare(record: Document) -> str:
    return str(record["number"])


def _title(type_: RecordType) -> str:
    """What the product's replies call a type: an incident is a call, a service request a request."""
    return {"incident": "Call", "service_request": "Request"}.get(type_.name, type_.label)
