"""docs/settings.md tells every key, with its default."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.config import model as desk
from shared.config.readers import duration_text, size, size_text
from shared.config.schema import section_of
from shared.config.values import Secret

PAGE = Path(__file__).parents[3] / "docs" / "settings.md"
PARTS: Mapping[str, Any] = {
    "settings": desk.Settings,
    "auth_failure_ticket": desk.AuthFailureTicket,
    "automatic_mail_cap": desk.AutomaticMailCap,
    "mail_servers": desk.MailServer,
    "conversation_id": desk.ConversationId,
    "oauth": desk.OAuth,
    "google": desk.Google,
    "inboxes": desk.Inbox,
    "canary": desk.Canary,
    "export": desk.Export,
    "status_mapping": desk.StatusMapping,
    "sender": desk.SenderPolicy,
    "object": desk.ObjectMatch,
    "match_value": desk.MatchValue,
    "commands": desk.CommandPolicy,
    "rules": desk.Rule,
    "people": desk.Person,
    "record_types": desk.RecordType,
    "statuses": desk.Statuses,
    "quick_actions": desk.QuickAction,
    "templates": desk.Template,
    "partitions": desk.Partition,
    "calendars": desk.Calendar,
    "approvals": desk.ApprovalRule,
    "slas": desk.Sla,
    "business_rules": desk.BusinessRule,
    "notify": desk.Notify,
    "mail_templates": desk.MailTemplate,
    "reports": desk.Report,
    "connections": desk.Connection,
}


def rows(part: str) -> dict[str, str]:
    """Key → default as the page has them."""
    found = re.search(rf"^##+ {part}\n(.*?)(?=^##|\Z)", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert found, part
    return dict(re.findall(r"^\| `(\w+)` \| (.*?) ?\| ", found[1], re.MULTILINE))


def told(part: type, field: dataclasses.Field[Any]) -> str:
    """A default as the page tells it."""
    if field.default_factory is not dataclasses.MISSING:
        return "`{}`"
    match field.default:
        case dataclasses.MISSING:
            return "needed"
        case bool():
            return f"`{str(field.default).lower()}`"
        case None | "" | 0:
            return ""
        case timedelta():
            return f"`{duration_text(field.default)}`"
        case tuple():
            return f"`[{', '.join(field.default)}]`"
        case _ if dataclasses.is_dataclass(field.default):
            return "`{}`"
        case _:
            return f"`{size_text(field.default) if section_of(part).readers[field.name] is size else field.default}`"


@pytest.mark.parametrize("part", PARTS)
def test_every_key_is_listed_with_its_default(part: str) -> None:
    wanted = {field.name: told(PARTS[part], field) for field in dataclasses.fields(PARTS[part])}
    assert rows(part) == wanted


def test_every_part_of_the_configuration_has_a_section() -> None:
    assert desk.Configuration().sections <= set(PARTS)


def test_no_dataclass_of_the_configuration_is_left_out() -> None:
    aside = {desk.Configuration, Secret}
    known = {each for each in vars(desk).values() if isinstance(each, type) and dataclasses.is_dataclass(each)}
    assert known - aside == set(PARTS.values())
