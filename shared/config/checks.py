"""Checks of a configuration that concern several values; `CHECKS` is the table that runs them.

Reads a `Configuration` whose single values are right, yields complaints: the path of the key to change and
a sentence that names the remedy. What one part needs is in `part_checks`, what it refers to in `references`, what
templates and mappings set in `field_checks`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from shared.addresses import address_key, address_keys
from shared.config.complaints import Complaint, Complaints, values_at
from shared.config.field_checks import approvals_fit, mappings_fit, people_exist, presets_fit
from shared.config.model import (
    BUILT_IN_TYPES,
    RECORD_FIELDS,
    XML_EXPORT,
    Configuration,
    Inbox,
    RecordType,
    folded,
)
from shared.config.part_checks import parts_fit
from shared.config.references import references_fit
from shared.config.rule_checks import calendars_fit, levels_fit, reports_fit, rules_fit
from shared.config.schema import SECTIONS, key_of
from shared.config.template_checks import inboxes_sign, mail_templates_fit, prefixes_fit

_SASL: Final = (
    "login", "plain", "cram-md5", "digest-md5", "ntlm", "msn", "gssapi",
    "scram-sha-1", "scram-sha-256", "scram-sha-256-plus", "xoauth2", "oauthbearer", "auto",
)  # fmt: skip
METHODS: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    ("inboxes", "imap"): ("regular", *_SASL, "none"),
    ("inboxes", "pop3"): ("regular", "apop", *_SASL),
    ("inboxes", "ews"): ("basic", "plain", "ntlm", "oauth", "auto"),
    ("inboxes", "graph"): ("oauth", "auto"),
    ("inboxes", "gmail"): ("oauth", "auto"),
    ("inboxes", "none"): ("none", "auto"),
    ("mail_servers", "smtp"): ("none", *_SASL),
    ("mail_servers", "ews"): ("basic", "plain", "ntlm", "oauth", "auto"),
    ("mail_servers", "graph"): ("oauth", "auto"),
    ("mail_servers", "gmail"): ("oauth", "auto"),
}
"""Login methods of each protocol (IV-09, IV-11, VS-09)."""
_MD5_METHODS: Final = frozenset({"apop", "cram-md5", "digest-md5", "ntlm", "msn"})


def names_are_unique(config: Configuration) -> Complaints:
    """Row 107."""
    for section in SECTIONS:
        key = key_of(section)
        seen: dict[str, str] = {}
        for path, each in values_at(config, section):
            name = getattr(each, key)
            if (first := seen.setdefault(name, path)) != path:
                yield Complaint(f"{path}.{key}", f'"{name}" appears twice, first in {first}; rename one')


def methods_fit(config: Configuration) -> Complaints:
    """IV-09, IV-11: the login method is one that the protocol has, and that FIPS mode allows."""
    for section in ("inboxes", "mail_servers"):
        for path, end in values_at(config, section):
            known = METHODS[section, end.protocol]
            if end.auth not in known:
                why = f"{end.protocol} has no method {end.auth}; it has {', '.join(known)}"
                yield Complaint(f"{path}.auth", why)
            elif config.settings.fips and end.auth in _MD5_METHODS:
                why = f"{end.auth} rests on MD5, which FIPS mode forbids; choose another method or auto"
                yield Complaint(f"{path}.auth", why)


def _lists_of_names(config: Configuration) -> Iterator[tuple[str, tuple[str, ...]]]:
    for path, each in values_at(config, "record_types"):
        yield f"{path}.fields", (*RECORD_FIELDS, each.number_field, *each.fields)
    for key in (
        *("templates.set", "quick_actions.set", "business_rules.set", "business_rules.when", "slas.when"),
        *("inboxes.field_mapping", "partitions.priority_matrix"),
    ):
        yield from ((path, tuple(mapping)) for path, mapping in values_at(config, key))
    for path, inbox in values_at(config, "inboxes"):
        yield f"{path}.status_mapping", tuple(each.status for each in inbox.status_mapping)


def names_differ_by_more_than_case(config: Configuration) -> Complaints:
    """Names in one mapping or list are compared whatever their case, so each stands there once."""
    for path, names in _lists_of_names(config):
        keys = [name.casefold() for name in names]
        if twice := next((name for index, name in enumerate(names) if keys[index] in keys[:index]), None):
            yield Complaint(path, f'"{twice}" is the name of two things here; remove or rename one')


def processors_fit(config: Configuration) -> Complaints:
    """IV-30, IV-35, IV-40, IV-42."""
    for path, inbox in values_at(config, "inboxes"):
        if inbox.processor == XML_EXPORT:
            yield from _no_language(path, inbox, "exports whole mails")
        elif made := config.type_named(inbox.processor):
            yield from _processor(path, inbox, made, config)
            yield from _status_mapping(path, inbox, made, config)


def _no_language(path: str, inbox: Inbox, why: str) -> Complaints:
    """IV-33, IV-34: marker, separator and unique key are for inboxes that read fields from a body."""
    for key in ("record_marker", "field_separator", "unique_key"):
        if getattr(inbox, key) is not None:
            yield Complaint(f"{path}.{key}", f"this inbox {why} and reads no fields; remove the key (IV-33, IV-34)")


def _processor(path: str, inbox: Inbox, made: RecordType, config: Configuration) -> Complaints:
    if folded(made.name) == "service_request" and not inbox.update_only:
        yield Complaint(f"{path}.update_only", "mail never creates service requests; write update_only: true (IV-35)")
    if folded(made.name) == "incident":
        yield from _no_language(path, inbox, "makes incidents")
    elif inbox.unique_key is not None and inbox.unique_key != made.number_field:
        yield Complaint(f"{path}.unique_key", f"must be the number field of {made.name}, {made.number_field} (IV-42)")
    template = config.template(inbox.template or "")
    if template and config.type_named(template.on) not in (None, made):
        yield Complaint(f"{path}.template", f'"{template.name}" is for {template.on}, this inbox makes {made.name}')


def _status_mapping(path: str, inbox: Inbox, made: RecordType, config: Configuration) -> Complaints:
    """IV-39: the quick actions are for the type of the inbox."""
    for index, mapping in enumerate(inbox.status_mapping):
        action = config.quick_action(mapping.quick_action)
        if action and config.type_named(action.on) not in (None, made):
            why = f'"{action.name}" is for {action.on}, not for {inbox.processor}'
            yield Complaint(f"{path}.status_mapping[{index}].quick_action", why)


def objects_fit(config: Configuration) -> Complaints:
    """IV-24, IV-35: a record that mail links to has a type that mail may create and the relationship leads to."""
    for path, inbox in values_at(config, "inboxes"):
        if (match := inbox.sender.object) is None:
            continue
        at, linked, made = f"{path}.sender.object", config.type_named(match.type), config.type_named(inbox.processor)
        if linked and folded(linked.name) == "service_request" and inbox.sender.policy == "create":
            yield Complaint(f"{at}.type", "mail never creates service requests; write policy: existing_only (IV-35)")
        target = made.relationships.get(match.relationship) if made else None
        if made and target and config.type_named(target) != linked:
            why = f"{match.relationship} of {made.name} leads to {target}, not {match.type}"
            yield Complaint(f"{at}.relationship", why)


def servers_fit(config: Configuration) -> Complaints:
    """TI-40: mail leaves under the address of an inbox, so that answers come back, and is not redirected to one."""
    inboxes = {address_key(inbox.address) for inbox in config.inboxes}
    for path, server in values_at(config, "mail_servers"):
        if server.from_address is not None and address_key(server.from_address) not in inboxes:
            problem = f"{server.from_address} is not the address of an inbox; write one of theirs (TI-40)"
            yield Complaint(f"{path}.from_address", problem, misses="inboxes")
        if server.override_recipient and not inboxes.isdisjoint(address_keys(server.override_recipient)):
            problem = f"{server.override_recipient} is an inbox of this desk: every mail would come back; write another"
            yield Complaint(f"{path}.override_recipient", problem)


def names_of_types_differ(config: Configuration) -> Complaints:
    """A type's names mean it alone."""
    owners: dict[str, str] = {}
    for each in BUILT_IN_TYPES:
        owners.update(dict.fromkeys(map(folded, (each.name, each.label, *each.aliases)), each.name))
    for path, each in values_at(config, "record_types"):
        for key, name in (("name", each.name), ("label", each.label), *(("aliases", alias) for alias in each.aliases)):
            owner = owners.setdefault(folded(name), each.name)
            if folded(owner) != folded(each.name):
                yield Complaint(f"{path}.{key}", f'"{name}" already means the type {owner}; choose another')
            if folded(name) == XML_EXPORT:
                yield Complaint(f"{path}.{key}", f'"{name}" is the processor that exports mails; choose another')


