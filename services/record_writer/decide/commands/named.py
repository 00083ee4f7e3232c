"""Which record a command names: `#n` of the types that it is about, or the type and the number in its words. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from services.record_writer.decide.answers.automatic_mail import title
from services.record_writer.decide.automation.approvals import is_approval
from services.record_writer.decide.commands.command import Command
from services.record_writer.decide.facts import Facts
from services.record_writer.decide.lookups import Lookups
from services.record_writer.decide.recognition.merged import survivor
from services.record_writer.decide.recognition.target import why_allowed
from shared.config.model import APPROVAL, RecordType
from shared.store.record import Record

TYPES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {"close": ("incident",), "approve": (APPROVAL, "task"), "reject": (APPROVAL, "task")}
)
"""Kind of command → the types of records that it is about; the first that has the number counts."""
EDITS: Final = ("update", "delete")
"""Kinds of commands whose words name the type of the record."""


def numbers_of(facts: Facts, command: Command) -> list[tuple[RecordType, int]]:
    """The numbers that the command names, each as one of a type."""
    if command.kind in EDITS:
        edited = command.edited(facts.configuration)
        return [(edited[0], edited[1])] if edited and edited[1] is not None else []
    types = (facts.configuration.type_named(name) for name in TYPES.get(command.kind, ()))
    return [(type_, serial) for type_ in types if type_ and (serial := command.serial(type_)) is not None]


def record_named(facts: Facts, lookups: Lookups, command: Command) -> Record | None:
    """The record that the command names; a deleted one only for who may update it."""
    for type_, serial in numbers_of(facts, command):
        record = lookups.numbered(type_.name, serial, deleted=True)
        if record is None or (command.kind in {"approve", "reject"} and not is_approval(record)):
            continue
        if not record.deleted or why_allowed(facts, record, lookups):
            return survivor(record, lookups)
    return None


def form_of(facts: Facts, command: Command) -> tuple[str, str]:
    """What a command of this kind names, in words, and how it is written."""
    if command.kind in EDITS:
        return "record by type and number", f"[{command.kind.title()} Ticket - 12]"
    type_ = facts.configuration.type_named(TYPES[command.kind][0])
    assert type_ is not None  # a built-in type
    return title(facts, type_), f"[{command.kind.upper()}#12]"
