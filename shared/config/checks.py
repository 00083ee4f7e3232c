"""Checks of a configuration that concern several values: references, methods and protocols, either-or keys.

Reads a `Configuration` whose single values are right, yields complaints: the path of the key to change and
a sentence that names the remedy. One small function a rule; `CHECKS` is the table that runs them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from shared.addresses import address_key, address_keys
from shared.config.complaints import Complaint, Complaints, indexed, names_of, unknown, unknown_type
from shared.config.field_checks import mappings_fit, names_fit, people_exist, presets_fit
from shared.config.model import (
    BUILT_IN_TYPES,
    RECORD_FIELDS,
    REPORTED_FROM,
    XML_EXPORT,
    Configuration,
    Inbox,
    MailServer,
    ObjectMatch,
    RecordType,
    folded,
)
from shared.config.schema import SECTIONS, key_of

_SASL: Final = ("login", "plain", "cram-md5", "digest-md5", "ntlm", "msn", "gssapi", "scram-sha-256", "xoauth2", "auto")
INBOX_AUTH: Final[Mapping[str, tuple[str, ...]]] = {
    "imap": ("regular", *_SASL, "none"),
    "pop3": ("regular", "apop", *_SASL),
    "ews": ("basic", "plain", "ntlm", "oauth", "auto"),
    "graph": ("oauth", "auto"),
    "gmail": ("oauth", "auto"),
    "none": ("none", "auto"),
}
"""Authentication methods of each mailbox protocol (IV-09, IV-11)."""
SERVER_AUTH: Final[Mapping[str, tuple[str, ...]]] = {
    **{protocol: INBOX_AUTH[protocol] for protocol in ("ews", "graph", "gmail")},
    "smtp": ("none", *_SASL),
}
"""Authentication methods of each protocol of outgoing servers (VS-09)."""
MD5_METHODS: Final = frozenset({"apop", "cram-md5", "digest-md5"})
_WITHOUT_PASSWORD: Final = frozenset({"none", "gssapi", "xoauth2", "oauth"})
_AN_ADDRESS: Final = re.compile(r"[^\s@]+@[^\s@]+")
_A_GUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def names_are_unique(config: Configuration) -> Complaints:
    """Row 107."""
    for section in SECTIONS:
        key = key_of(section)
        seen: dict[str, int] = {}
        for index, each in enumerate(getattr(config, section)):
            name = getattr(each, key)
            first = seen.setdefault(name, index)
            if first != index:
                yield Complaint(
                    f"{section}[{index}].{key}", f'"{name}" is here twice, first in {section}[{first}]; rename one'
                )


def settings_fit(config: Configuration) -> Complaints:
    """TI-10: the ticket option needs its template."""
    ticket = config.settings.auth_failure_ticket
    path = "settings.auth_failure_ticket.template"
    if ticket.enabled and ticket.template is None:
        yield Complaint(path, "missing, and it is needed while enabled is true")
    yield from unknown(path, "template", ticket.template, names_of(config.templates))
    for index, pattern in enumerate(config.settings.restricted_attachments):
        if "," in pattern:
            place = f"settings.restricted_attachments[{index}]"
            yield Complaint(place, "a comma is no part of a type; write each type as an entry of its own")


def logins_fit(config: Configuration) -> Complaints:
    """IV-09, IV-11, TI-03, NE-20: the method is one that the protocol has, and has what it needs."""
    for path, inbox in indexed(config, "inboxes"):
        yield from _method(path, inbox, INBOX_AUTH, config.settings.fips)
        if inbox.protocol != "none":
            yield from _credentials(path, inbox, needs_login=True)
    for path, server in indexed(config, "mail_servers"):
        yield from _method(path, server, SERVER_AUTH, config.settings.fips)
        yield from _credentials(path, server, needs_login=False)


def _method(path: str, end: Inbox | MailServer, methods: Mapping[str, tuple[str, ...]], fips: bool) -> Complaints:
    known = methods[end.protocol]
    if end.auth not in known:
        yield Complaint(f"{path}.auth", f"{end.protocol} has no method {end.auth}; it has {', '.join(known)}")
    elif fips and end.auth in MD5_METHODS:
        yield Complaint(
            f"{path}.auth", f"{end.auth} rests on MD5, which FIPS mode forbids; choose another method or auto"
        )


def _credentials(path: str, end: Inbox | MailServer, *, needs_login: bool) -> Complaints:
    match end.protocol:
        case "imap" | "pop3" | "smtp":
            yield from _line_protocol(path, end, needs_login=needs_login)
        case "ews":
            yield from _exchange(path, end)
        case "graph":
            yield from _graph(path, end)
        case "gmail":
            yield from _gmail(path, end)
        case _:
            pass


def _line_protocol(path: str, end: Inbox | MailServer, *, needs_login: bool) -> Complaints:
    if end.host is None:
        yield Complaint(f"{path}.host", f"missing, and {end.protocol} needs it")
    stated = end.auth not in _WITHOUT_PASSWORD and (needs_login or end.auth != "auto" or end.username is not None)
    if stated and end.password is None and not (end.auth == "auto" and end.oauth):
        yield Complaint(f"{path}.password", "missing, and it is needed to log in; write ${ENV_NAME} or file:path")
    if end.auth == "xoauth2" and end.oauth is None and end.google is None:
        yield Complaint(f"{path}.oauth", "missing, and xoauth2 needs it (or google)")
    if end.protocol == "smtp" and end.username is not None and not _AN_ADDRESS.fullmatch(end.username):
        yield Complaint(f"{path}.username", "the user name of a mail server is an address; write it as user@domain")


def _exchange(path: str, end: Inbox | MailServer) -> Complaints:
    if end.username is not None and not _AN_ADDRESS.fullmatch(end.username):
        yield Complaint(f"{path}.username", "the user account is an address; write it as user@domain")
    if end.auth == "oauth" and end.oauth is None:
        yield Complaint(f"{path}.oauth", "missing, and ews with oauth needs it: client_id, client_secret and tenant_id")
    if end.auth in {"basic", "plain", "ntlm"} and end.password is None:
        yield Complaint(
            f"{path}.password", f"missing, and ews with {end.auth} needs it; write ${{ENV_NAME}} or file:path"
        )
    if end.auth == "auto" and end.oauth is None and end.password is None:
        yield Complaint(f"{path}.oauth", "missing, and ews needs it, or a password")


def _graph(path: str, end: Inbox | MailServer) -> Complaints:
    if end.oauth is None:
        yield Complaint(f"{path}.oauth", "missing, and graph needs it: client_id, client_secret, tenant_id and user_id")
        return
    user = end.oauth.user_id
    if user is not None and not (_AN_ADDRESS.fullmatch(user) or _A_GUID.fullmatch(user)):
        yield Complaint(f"{path}.oauth.user_id", "the user is an address or an object id; write it as user@domain")
    if end.username is not None and not _AN_ADDRESS.fullmatch(end.username):
        yield Complaint(f"{path}.username", "the user account is an address; write it as user@domain")


def _gmail(path: str, end: Inbox | MailServer) -> Complaints:
    if end.google is None:
        yield Complaint(f"{path}.google", "missing, and gmail needs it: service_account, private_key and user")
        return
    if not _AN_ADDRESS.fullmatch(end.google.service_account):
        yield Complaint(f"{path}.google.service_account", "the service account is an address; write it as user@domain")


def names_differ_by_more_than_case(config: Configuration) -> Complaints:
    """Names in one mapping or list are compared whatever their case, so each stands there once."""
    lists = [
        (f"{path}.fields", (*RECORD_FIELDS, each.number_field, *each.fields))
        for path, each in indexed(config, "record_types")
    ]
    lists += [(f"{path}.set", tuple(each.set)) for path, each in indexed(config, "templates")]
    lists += [(f"{path}.set", tuple(each.set)) for path, each in indexed(config, "quick_actions")]
    lists += [(f"{path}.field_mapping", tuple(each.field_mapping)) for path, each in indexed(config, "inboxes")]
    lists += [(f"{path}.priority_matrix", tuple(each.priority_matrix)) for path, each in indexed(config, "partitions")]
    lists += [
        (f"{path}.status_mapping", tuple(each.status for each in inbox.status_mapping))
        for path, inbox in indexed(config, "inboxes")
    ]
    for path, names in lists:
        keys = [name.casefold() for name in names]
        if twice := next((name for index, name in enumerate(names) if keys[index] in keys[:index]), None):
            yield Complaint(path, f'"{twice}" is the name of two things here; remove or rename one')


def rules_fit(config: Configuration) -> Complaints:
    """TI-20: a rule matches something; a preconfigured one has its match."""
    for path, rule in indexed(config, "rules"):
        if not rule.match:
            yield Complaint(
                f"{path}.match", "missing, and it is needed; write {sender: text}, {subject: text} or another"
            )


def mailboxes_fit(config: Configuration) -> Complaints:
    """TI-08: what a protocol cannot do with mail that was taken."""
    for path, inbox in indexed(config, "inboxes"):
        if inbox.protocol == "pop3" and inbox.after == "archive":
            yield Complaint(
                f"{path}.after", "pop3 has no folders; write delete, or leave to keep the mail on the server"
            )
        if inbox.protocol == "none" and inbox.host is not None:
            yield Complaint(f"{path}.protocol", "missing although there is a host; write imap or pop3")


def inboxes_refer_to_what_is_there(config: Configuration) -> Complaints:
    """Mail server, partition, template, connection and quick actions exist."""
    for path, inbox in indexed(config, "inboxes"):
        yield from unknown(f"{path}.mail_server", "mail_server", inbox.mail_server, names_of(config.mail_servers))
        yield from unknown(f"{path}.partition", "partition", inbox.partition, names_of(config.partitions))
        yield from unknown(f"{path}.template", "template", inbox.template, names_of(config.templates))
        reply = inbox.commands.reply_template
        yield from unknown(f"{path}.commands.reply_template", "mail_template", reply, names_of(config.mail_templates))
        if inbox.export:
            yield from unknown(
                f"{path}.export.connection", "connection", inbox.export.connection, names_of(config.connections)
            )
        for index, mapping in enumerate(inbox.status_mapping):
            at = f"{path}.status_mapping[{index}]"
            yield from unknown(
                f"{at}.quick_action", "quick_action", mapping.quick_action, names_of(config.quick_actions)
            )


def processors_fit(config: Configuration) -> Complaints:
    """IV-30, IV-35, IV-40, IV-42."""
    for path, inbox in indexed(config, "inboxes"):
        if inbox.processor == XML_EXPORT:
            yield from _export(path, inbox)
            continue
        yield from unknown_type(f"{path}.processor", inbox.processor, config)
        yield from _marks_differ(path, inbox)
        if found := config.type_named(inbox.processor):
            yield from _processor(path, inbox, found, config)


def _marks_differ(path: str, inbox: Inbox) -> Complaints:
    if inbox.record_marker and inbox.record_marker == inbox.field_separator:
        yield Complaint(
            f"{path}.record_marker", "is the field_separator too; a body cannot be cut at both, choose another"
        )


def _export(path: str, inbox: Inbox) -> Complaints:
    if inbox.export is None:
        yield Complaint(f"{path}.export", "missing, and xml_export needs it: {connection: <name>}")
    if inbox.sender.method == "object":
        yield Complaint(f"{path}.sender.method", "object does not go with xml_export; write person (IV-24)")
    yield from _no_language(path, inbox, "exports whole mails")


def _no_language(path: str, inbox: Inbox, why: str) -> Complaints:
    """IV-33, IV-34: marker, separator and unique key are for inboxes that read fields from a body."""
    for key in ("record_marker", "field_separator", "unique_key"):
        if getattr(inbox, key) is not None:
            yield Complaint(f"{path}.{key}", f"this inbox {why} and reads no fields; remove the key (IV-33, IV-34)")


def _processor(path: str, inbox: Inbox, found: RecordType, config: Configuration) -> Complaints:
    if folded(found.name) == "service_request" and not inbox.update_only:
        yield Complaint(f"{path}.update_only", "mail never creates service requests; write update_only: true (IV-35)")
    if folded(found.name) == "incident":
        yield from _no_language(path, inbox, "makes incidents")
    elif inbox.unique_key is not None and inbox.unique_key != found.number_field:
        yield Complaint(f"{path}.unique_key", f"must be the number field of {found.name}, {found.number_field} (IV-42)")
    template = config.template(inbox.template or "")
    if template and config.type_named(template.on) not in (None, found):
        yield Complaint(f"{path}.template", f'"{template.name}" is for {template.on}, this inbox makes {found.name}')


def status_mappings_fit(config: Configuration) -> Complaints:
    """IV-39: the quick actions are for the type of the inbox."""
    for path, inbox in indexed(config, "inboxes"):
        found = config.type_named(inbox.processor)
        for index, mapping in enumerate(inbox.status_mapping if found else ()):
            at = f"{path}.status_mapping[{index}]"
            action = config.quick_action(mapping.quick_action)
            if action and config.type_named(action.on) not in (None, found):
                yield Complaint(f"{at}.quick_action", f'"{action.name}" is for {action.on}, not for {inbox.processor}')


def senders_fit(config: Configuration) -> Complaints:
    """IV-23, IV-24: exactly one method, and method 2 finds its object in exactly one way."""
    for path, inbox in indexed(config, "inboxes"):
        sender, at = inbox.sender, f"{path}.sender"
        if sender.method == "object" and sender.object is None:
            yield Complaint(f"{at}.object", "missing, and method: object needs it: type and relationship")
        if sender.method == "object" and sender.policy == "without_creating":
            yield Complaint(f"{at}.policy", "without_creating is for persons; write create or existing_only")
        if sender.object is not None:
            yield from _object(f"{at}.object", sender.object, inbox, config)


def _object(path: str, match: ObjectMatch, inbox: Inbox, config: Configuration) -> Complaints:
    yield from unknown_type(f"{path}.type", match.type, config)
    linked = config.type_named(match.type)
    if linked and folded(linked.name) == "service_request" and inbox.sender.policy == "create":
        yield Complaint(f"{path}.type", "mail never creates service requests; write policy: existing_only (IV-35)")
    if match.match_from_field is not None and match.match_value is not None:
        yield Complaint(f"{path}.match_value", "match_from_field is here too; keep one of the two, never both (IV-24)")
    if match.match_from_field is None and match.match_value is None:
        yield Complaint(
            f"{path}.match_from_field", "missing; write it, or match_value: {field: ..., value: ...} (IV-24)"
        )
    found = config.type_named(inbox.processor)
    if found:
        yield from unknown(
            f"{path}.relationship", "relationship", match.relationship, (REPORTED_FROM, *found.relationships)
        )
        yield from _other_end(path, match, found, config)


def _other_end(path: str, match: ObjectMatch, found: RecordType, config: Configuration) -> Complaints:
    target = found.relationships.get(match.relationship)
    if target and config.type_named(target) != config.type_named(match.type):
        yield Complaint(
            f"{path}.relationship", f"{match.relationship} of {found.name} leads to {target}, not {match.type}"
        )


def servers_fit(config: Configuration) -> Complaints:
    """TI-40: mail leaves under the address of an inbox, so that answers come back, and is not redirected to one."""
    inboxes = {address_key(inbox.address) for inbox in config.inboxes}
    for path, server in indexed(config, "mail_servers"):
        yield from unknown(f"{path}.partition", "partition", server.partition, names_of(config.partitions))
        if server.from_address is not None and address_key(server.from_address) not in inboxes:
            problem = f"{server.from_address} is not the address of an inbox; write one of theirs (TI-40)"
            yield Complaint(f"{path}.from_address", problem, misses="inboxes")
        if server.override_recipient and not inboxes.isdisjoint(address_keys(server.override_recipient)):
            problem = f"{server.override_recipient} is an inbox of this desk: every mail would come back; write another"
            yield Complaint(f"{path}.override_recipient", problem)


def types_fit(config: Configuration) -> Complaints:
    """A type's names mean it alone, and its relationships lead somewhere."""
    for path, each in indexed(config, "record_types"):
        for name, target in each.relationships.items():
            yield from unknown_type(f"{path}.relationships.{name}", target, config)
    yield from _names_of_types(config)


