"""A Change as the document of its record: what is new, what an update sets, which numbers are given. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from services.record_writer.decide.model import Decision
from shared.config.model import Configuration
from shared.contracts.change import Change
from shared.contracts.errors import PostroomError
from shared.store.documents import Document
from shared.store.records import search_keys

Serials = Callable[[str], int]
"""The next number of a record type."""


def numbered(change: Change, configuration: Configuration, serials: Serials) -> Change:
    """The change with a number for each record that it makes: objects, then its own, then those below it.

    A plan has no numbers: they are given when it is committed, because what is given out is gone (gaps are allowed,
    repeats are not).
    """
    objects = tuple(numbered(each, configuration, serials) for each in change.objects)
    serial, number = change.serial, change.number
    if change.action == "create":
        type_ = configuration.type_named(change.type)
        if type_ is None:
            raise PostroomError(f"there is no record type {change.type!r}")
        serial = serials(type_.name)
        number = f"{type_.prefix}{serial}"
    subordinates = tuple(numbered(each, configuration, serials) for each in change.subordinates)
    return replace(change, serial=serial, number=number, objects=objects, subordinates=subordinates)


def numbered_decision(decision: Decision, configuration: Configuration, serials: Serials) -> Decision:
    """The decision with all its numbers, in the order in which a commit gives them."""

    def given(change: Change | None) -> Change | None:
        return numbered(change, configuration, serials) if change else None

    parts = tuple(part if part.committed else replace(part, change=given(part.change)) for part in decision.parts)
    return replace(decision, parts=parts, incident=given(decision.incident))


def new_record(change: Change, at: datetime) -> Document:
    """The document of a new record."""
    return {
        "_id": change.record_id,
        "type": change.type,
        "serial": change.serial,
        "number": change.number,
        "customer": change.customer,
        "updated_by_mail": False,
        **{value.name: value.value for value in change.set},
        "fields": {value.name: value.value for value in change.fields},
        "created_at": at,
        "updated_at": at,
    }


def changed_properties(change: Change, record: Document, at: datetime) -> Document:
    """What an update sets on the record's document."""
    changed = {value.name: value.value for value in change.set}
    if change.fields:
        fields = {**record.get("fields", {}), **{value.name: value.value for value in change.fields}}
        changed |= {"fields": fields, "keys": search_keys(change.type, fields)}
    return {**changed, "updated_at": at} if change.action != "none" else changed
