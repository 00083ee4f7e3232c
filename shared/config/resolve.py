"""Names of record types as the types themselves write them.

A file may say `call` or `Service Request`; what is kept says `incident` and `service_request`, so that
stages compare names and nothing else. Names that mean no type stay as they are: `checks` refuses them.
"""

from __future__ import annotations

from dataclasses import replace

from shared.config.keys import MAIL_RECEIVED, SLA_EVENTS
from shared.config.model import XML_EXPORT, BusinessRule, Configuration, Inbox, RecordType, Report


def with_canonical_types(config: Configuration) -> Configuration:
    """The same configuration with every reference to a type in the type's own spelling."""

    def canonical(name: str) -> str:
        found = config.type_named(name)
        return found.name if found else name

    def of_inbox(inbox: Inbox) -> Inbox:
        match = inbox.sender.object
        sender = replace(inbox.sender, object=replace(match, type=canonical(match.type))) if match else inbox.sender
        processor = inbox.processor if inbox.processor == XML_EXPORT else canonical(inbox.processor)
        return replace(inbox, processor=processor, sender=sender)

    def of_type(each: RecordType) -> RecordType:
        return replace(each, relationships={name: canonical(target) for name, target in each.relationships.items()})

    def of_event(on: str) -> str:
        type_name, _, event = on.rpartition(".")
        return on if on in (*SLA_EVENTS, MAIL_RECEIVED) else f"{canonical(type_name)}.{event}"

    def of_rule(rule: BusinessRule) -> BusinessRule:
        return replace(rule, on=tuple(map(of_event, rule.on)))

    def of_report(report: Report) -> Report:
        return replace(report, query={**report.query, "type": canonical(str(report.query["type"]))})

    return replace(
        config,
        inboxes=tuple(map(of_inbox, config.inboxes)),
        record_types=tuple(map(of_type, config.record_types)),
        quick_actions=tuple(replace(each, on=canonical(each.on)) for each in config.quick_actions),
        templates=tuple(replace(each, on=canonical(each.on)) for each in config.templates),
        approvals=tuple(replace(each, on=canonical(each.on)) for each in config.approvals),
        slas=tuple(replace(each, on=canonical(each.on)) for each in config.slas),
        business_rules=tuple(map(of_rule, config.business_rules)),
        reports=tuple(map(of_report, config.reports)),
    )
