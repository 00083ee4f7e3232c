"""The configuration file as a table: which keys there are, and how each is read.

Reads items, makes the values of `shared.config.model`. What concerns one value alone is here; what
concerns several together is in `shared.config.checks`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from shared.config import model as desk
from shared.config import readers as read
from shared.config.model import COMMANDS
from shared.config.problems import Refusal, Spot, nearest
from shared.config.section import Section, list_of, list_of_sections, mapping_of, pairs
from shared.config.tree import Item, Mapped, Sequenced, Text

_SECOND: Final = timedelta(seconds=1)
_POLL: Final = read.duration(_SECOND, timedelta(minutes=9999))
_PER_POLL: Final = read.integer(1, 9999)
_TARGET: Final = read.duration(_SECOND, timedelta(days=3650))
_PORT: Final = read.integer(1, 65535)
_TLS: Final = read.one_of("none", "starttls", "implicit")
_FIELDS: Final = mapping_of(read.field_name, read.text)
_VALUES: Final = mapping_of(read.field_name, read.scalar)
_NAMES: Final = list_of(read.name)

AUTH_WORDS: Final = (
    "auto", "regular", "login", "plain", "cram-md5", "digest-md5", "ntlm", "msn", "gssapi",
    "scram-sha-256", "apop", "xoauth2", "none", "basic", "oauth",
)  # fmt: skip
"""Every method of any protocol; which protocol has which is a check (IV-11)."""
ROLES: Final = ("user", "analyst", "administrator")
RECORD_EVENTS: Final = ("created", "updated", "resolved", "closed", "reopened", "deleted")
SLA_EVENTS: Final = ("sla.due", "sla.breached")
FIELD_KINDS: Final = ("text", "number", "date", "boolean")
LEAST_CHARACTERS: Final = 2
"""A filter on one character would match nearly everything (TI-20)."""


def _attachment_type(item: Item, spot: Spot) -> str:
    value = read.line(item, spot).lower()
    if "/" in value and not re.fullmatch(r"[a-z0-9!#$&^_.+-]+/(?:\*|[a-z0-9!#$&^_.+-]+)", value):
        raise Refusal(f'"{value}" is neither a file pattern such as *.exe nor a content type')
    return value


def _reopened_to(item: Item, spot: Spot) -> str:
    value = read.line(item, spot)
    if value not in {"last", "template"} and not re.fullmatch(r"group:\s*\S.*", value):
        raise Refusal(f'"{value}" is not one of last, template, group:<name>')
    return value


def _business_event(item: Item, spot: Spot) -> str:
    value = read.line(item, spot)
    type_name, _, event = value.rpartition(".")
    if value not in SLA_EVENTS and (not type_name or event not in RECORD_EVENTS):
        known = (*(f"{type_name or 'incident'}.{each}" for each in RECORD_EVENTS), *SLA_EVENTS)
        events = ", ".join(RECORD_EVENTS)
        hint = nearest(value, known)
        raise Refusal(f'"{value}" is no event; write <type>.<one of {events}>, sla.due or sla.breached{hint}')
    return value


def _recipient(item: Item, spot: Spot) -> str:
    """An address, a person's id, or a token such as @Sender."""
    value = read.line(item, spot)
    return value if value.startswith("@") or "@" not in value else read.address(item, spot)


def _pair_of_levels(item: Item, spot: Spot) -> str:
    value = read.line(item, spot)
    if not re.fullmatch(r"[^/]+/[^/]+", value):
        raise Refusal(f'"{value}" is no pair; write it as Impact/Urgency')
    return "/".join(part.strip() for part in value.split("/"))


def _report_query(item: Item, spot: Spot) -> dict[str, desk.Scalar]:
    found = _VALUES(item, spot)
    if not isinstance(found.get("type"), str):
        raise Refusal("the query needs a type, such as {type: incident, status: open}")
    return found


