"""References of a configuration to its own things: one table of keys, and the section that each one looks in."""

from __future__ import annotations

from typing import Final

from shared.config.complaints import Complaints, names_of, unknown, unknown_type, values_at
from shared.config.keys import MAIL_RECEIVED, SLA_EVENTS
from shared.config.model import REPORTED_FROM, XML_EXPORT, Configuration

_SECTIONS: Final = {
    "settings.auth_failure_ticket.template": "templates",
    "inboxes.mail_server": "mail_servers",
    "inboxes.canary.mail_server": "mail_servers",
    "inboxes.partition": "partitions",
    "inboxes.template": "templates",
    "inboxes.commands.reply_template": "mail_templates",
    "inboxes.export.connection": "connections",
    "inboxes.status_mapping.quick_action": "quick_actions",
    "mail_servers.partition": "partitions",
    "slas.calendar": "calendars",
    "business_rules.notify.template": "mail_templates",
    "business_rules.quick_action": "quick_actions",
    "business_rules.calendar": "calendars",
}
_TYPES: Final = ("inboxes.sender.object.type", "quick_actions.on", "templates.on", "approvals.on", "slas.on")


def references_fit(config: Configuration) -> Complaints:
    """Everything that is named is there."""
    for key, section in _SECTIONS.items():
        for path, name in values_at(config, key):
            yield from unknown(path, section.removesuffix("s"), name, names_of(getattr(config, section)))
    for key in _TYPES:
        for path, name in values_at(config, key):
            yield from unknown_type(path, name, config)
    for path, inbox in values_at(config, "inboxes"):
        if inbox.processor != XML_EXPORT:
            yield from unknown_type(f"{path}.processor", inbox.processor, config)
        if (match := inbox.sender.object) and (made := config.type_named(inbox.processor)):
            known = (REPORTED_FROM, *made.relationships)
            yield from unknown(f"{path}.sender.object.relationship", "relationship", match.relationship, known)
    for path, each in values_at(config, "record_types"):
        for name, target in each.relationships.items():
            yield from unknown_type(f"{path}.relationships.{name}", target, config)
    yield from _events(config)
    for path, query in values_at(config, "reports.query"):
        yield from unknown_type(f"{path}.type", str(query["type"]), config)


def _events(config: Configuration) -> Complaints:
    for path, rule in values_at(config, "business_rules"):
        for on in rule.on:
            if on not in (*SLA_EVENTS, MAIL_RECEIVED):
                yield from unknown_type(f"{path}.on", on.rpartition(".")[0], config)
