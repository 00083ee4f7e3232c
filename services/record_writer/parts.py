"""The parts of a mail and what each is about: the body language applied to the inbox's type.

Incident inboxes read no body language: one part, the whole text. All others split by the record marker and read
fields; a block that holds the unique key goes to the record it names (IV-42). A service-request inbox only updates
(IV-35).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from services.record_writer import body
from services.record_writer.body import Block
from services.record_writer.facts import Facts
from services.record_writer.target import Hint, Lookups, Target, by_number, find
from shared.contracts.desk import RecordType

INCIDENT = "incident"
SERVICE_REQUEST = "service_request"


def blocks_of(facts: Facts) -> list[Block]:
    """The parts, in order. The new text of a reply is read, so that what it quotes sets nothing."""
    type_ = facts.configuration.type_named(facts.inbox.processor)
    if facts.inbox.processor == INCIDENT or type_ is None:
        return [Block((), facts.mail.text)]
    if not (facts.inbox.record_marker or facts.inbox.field_separator):
        return [Block((), facts.mail.text)]
    text = facts.mail.new_text or facts.mail.text
    names = body.names_of(type_)
    return [body.read(part, facts.inbox.field_separator, names) for part in body.parts(text, facts.inbox.record_marker)]


def targets_of(facts: Facts, lookups: Lookups) -> Sequence[Target]:
    """What each part is about."""
    type_ = facts.configuration.type_named(facts.inbox.processor)
    blocks = blocks_of(facts)
    if type_ is None or type_.name == INCIDENT:
        return [find(facts, lookups)]
    if facts.inbox.update_only or type_.name == SERVICE_REQUEST:
        return [_update_only(facts, type_, block, lookups) for block in blocks]
    if len(blocks) == 1 and not _key(blocks[0], type_):
        return [find(facts, lookups)]
    return [_target(facts, type_, block, lookups) for block in blocks]


def _target(facts: Facts, type_: RecordType, block: Block, lookups: Lookups) -> Target:
    key = _key(block, type_)
    if key is None:
        return Target("new", "none", f"the part names no {type_.number_field}")
    found = _keyed(facts, type_, key, lookups)
    return found or Target("none", "unique-key", f"there is no {type_.label} {key}")


def _keyed(facts: Facts, type_: RecordType, key: str, lookups: Lookups) -> Target | None:
    digits = re.sub(r"\D", "", key)[:18]
    if not digits or lookups.records.numbered(type_.name, int(digits)) is None:
        return None
    return by_number(facts, Hint(type_, key, int(digits)), lookups)


def _key(block: Block, type_: RecordType) -> str | None:
    return next((value.strip() for name, value in block.fields if name == type_.number_field and value.strip()), None)


def _update_only(facts: Facts, type_: RecordType, block: Block, lookups: Lookups) -> Target:
    """A request is updated, by its number in the body or the subject; not found, a new incident (IV-35)."""
    key = _key(block, type_)
    found = (_keyed(facts, type_, key, lookups) if key else None) or find(facts, lookups)
    if found.kind != "new":
        return found
    return Target("new", found.step, f"{found.why}; {type_.label} records are not made by mail", type=INCIDENT)