def _terms(*, split: bool) -> read.Read[tuple[str, ...]]:
    """Texts to look for; addresses may be separated by commas, which are checked one by one (TI-20)."""

    def read_terms(item: Item, spot: Spot) -> tuple[str, ...]:
        written = list_of(read.line)(item, spot)
        terms = tuple(
            term.strip() for each in written for term in (each.split(",") if split else [each]) if term.strip()
        )
        if not terms or any(len(term) < LEAST_CHARACTERS for term in terms):
            raise Refusal(f"a filter needs at least {LEAST_CHARACTERS} characters")
        return terms

    return read_terms


def _larger_than(item: Item, spot: Spot) -> int:
    """`10MB`, or `>10MB` for those who like it said."""
    if isinstance(item, Text):
        return read.size(Text(item.text.removeprefix(">").strip(), item.line, item.plain), spot)
    return read.size(item, spot)


def _header(item: Item, spot: Spot) -> dict[str, str]:
    """`{X-Spam-Flag: YES}`, `"X-Spam-Flag: YES"`, or `{name: X-Spam-Flag, value: YES}`."""
    if isinstance(item, Mapped | Sequenced):
        found = mapping_of(_header_name, read.line)(item, spot)
        return {found["name"]: found["value"]} if found.keys() == {"name", "value"} else found
    field, colon, value = read.line(item, spot).partition(":")
    if not colon:
        raise Refusal("write a header as name: text")
    return {_header_name(Text(field.strip(), item.line), spot): value.strip()}


def _header_name(item: Item, spot: Spot) -> str:
    value = read.line(item, spot)
    if not re.fullmatch(r"[!-9;-~]+", value):
        raise Refusal(f'"{value}" is no name of a header (RFC 5322, section 2.2)')
    return value


def _patterns(item: Item, spot: Spot) -> dict[str, str]:
    """A pattern for any part of the mail, or a mapping of parts to patterns."""
    part = read.one_of("subject", "body", "sender", "recipient", "any")
    if isinstance(item, Mapped | Sequenced):
        return mapping_of(part, read.pattern())(item, spot)
    return {"any": read.pattern()(item, spot)}


_MATCH: Final = Section(
    dict,
    {
        "sender": _terms(split=True),
        "recipient": _terms(split=True),
        "subject": _terms(split=False),
        "header": _header,
        "size": _larger_than,
        "regex": _patterns,
    },
)


def _match(item: Item, spot: Spot) -> Mapping[str, Any]:
    if not pairs(item, Spot(spot.path, type(spot.notes)())):
        raise Refusal(f"a rule needs something to match: {', '.join(_MATCH.readers)}")
    return _MATCH.values(item, spot)


_OAUTH: Final = Section(
    desk.OAuth,
    {
        "client_id": read.line,
        "client_secret": read.secret,
        "tenant_id": read.line,
        "user_id": read.line,
        "authority": read.url,
        "resource": read.url,
        "endpoint": read.url,
    },
    required=("client_id", "client_secret", "tenant_id"),
)
_GOOGLE: Final = Section(
    desk.Google,
    {"service_account": read.line, "private_key": read.secret, "user": read.address},
    required=("service_account", "private_key"),
)
_CONNECTION: Final[Mapping[str, read.Read[Any]]] = {
    "host": read.host,
    "port": _PORT,
    "tls": _TLS,
    "verify_certificate": read.switch,
    "auth": read.one_of(*AUTH_WORDS),
    "username": read.line,
    "password": read.secret,
    "oauth": _OAUTH,
    "google": _GOOGLE,
    "ews_url": read.url,
    "partition": read.name,
}
"""The keys that incoming and outgoing servers share (TI-02)."""

