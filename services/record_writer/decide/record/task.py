"""The task that every email to an incident makes, where the inbox wants it (IV-38). Pure."""

from __future__ import annotations

from typing import Any

from services.record_writer.decide.record.values import creation
from shared.config.model import INCIDENT, Configuration, Inbox
from shared.contracts.change import Activity, Change
from shared.ids import derived_id


def wants_task(inbox: Inbox, type_name: str) -> bool:
    """Whether a mail about a record of this type makes a task below it."""
    return inbox.task_for_every_email and type_name == INCIDENT


def plan_task(
    inbox: Inbox,
    configuration: Configuration,
    *,
    cause: tuple[str, str],
    about: str,
    properties: dict[str, Any],
    activities: tuple[Activity, ...],
) -> Change:
    """A task below an incident, owned by the owner team. `cause`: the mail and its part; `about`: its subject."""
    type_ = configuration.type_named("task")
    assert type_ is not None  # a built-in type
    own = {
        "subject": inbox.task_subject,
        "description": about,
        "owner": None,
        "owner_team": inbox.owner_team,
        "source": "Email",
        "inbox": inbox.name,
        "origin": cause[0],
        **properties,
    }
    return creation(type_, derived_id("record", cause[0], f"{cause[1]}/task"), own, activities=activities)
