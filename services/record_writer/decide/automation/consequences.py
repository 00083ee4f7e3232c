"""What follows from a change of a record: what the business rules add, then its service level. Pure.

Every change goes through here once, after it is planned and before it is committed, whoever causes it: a mail, an
operator, the clock. So a change, what rules made of it, and the due times that it has then are one commit.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from services.record_writer.decide.automation.approvals import (
    ASKED,
    IN_ORDER,
    asks_for_decision,
    request_to,
    verdict_of,
)
from services.record_writer.decide.automation.business_rules import Occasion, with_rules
from services.record_writer.decide.automation.service_levels import with_service_level
from services.record_writer.decide.facts import Facts
from services.record_writer.decide.lookups import Lookups
from services.record_writer.decide.record.life import is_handled
from shared.contracts.change import Change
from shared.store.record import Record, after_change

UNDELIVERED: Final = "undelivered"
"""The event of a note that mail of the desk was not delivered. What rules send because of it might not be either."""


def settled(change: Change, before: Record | None, occasion: Occasion) -> Change:
    """The change with its consequences. `before`: the record as the change finds it, None for a new one."""
    change = with_request(with_rules(change, before, occasion), before, occasion)
    return with_service_level(change, before, occasion)


def with_request(change: Change, before: Record | None, occasion: Occasion) -> Change:
    """The change, with the mail that asks the new owner of a pending approval for a decision (VF-18).

    Whoever decides in order is asked when the turn comes (`approval_flow`).
    """
    if change.type not in ASKED or change.action == "none":
        return change
    record = after_change(change, before, occasion.now)
    if not record.owner or (before and before.owner == record.owner) or verdict_of(record):
        return change
    parent = occasion.lookups.record(record.parent) if record.parent else None
    rule = occasion.configuration.approval_rule(parent.type) if parent else None
    if not asks_for_decision(record, parent, occasion.configuration) or (rule and rule.decide == IN_ORDER):
        return change
    request = request_to(record, parent, occasion.configuration, occasion.lookups)
    return replace(change, messages=(*change.messages, request)) if request else change


def settled_by_mail(change: Change, before: Record | None, facts: Facts, lookups: Lookups) -> Change:
    """The change that a mail makes, with its consequences; a report about a mail of the desk has none."""
    configuration = facts.configuration
    follows = configuration.business_rules or configuration.slas or (before and before.service)
    if change.event == UNDELIVERED or not (follows or change.type in ASKED):
        return change
    by_desk = before is not None and is_handled(facts, before)
    return settled(change, before, Occasion(configuration, lookups, facts.now, facts, by_desk=by_desk))
