"""What follows from a change of a record: what the business rules add, then its service level. Pure.

Every change goes through here once, after it is planned and before it is committed, whoever causes it: a mail, an
operator, the clock. So a change, what rules made of it, and the due times that it has then are one commit.
"""

from __future__ import annotations

from services.record_writer.decide.business_rules import Occasion, with_rules
from services.record_writer.decide.facts import Facts
from services.record_writer.decide.lookups import Lookups
from services.record_writer.decide.update import is_handled
from shared.contracts.change import Change
from shared.store.record import Record


def settled(change: Change, before: Record | None, occasion: Occasion) -> Change:
    """The change with its consequences. `before`: the record as the change finds it, None for a new one."""
    return with_rules(change, before, occasion)


def settled_by_mail(change: Change, before: Record | None, facts: Facts, lookups: Lookups) -> Change:
    """The change that a mail makes, with its consequences."""
    configuration = facts.configuration
    if not configuration.business_rules:
        return change
    by_desk = before is not None and is_handled(facts, before)
    return settled(change, before, Occasion(configuration, lookups, facts.now, facts, by_desk=by_desk))
