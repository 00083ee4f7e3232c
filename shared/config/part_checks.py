"""What one part of a configuration has to state, and what it cannot state together; `PARTS` is the table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from shared.config.complaints import Complaints, Faults, found_in
from shared.config.model import (
    XML_EXPORT,
    AuthFailureTicket,
    BusinessRule,
    Calendar,
    Configuration,
    Connection,
    Inbox,
    MailServer,
    OAuth,
    ObjectMatch,
    Rule,
    SenderPolicy,
    Sla,
)
from shared.config.secrets import TOKEN_METHODS
from shared.lazy_pattern import lazy_compile

_LINE: Final = frozenset({"imap", "pop3", "smtp"})
_WITHOUT_PASSWORD: Final = frozenset({"none", "gssapi", "xoauth2", "oauthbearer", "oauth"})
_ADDRESS: Final = lazy_compile(r"[^\s@]+@[^\s@]+")
_GUID: Final = lazy_compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_ACCOUNT: Final = ("username", "the user account is an address; write it as user@domain")


def _ticket(ticket: AuthFailureTicket) -> Faults:
    """TI-10."""
    if ticket.enabled and ticket.template is None:
        yield "template", "missing, and it is needed while enabled is true"


def _attachment_type(pattern: str) -> Faults:
    if "," in pattern:
        yield "", "a comma is not allowed in a type; write each type as an entry of its own"


def _inbox(inbox: Inbox) -> Faults:
    """TI-08, IV-24, IV-40."""
    yield from _login(inbox)
    if inbox.protocol == "pop3" and inbox.after == "archive":
        yield "after", "pop3 has no folders; write delete, or leave to keep the mail on the server"
    if inbox.protocol == "none" and inbox.host is not None:
        yield "protocol", "missing although there is a host; write imap or pop3"
    if inbox.processor == XML_EXPORT and inbox.export is None:
        yield "export", "missing, and xml_export needs it: {connection: <name>}"
    if inbox.processor == XML_EXPORT and inbox.sender.method == "object":
        yield "sender.method", "object does not go with xml_export; write person (IV-24)"
    if inbox.processor != XML_EXPORT and inbox.record_marker == inbox.field_separator is not None:
        yield "record_marker", "is the field_separator too; a body cannot be cut at both, choose another"


def _login(end: Inbox | MailServer) -> Faults:
    """IV-09, IV-11, TI-03, TI-05, VS-09, NE-20."""
    if end.client_certificate_passphrase is not None and end.client_certificate is None:
        yield "client_certificate", "missing, and client_certificate_passphrase belongs to it; write it, or remove both"
    match end.protocol:
        case "imap" | "pop3" | "smtp":
            yield from _line_protocol(end)
        case "ews":
            yield from _exchange(end)
        case "graph":
            yield from _graph(end)
        case "gmail" if end.google is None:
            yield "google", "missing, and gmail needs it: service_account, private_key and user"
        case "gmail" if end.google and not _ADDRESS.fullmatch(end.google.service_account):
            yield "google.service_account", "the service account is an address; write it as user@domain"


def _line_protocol(end: Inbox | MailServer) -> Faults:
    """An outgoing server logs in only when it states a method or a user name."""
    if end.host is None:
        yield "host", f"missing, and {end.protocol} needs it"
    logs_in = isinstance(end, Inbox) or end.auth != "auto" or end.username is not None
    has_secret = end.password or end.auth in _WITHOUT_PASSWORD or (end.auth == "auto" and (end.oauth or end.google))
    if logs_in and not has_secret:
        yield "password", "missing, and it is needed to log in; write ${ENV_NAME} or file:path"
    if end.auth in TOKEN_METHODS and end.oauth is None and end.google is None:
        yield "oauth", f"missing, and {end.auth} needs it (or google)"
    if end.protocol == "smtp" and end.username is not None and not _ADDRESS.fullmatch(end.username):
        yield "username", "the user name of a mail server is an address; write it as user@domain"


def _exchange(end: Inbox | MailServer) -> Faults:
    if end.username is not None and not _ADDRESS.fullmatch(end.username):
        yield _ACCOUNT
    if end.auth == "oauth" and end.oauth is None:
        yield "oauth", "missing, and ews with oauth needs it: client_id, client_secret and tenant_id"
    if end.auth in {"basic", "plain", "ntlm"} and end.password is None:
        yield "password", f"missing, and ews with {end.auth} needs it; write ${{ENV_NAME}} or file:path"
    if end.auth == "auto" and end.oauth is None and end.password is None:
        yield "oauth", "missing, and ews needs it, or a password"


def _graph(end: Inbox | MailServer) -> Faults:
    if end.oauth is None:
        yield "oauth", "missing, and graph needs it: client_id, client_secret, tenant_id and user_id"
    elif (user := end.oauth.user_id) is not None and not (_ADDRESS.fullmatch(user) or _GUID.fullmatch(user)):
        yield "oauth.user_id", "the user is an address or an object id; write it as user@domain"
    if end.username is not None and not _ADDRESS.fullmatch(end.username):
        yield _ACCOUNT


def _oauth(oauth: OAuth) -> Faults:
    """TI-02: the application identifies itself in one way, or a person has signed in."""
    if oauth.client_secret is not None and oauth.client_certificate is not None:
        yield "client_certificate", "client_secret is here too; keep one of the two"
    if not (oauth.client_secret or oauth.client_certificate or oauth.refresh_token):
        yield "client_secret", "missing; write it, or client_certificate, or refresh_token for a person's sign-in"
    if oauth.client_secret_ends is not None and oauth.client_secret is None:
        yield "client_secret_ends", "is the end of a client_secret, and there is none; remove it"


def _sender(sender: SenderPolicy) -> Faults:
    """IV-23."""
    if sender.method == "object" and sender.object is None:
        yield "object", "missing, and method: object needs it: type and relationship"
    if sender.method == "object" and sender.policy == "without_creating":
        yield "policy", "without_creating is for persons; write create or existing_only"


def _object(match: ObjectMatch) -> Faults:
    if match.match_from_field is not None and match.match_value is not None:
        yield "match_value", "match_from_field is here too; keep one of the two, never both (IV-24)"
    if match.match_from_field is None and match.match_value is None:
        yield "match_from_field", "missing; write it, or match_value: {field: ..., value: ...} (IV-24)"


def _rule(rule: Rule) -> Faults:
    """TI-20: a rule matches something; a preconfigured one has its match."""
    if not rule.match:
        yield "match", "missing, and it is needed; write {sender: text}, {subject: text} or another"
    elif rule.action == "allow":
        yield from _allowing(rule)


def _allowing(rule: Rule) -> Faults:
    """A rule that allows names senders as they are, so that nobody else is let through by a similar address."""
    if set(rule.match) != {"sender"}:
        yield "match", "a rule that allows names senders and nothing else; write {sender: [anna@example.org]}"
    elif unclear := next((each for each in rule.match["sender"] if "@" not in each or each.endswith("@")), None):
        yield "match.sender", f"{unclear!r} is not an address; write anna@example.org, or @example.org for a domain"


def _target(sla: Sla) -> Faults:
    """TI-35."""
    if sla.respond is None and sla.resolve is None:
        yield "", "a target is missing; write respond, resolve or both"


def _business_rule(rule: BusinessRule) -> Faults:
    """TI-33."""
    if not (rule.set or rule.quick_action or rule.notify or rule.stop):
        yield "", "this rule does nothing; write set, quick_action, notify or stop"


def _calendar(calendar: Calendar) -> Faults:
    """TI-35."""
    if not calendar.hours:
        yield "hours", 'there are no working hours; write {mon-fri: "09:00-17:00"}'


def _connection(connection: Connection) -> Faults:
    """IV-40."""
    if connection.kind == "directory" and connection.path is None:
        yield "path", "missing, and kind: directory needs it"
    if connection.kind == "http" and connection.url is None:
        yield "url", "missing, and kind: http needs it"


PARTS: Final[Mapping[str, Callable[[Any], Faults]]] = {
    "settings.auth_failure_ticket": _ticket,
    "settings.restricted_attachments": _attachment_type,
    "inboxes": _inbox,
    "inboxes.oauth": _oauth,
    "mail_servers.oauth": _oauth,
    "inboxes.sender": _sender,
    "inboxes.sender.object": _object,
    "mail_servers": _login,
    "rules": _rule,
    "slas": _target,
    "business_rules": _business_rule,
    "calendars": _calendar,
    "connections": _connection,
}


def parts_fit(config: Configuration) -> Complaints:
    """Every part states what it needs, and nothing that excludes itself."""
    yield from (complaint for _, complaint in found_in(config, PARTS))