SETTINGS: Final = Section(
    desk.Settings,
    {
        "poll_interval": _POLL,
        "max_per_poll": _PER_POLL,
        "max_subject_length": read.integer(1, 1_000_000),
        "max_mail_size": read.size,
        "restricted_attachments": list_of(_attachment_type),
        "truncate_replies": read.switch,
        "keep_full_message": read.switch,
        "trusted_authserv_ids": list_of(read.line),
        "auth_failure_ticket": Section(
            desk.AuthFailureTicket,
            {"enabled": read.switch, "after": read.integer(1, 1000), "template": read.name},
        ),
        "response_url": read.url,
        "self_service_url": read.url,
        "plus_addressing": read.one_of("ignore", "keep"),
        "processing": read.switch,
        "timezone": read.timezone,
        "token_key": read.secret,
        "rabbitmq_management_url": read.url,
        "log_events": read.switch,
        "allow_cleartext_auth": read.switch,
        "fips": read.switch,
        "format_per_person": read.switch,
        "require_change_reason": read.switch,
        "subject_patterns": list_of(read.pattern("type", "number")),
        "automatic_mail_cap": Section(
            desk.AutomaticMailCap,
            {
                **dict.fromkeys(("per_address", "per_domain", "all_strangers"), read.integer(1, 100_000)),
                "per": read.duration(_SECOND, timedelta(days=365)),
            },
        ),
    },
)

MAIL_SERVER: Final = Section(
    desk.MailServer,
    {
        "name": read.name,
        "protocol": read.one_of("smtp", "ews", "graph", "gmail"),
        **_CONNECTION,
        "from_address": read.address,
        "timeout": read.duration(_SECOND, timedelta(hours=1)),
        "block": read.switch,
        "override_recipient": read.address,
        "embedded_images": read.one_of("cid", "inline"),
        "conversation_id": Section(
            desk.ConversationId,
            {"enabled": read.switch, "location": read.one_of("subject", "body"), "prefix": read.name},
        ),
        "default_format": read.one_of("html", "text"),
    },
    required=("name",),
)

_SENDER: Final = Section(
    desk.SenderPolicy,
    {
        "method": read.one_of("person", "object"),
        "policy": read.one_of("create", "existing_only", "without_creating"),
        "contact_type": read.one_of("employee", "external_contact"),
        "object": Section(
            desk.ObjectMatch,
            {
                "type": read.type_name,
                "relationship": read.name,
                "match_from_field": read.field_name,
                "match_value": Section(
                    desk.MatchValue, {"field": read.field_name, "value": read.scalar}, required=("field", "value")
                ),
                "field_mapping": _FIELDS,
            },
            required=("type", "relationship"),
        ),
    },
)


def _enabled_commands(item: Item, spot: Spot) -> tuple[str, ...]:
    """Some of the commands, or `all`."""
    if isinstance(item, Text) and item.text.casefold() == "all":
        return COMMANDS
    return list_of(read.one_of(*COMMANDS))(item, spot)


_COMMANDS: Final = Section(
    desk.CommandPolicy,
    {
        "enabled": _enabled_commands,
        "update_by": read.one_of("participant", "recognised"),
        "trust": read.one_of("address", "authenticated"),
        "log_new_on_invalid_number": read.switch,
        "update_closed": read.switch,
        "reopen_closed": read.switch,
        "reopened_to": _reopened_to,
        "update_anonymously": read.switch,
        "unrecognised": read.one_of("new_record", "ignore"),
        "close_anonymously": read.switch,
        "use_linked_analyst": read.switch,
        "default_logging_analyst": read.name,
        "reply_on_update": read.switch,
        "notify_handler_on_update": read.switch,
    },
)


def _inbox(**values: Any) -> desk.Inbox:
    """POP3 cannot mark mail, so there both words mean that it stays on the server (TI-08)."""
    if values.get("after") == "leave":
        if values.get("protocol") != "pop3":
            raise Refusal("after: leave is for pop3; write archive, delete or mark_read")
        values["after"] = "mark_read"
    return desk.Inbox(**values)


