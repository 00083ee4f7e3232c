"""Who handles a closed record that a mail reopens (VF-14): as before, as its template says, or a group. Pure."""

from __future__ import annotations

from typing import Any, Final

from services.record_writer.decide.facts import Facts
from services.record_writer.decide.record import values
from services.record_writer.decide.record.create import template_of
from shared.config.model import RecordType

GROUP: Final = "group:"
ASSIGNEE: Final = ("Owner", "OwnerTeam")


def assignee_after_reopening(facts: Facts, type_: RecordType) -> dict[str, Any]:
    """Owner and team to set; empty when they stay. A template that names neither changes nothing. Raises `BadValue`."""
    to = facts.inbox.commands.reopened_to
    if to.startswith(GROUP):
        return {"Owner": None, "OwnerTeam": to.removeprefix(GROUP).strip()}
    template = template_of(facts, type_) if to == "template" else None
    stated = values.templated(type_, template.set) if template else {}
    found = {name: stated.get(name) for name in ASSIGNEE}
    return found if any(found.values()) else {}