def _names_of_types(config: Configuration) -> Complaints:
    owners: dict[str, str] = {}
    for each in BUILT_IN_TYPES:
        owners.update(dict.fromkeys(map(folded, (each.name, each.label, *each.aliases)), each.name))
    for path, each in indexed(config, "record_types"):
        for key, name in (
            ("name", each.name),
            ("label", each.label),
            *((("aliases", alias)) for alias in each.aliases),
        ):
            if folded(name) == XML_EXPORT:
                yield Complaint(f"{path}.{key}", f'"{name}" is the processor that exports mails; choose another')
            owner = owners.setdefault(folded(name), each.name)
            if folded(owner) != folded(each.name):
                yield Complaint(f"{path}.{key}", f'"{name}" already means the type {owner}; choose another')


def targets_fit(config: Configuration) -> Complaints:
    """TI-35: a target is for an existing type, and says when."""
    for path, sla in indexed(config, "slas"):
        yield from unknown_type(f"{path}.on", sla.on, config)
        if sla.respond is None and sla.resolve is None:
            yield Complaint(path, "a target is missing; write respond, resolve or both")


def events_fit(config: Configuration) -> Complaints:
    """TI-33, TI-34: business rules and reports name existing types and templates."""
    for path, rule in indexed(config, "business_rules"):
        if not rule.on.startswith("sla."):
            yield from unknown_type(f"{path}.on", rule.on.rpartition(".")[0], config)
        if rule.notify:
            yield from unknown(
                f"{path}.notify.template", "mail_template", rule.notify.template, names_of(config.mail_templates)
            )
    for path, report in indexed(config, "reports"):
        yield from unknown_type(f"{path}.query.type", str(report.query["type"]), config)