INBOX: Final = Section(
    _inbox,
    {
        "name": read.name,
        "address": read.address,
        "enabled": read.switch,
        "protocol": read.one_of("imap", "pop3", "ews", "graph", "gmail", "none"),
        **_CONNECTION,
        "folder": read.line,
        "archive_folder": read.line,
        "create_archive_folder": read.switch,
        "after": read.one_of("archive", "delete", "mark_read", "leave"),
        "take": read.one_of("all", "unseen"),
        "poll_interval": _POLL,
        "max_per_poll": _PER_POLL,
        "ignore_cc": read.switch,
        "default_domain": read.domain,
        "include_source_mailbox_name": read.switch,
        "log_events": read.switch,
        "mail_server": read.name,
        "processor": read.name,
        "update_only": read.switch,
        "unique_key": read.field_name,
        "record_marker": read.line,
        "field_separator": read.text,
        "email_when_no_target": read.switch,
        "create_incident_on_error": read.switch,
        "export": Section(desk.Export, {"connection": read.name, "compress": read.switch}, required=("connection",)),
        "owner_team": read.name,
        "task_for_every_email": read.switch,
        "task_subject": read.line,
        "template": read.name,
        "field_mapping": _FIELDS,
        "status_mapping": list_of_sections(
            Section(
                desk.StatusMapping,
                {"status": read.name, "quick_action": read.name, "enabled": read.switch},
                required=("status", "quick_action"),
            )
        ),
        "sender": _SENDER,
        "accept_only": read.one_of("anyone", "requestors", "technicians", "both"),
        "commands": _COMMANDS,
    },
    required=("name", "address"),
)

RULE: Final = Section(
    desk.Rule,
    {
        "name": read.name,
        "match": _match,
        "direction": read.one_of("inbound", "outbound", "both"),
        "applies_to": read.one_of("analysts", "requestors", "both"),
        "action": read.one_of("reject"),
        "reason": read.line_or_nothing,
    },
    required=("name", "match"),
)

PERSON: Final = Section(
    desk.Person,
    {
        "id": read.name,
        "name": read.name,
        "addresses": list_of(read.known_address),
        "kind": read.one_of("employee", "external_contact", "requestor"),
        "roles": list_of(read.one_of(*ROLES)),
        "permissions": list_of(read.name),
        "format": read.one_of("html", "text"),
        "active": read.switch,
        "login_id": read.name,
    },
    required=("id", "name"),
)


def _statuses(item: Item, spot: Spot) -> desk.Statuses:
    """All three groups as stated: one that is left out is empty, but a record has to start somewhere."""
    values = Section(dict, {"open": _NAMES, "resolved": _NAMES, "closed": _NAMES}).values(item, spot)
    if not values.get("open"):
        raise Refusal("a new record takes the first open status; write at least one, such as open: [Logged]")
    every = [status.casefold() for group in values.values() for status in group]
    if twice := next((status for status in every if every.count(status) > 1), None):
        raise Refusal(f'the status "{twice}" is here twice; a status belongs to one group')
    return desk.Statuses(*(values.get(group, ()) for group in ("open", "resolved", "closed")))


def _field_kind(item: Item, spot: Spot) -> tuple[str, bool]:
    """`number`, or `{type: number, protected: true}`: its kind, and whether only analysts set it by mail (IV-42)."""
    if not isinstance(item, Mapped):
        return read.one_of(*FIELD_KINDS)(item, spot), False
    stated = _FIELD.values(item, spot)
    return stated["type"], stated.get("protected", False)


_FIELD: Final = Section(dict, {"type": read.one_of(*FIELD_KINDS), "protected": read.switch}, required=("type",))


