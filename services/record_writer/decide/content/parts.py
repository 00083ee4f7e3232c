"""The parts of a mail and what each is about: the body language applied to the inbox's type.

Incident inboxes read no body language: one part, the whole text. All others split by the record marker and read
fields; a block that holds the unique key goes to the record it names (IV-42). A service-request inbox only updates
(IV-35).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from services.record_writer.decide.content import body
from services.record_writer.decide.content.body import Block, whole
from services.record_writer.decide.facts import Facts
from services.record_writer.decide.lookups import Lookups
from services.record_writer.decide.recognition.hint import Hint, unquoted
from services.record_writer.decide.recognition.target import SERVICE_REQUEST, by_number, find, why_not_allowed
from shared.config.model import APPROVAL, INCIDENT, RecordType, folded
from shared.contracts.change import Target
from shared.contracts.errors import PostroomError
from shared.subject_prefixes import is_prefixed
from shared.text import shortened

ALWAYS_PROTECTED = ("Status", "Owner", "OwnerTeam", "Priority")
"""Properties that only analysts set by mail, in every type (IV-42)."""
MAX_SAME = 250
"""Parts of one mail that may change the same record."""


def blocks_of(facts: Facts) -> list[Block]:
    """The parts, in order. The new text of a reply is read, so that what it quotes sets nothing. Raises `BadValue`."""
    type_ = facts.configuration.type_named(facts.inbox.processor)
    if type_ is None or type_.name == INCIDENT or not (facts.inbox.record_marker or facts.inbox.field_separator):
        return [whole(facts.mail.text)]
    text, separator, form = _own_text(facts), facts.inbox.field_separator, body.form_of(type_, protected(facts, type_))
    cut = body.parts(text, facts.inbox.record_marker)
    if len(cut) > 1:
        blocks = [body.read(part, separator, form) for part in cut]
        return [block for block in blocks if not body.is_signature(block)] or blocks
    (block,) = (body.read(part, separator, form) for part in cut)
    return [replace(block, raw=facts.mail.text)] if block.fields or block.withheld else [whole(facts.mail.text)]


def protected(facts: Facts, type_: RecordType) -> frozenset[str]:
    """The fields that this sender does not set by mail (IV-42); Status cannot decide an approval (VF-18).

    Fields by which an inbox recognises its senders are among them: with one, a sender could act as another person.
    """
    if facts.is_analyst:
        return frozenset({"Status"}) if type_.name == APPROVAL else frozenset()
    objects = (inbox.sender.object for inbox in facts.configuration.inboxes)
    matched = {each.match_from_field for each in objects if each and type_.is_called(each.type)} - {None}
    folded = {name.casefold() for name in (*ALWAYS_PROTECTED, *type_.protected, *filter(None, matched))}
    return frozenset(name for folded_name, name in body.names_of(type_).items() if folded_name in folded)


def _own_text(facts: Facts) -> str:
    """The text that the sender wrote. A reply without new text is all quotation, and creates and sets nothing."""
    text, marker = facts.mail.new_text or facts.mail.text, facts.inbox.record_marker or ""
    mail = facts.mail
    replies = mail.in_reply_to or mail.references or is_prefixed(mail.subject)
    return unquoted(text) if replies and not marker.startswith(">") else text


def targets_of(facts: Facts, blocks: Sequence[Block], lookups: Lookups) -> Sequence[Target]:
    """The target of each part."""
    type_ = facts.configuration.type_named(facts.inbox.processor)
    if type_ is None or type_.name == INCIDENT:
        return [find(facts, lookups)]
    if facts.inbox.update_only or folded(type_.name) == SERVICE_REQUEST:
        return list(_bounded(_one_incident(_update_only(facts, type_, block, lookups) for block in blocks)))
    if len(blocks) == 1 and not key_of(blocks[0], type_):
        return [find(facts, lookups)]
    return list(_bounded(_target(facts, type_, block, lookups) for block in blocks))


def _target(facts: Facts, type_: RecordType, block: Block, lookups: Lookups) -> Target:
    if several := _several(block, type_):
        return several
    key = key_of(block, type_)
    if key is None:
        return Target("new", "none", f"the part names no {type_.number_field}")
    return _keyed(facts, type_, key, lookups)


def _keyed(facts: Facts, type_: RecordType, key: str, lookups: Lookups) -> Target:
    """The record of this key. One that the sender may not update is treated like a missing one (IV-42)."""
    missing = f"there is no {type_.label} {key}"
    serial = _serial_in(key.strip(), type_)
    target = None if serial is None else by_number(facts, Hint(type_, key, serial), lookups)
    if target and target.kind == "update":
        return replace(target, step="unique-key")
    why = missing if target is None or target.missing else f"{type_.label} {key}: {why_not_allowed(facts)}"
    return Target("none", "unique-key", why, missing=missing)


def _serial_in(key: str, type_: RecordType) -> int | None:
    """The counter in a key as it is shown (CHG1) or bare (1); None for any other text, and for a number with a sign."""
    shown = rf"{re.escape(type_.prefix)}[\s#-]{{0,2}}|" if type_.prefix else ""
    found = re.fullmatch(rf"(?:{shown}#?\s?)(\d{{1,18}})", key, re.IGNORECASE)
    return int(found[1]) if found else None


def key_of(block: Block, type_: RecordType) -> str | None:
    """The number that a block names by the unique key, as written."""
    return next((value for name, value in block.fields if name == type_.number_field and value), None)


def _several(block: Block, type_: RecordType) -> Target | None:
    """Refuse a part about more than one record: it is unclear which of its fields belong to which record."""
    keys = dict.fromkeys(value.casefold() for name, value in block.fields if name == type_.number_field and value)
    if len({_serial_in(key, type_) or key for key in keys}) < 2:
        return None
    listed = shortened(", ".join(keys), 200)
    return Target("none", "unique-key", f"the part names several records ({listed}); separate them by a record marker")


def _update_only(facts: Facts, type_: RecordType, block: Block, lookups: Lookups) -> Target:
    """A request is updated, by its number in the body or the subject; not found, a new incident (IV-35)."""
    if several := _several(block, type_):
        return several
    key = key_of(block, type_)
    named = _keyed(facts, type_, key, lookups) if key else None
    found = named if named and named.kind == "update" else find(facts, lookups)
    if found.kind != "new":
        return found
    missing = f"there is no {type_.label} {key}" if key else found.missing
    why = f"{found.why}; {type_.label} records are not made by mail"
    return Target("new", found.step, why, related=found.related, type=INCIDENT, missing=missing)


def _bounded(targets: Iterable[Target]) -> Iterator[Target]:
    """Refuse too many parts about one record: each is kept in the record's document until all are written."""
    seen = Counter[str]()
    for target in targets:
        seen[target.record_id or ""] += 1
        if target.record_id and seen[target.record_id] > MAX_SAME:
            yield Target("none", target.step, f"more than {MAX_SAME} parts of the mail are about one record")
        else:
            yield target


def _one_incident(targets: Iterable[Target]) -> Iterator[Target]:
    """Make one incident with the whole mail, however many parts find no record."""
    made = False
    for target in targets:
        if made and target.kind == "new":
            yield Target("covered", target.step, "covered by the incident for the whole mail", missing=target.missing)
        else:
            made = made or target.kind == "new"
            yield target


def type_for(facts: Facts, target: Target) -> RecordType:
    """The type of record that this inbox makes; a target may say that it is an incident all the same (IV-35)."""
    name = target.type or facts.inbox.processor
    found = facts.configuration.type_named(name)
    if found is None:
        raise PostroomError(f"there is no record type {name!r}")
    return found
