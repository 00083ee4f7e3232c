"""The variables of mail templates, each with its meaning: `{name}` in a subject, a text or HTML.

A variable is filled in once, by its literal value: braces in a value stay as they are, and in HTML a value is escaped.
`config check` refuses names that are not here; `docs/mail-templates.md` lists them, by test.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from shared.lazy_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable. `known_only`: it is empty in answers to strangers (PR-02), because it comes from a mail, or says
    more of a record than its number and status.
    """

    meaning: str
    known_only: bool = False


FIELD: Final = "field."
"""`{field.Priority}`: the value of a field of the record, whatever its type."""
OLD: Final = "old."
"""`{old.Priority}`: the value of a field, or of Status, Subject, Owner and OwnerTeam, before the change."""

VARIABLES: Final[Mapping[str, Variable]] = MappingProxyType(
    {
        "number": Variable("the number of the record, such as `INC12`"),
        "type": Variable("the customer's word for its type: Call, Request, or the label of the type"),
        "label": Variable("the label of its type, such as `Incident`"),
        "keyword": Variable("what names the record in a subject: `[Call - INC12]`"),
        "subject": Variable("the subject of the record, or of the mail", known_only=True),
        "status": Variable("the status of the record"),
        "description": Variable("the description of the record", known_only=True),
        "priority": Variable("the priority of the record", known_only=True),
        "customer": Variable("the name of the customer", known_only=True),
        "owner": Variable("the name of the analyst who has the record", known_only=True),
        "owner_team": Variable("the team that has the record", known_only=True),
        "response_url": Variable("where an analyst works on the record: `settings.response_url`, leading to it"),
        "self_service_url": Variable("where the customer sees the record: `settings.self_service_url`, leading to it"),
        "desk": Variable("`settings.desk_name`, else the name of the inbox"),
        "inbox": Variable("the name of the inbox"),
        "address": Variable("the address of the inbox"),
        "sender": Variable("the name of who wrote the mail", known_only=True),
        "text": Variable("what the mail says: its new text", known_only=True),
        "reply_subject": Variable(
            "`Re:` and the subject of the mail, with the keyword; for strangers a sentence of ours"
        ),
        "missing": Variable("the list of what could not be found", known_only=True),
        "not_set": Variable("the fields that the mail states and that its sender may not set by mail", known_only=True),
        "command": Variable("the command as the mail writes it", known_only=True),
        "verdict": Variable("what the sender decides: approved or rejected"),
        "others": Variable("the numbers of the approvals that come first"),
        "reason": Variable("why something was not done", known_only=True),
        "parent": Variable("number and subject of the record that an approval is about"),
        "approve": Variable("the command that approves: `[APPROVE#APR1]`"),
        "reject": Variable("the command that rejects: `[REJECT#APR1]`"),
        "approve_link": Variable("a link that writes the mail that approves"),
        "reject_link": Variable("a link that writes the mail that rejects"),
        "lists": Variable("the lists of a summary"),
        "what": Variable("what a summary lists: calls, requests, tasks or approvals"),
        "event": Variable("the event of a business rule, such as `incident.closed`"),
        "rule": Variable("the name of the business rule"),
        "sla": Variable("the name of the service level of which a target is due; empty for other events"),
        "target": Variable("`respond` or `resolve`: which target is due; empty for other events"),
        "due": Variable("when the target is due, in local time; empty for other events"),
    }
)
RECORD: Final = (
    *("number", "type", "label", "keyword", "subject", "status", "description", "priority", "customer", "owner"),
    *("owner_team", "response_url", "self_service_url"),
)
"""What is known of a record."""
DESK: Final = ("desk", "inbox", "address")
"""What is known in every mail."""
MAIL: Final = ("sender", "text", "reply_subject")
"""What is known of the mail that is answered or reported."""
OF_RULES: Final = ("event", "rule", "sla", "target", "due")
"""What is known in mail of business rules, besides record, desk and mail."""
KNOWN_ONLY: Final = frozenset(name for name, variable in VARIABLES.items() if variable.known_only)


def for_strangers(values: Mapping[str, Any]) -> dict[str, Any]:
    """These values, empty where they say more than a stranger may know."""
    return {name: "" if name in KNOWN_ONLY or name.startswith((FIELD, OLD)) else each for name, each in values.items()}