def _record_type(**values: Any) -> desk.RecordType:
    """A type of one's own keeps the aliases of the built-in one whose name it has, unless it states others."""
    replaced = (each for each in desk.BUILT_IN_TYPES if each.name == desk.folded(values["name"]))
    aliases = next((each.aliases for each in replaced), ())
    stated = values.pop("fields", {})
    fields = {name: kind for name, (kind, _) in stated.items()}
    marked = [name for name, (_, protected) in stated.items() if protected]
    protected = tuple(dict.fromkeys([*marked, *values.pop("protected", ())]))
    if unknown := next((name for name in protected if name not in fields), None):
        raise Refusal(f'the protected field "{unknown}" is no field of the type; it has {", ".join(fields) or "none"}')
    return desk.RecordType(**{"aliases": aliases, **values, "fields": fields, "protected": protected})


RECORD_TYPE: Final = Section(
    _record_type,
    {
        "name": read.type_name,
        "label": read.name,
        "number_field": read.field_name,
        "prefix": read.line_or_nothing,
        "fields": mapping_of(read.field_name, _field_kind),
        "statuses": _statuses,
        "relationships": mapping_of(read.field_name, read.type_name),
        "aliases": list_of(read.type_name),
        "protected": list_of(read.field_name),
    },
    required=("name",),
)
_SET_ON_TYPE: Final[Mapping[str, read.Read[Any]]] = {"name": read.name, "on": read.type_name, "set": _VALUES}
QUICK_ACTION: Final = Section(desk.QuickAction, _SET_ON_TYPE, required=("name", "on"))
TEMPLATE: Final = Section(desk.Template, _SET_ON_TYPE, required=("name", "on"))
PARTITION: Final = Section(
    desk.Partition,
    {"name": read.name, "priority_matrix": mapping_of(_pair_of_levels, read.integer(0, 1000))},
    required=("name",),
)
SLA: Final = Section(
    desk.Sla,
    {
        "name": read.name,
        "on": read.type_name,
        "when": _VALUES,
        "respond": _TARGET,
        "resolve": _TARGET,
        "warn_before": _TARGET,
    },
    required=("name", "on"),
)
BUSINESS_RULE: Final = Section(
    desk.BusinessRule,
    {
        "name": read.name,
        "on": _business_event,
        "when": _VALUES,
        "notify": Section(
            desk.Notify, {"to": list_of(_recipient, least=1), "template": read.name}, required=("to", "template")
        ),
        "set": _VALUES,
        "schedule": read.schedule,
    },
    required=("name", "on"),
)
MAIL_TEMPLATE: Final = Section(
    desk.MailTemplate,
    {"name": read.name, "subject": read.line, "text": read.text, "html": read.text},
    required=("name", "subject", "text"),
)
REPORT: Final = Section(
    desk.Report,
    {
        "name": read.name,
        "schedule": read.schedule,
        "query": _report_query,
        "group_by": read.field_name,
        "to": list_of(_recipient, least=1),
    },
    required=("name", "schedule", "query", "to"),
)
CONNECTION: Final = Section(
    desk.Connection,
    {
        "name": read.name,
        "kind": read.one_of("directory", "http"),
        "path": read.path,
        "url": read.url,
        "token": read.secret,
    },
    required=("name",),
)

SECTIONS: Final[Mapping[str, Section]] = {
    "mail_servers": MAIL_SERVER,
    "inboxes": INBOX,
    "rules": RULE,
    "people": PERSON,
    "record_types": RECORD_TYPE,
    "quick_actions": QUICK_ACTION,
    "templates": TEMPLATE,
    "partitions": PARTITION,
    "slas": SLA,
    "business_rules": BUSINESS_RULE,
    "mail_templates": MAIL_TEMPLATE,
    "reports": REPORT,
    "connections": CONNECTION,
}
"""The lists of the file, by key; the same names are the store's collections."""
CONFIGURATION: Final = Section(
    desk.Configuration,
    {"settings": SETTINGS, **{key: list_of_sections(section) for key, section in SECTIONS.items()}},
)


def key_of(section: str) -> str:
    """The key whose value names a thing of a section."""
    return "id" if section == "people" else "name"