def people_fit(config: Configuration) -> Complaints:
    """VS-08: a format of one's own cannot be set while the desk has it switched off."""
    if config.settings.format_per_person:
        return
    for path, person in indexed(config, "people"):
        if person.format is not None:
            yield Complaint(f"{path}.format", "cannot be set while settings.format_per_person is false; remove one")


def connections_fit(config: Configuration) -> Complaints:
    """IV-40: a connection says where it leads."""
    for path, inbox in indexed(config, "inboxes"):
        to = config.connection(inbox.export.connection) if inbox.export else None
        if inbox.export and inbox.export.attachments == "files" and to and to.kind == "http":
            yield Complaint(f"{path}.export.attachments", "files go with kind: directory only; write content or names")
    for path, each in indexed(config, "connections"):
        if each.kind == "directory" and each.path is None:
            yield Complaint(f"{path}.path", "missing, and kind: directory needs it")
        if each.kind == "http" and each.url is None:
            yield Complaint(f"{path}.url", "missing, and kind: http needs it")


CHECKS: Final[tuple[Callable[[Configuration], Complaints], ...]] = (
    names_are_unique,
    settings_fit,
    logins_fit,
    rules_fit,
    names_differ_by_more_than_case,
    mailboxes_fit,
    inboxes_refer_to_what_is_there,
    processors_fit,
    status_mappings_fit,
    senders_fit,
    servers_fit,
    types_fit,
    targets_fit,
    presets_fit,
    mappings_fit,
    names_fit,
    people_exist,
    events_fit,
    people_fit,
    connections_fit,
)


def complaints(config: Configuration) -> Complaints:
    """Everything that does not fit together."""
    for check in CHECKS:
        yield from check(config)