def people_fit(config: Configuration) -> Complaints:
    """VS-08: a format of one's own cannot be set while the desk has it switched off."""
    if config.settings.format_per_person:
        return
    for path, _ in values_at(config, "people.format"):
        yield Complaint(path, "cannot be set while settings.format_per_person is false; remove one")


def sign_ins_fit(config: Configuration) -> Complaints:
    """TI-02: refresh tokens are stored encrypted, so there is a key."""
    if config.settings.token_key is not None:
        return
    for section in ("inboxes.oauth", "mail_servers.oauth"):
        for path, oauth in values_at(config, section):
            if oauth.refresh_token is not None:
                yield Complaint(
                    f"{path}.refresh_token", "needs settings.token_key, with which it is stored; write that"
                )


def exports_fit(config: Configuration) -> Complaints:
    """IV-40: attachments become files in a folder only."""
    for path, export in values_at(config, "inboxes.export"):
        to = config.connection(export.connection)
        if export.attachments == "files" and to and to.kind == "http":
            yield Complaint(f"{path}.attachments", "files go with kind: directory only; write content or names")


CHECKS: Final[tuple[Callable[[Configuration], Complaints], ...]] = (
    names_are_unique,
    parts_fit,
    references_fit,
    methods_fit,
    names_differ_by_more_than_case,
    processors_fit,
    objects_fit,
    servers_fit,
    names_of_types_differ,
    presets_fit,
    approvals_fit,
    mappings_fit,
    rules_fit,
    levels_fit,
    calendars_fit,
    reports_fit,
    people_exist,
    people_fit,
    exports_fit,
    sign_ins_fit,
    mail_templates_fit,
    inboxes_sign,
    prefixes_fit,
)


def complaints(config: Configuration) -> Complaints:
    """Everything that does not fit together."""
    for check in CHECKS:
        yield from check(config)
