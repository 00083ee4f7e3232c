"""Keys that other keys of the same part keep from having an effect; `PARTS` is the table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from shared.config import keys
from shared.config.complaints import Complaint, Complaints, Faults, found_in, is_stated, values_at
from shared.config.cron import Cron
from shared.config.model import (
    XML_EXPORT,
    BusinessRule,
    Configuration,
    Connection,
    Inbox,
    MailServer,
    Person,
    Report,
    Rule,
    SenderPolicy,
    Sla,
)
from shared.config.problems import nearest

_MAILBOX: Final = (
    "username password oauth google ews_url folder archive_folder create_archive_folder "
    "poll_interval max_per_poll verify_certificate ca_file client_certificate client_certificate_passphrase"
)

_BY_HTTPS: Final = {"graph": "", "gmail": "", "ews": " at ews_url"}
"""Protocols without a host of their own."""
_NEVER: Final = "this day never comes in these months; write another day or month"


def _inbox(inbox: Inbox) -> Faults:
    yield from _work(inbox)
    yield from _login(inbox)
    if inbox.protocol == "none":
        yield _MAILBOX, "protocol: none connects to no mailbox; remove it"
    elif inbox.after != "archive":
        yield "archive_folder create_archive_folder", "needs after: archive; remove it"
    if inbox.protocol != "imap":
        yield "idle", "is for imap; remove it"
    if inbox.protocol == "pop3":
        yield "folder archive_folder", "pop3 has no folders; remove it"


def _work(inbox: Inbox) -> Faults:
    """What becomes of the mail of an inbox."""
    if inbox.processor != "incident":
        in_incidents = "include_source_mailbox_name task_for_every_email status_mapping"
        yield in_incidents, "has an effect in an incident inbox only; remove it"
    if inbox.processor in ("incident", "problem", XML_EXPORT):
        yield "email_when_no_target", "has no effect in inboxes of incidents or problems, and in exports; remove it"
    if not inbox.task_for_every_email:
        yield "task_subject", "needs task_for_every_email: true; remove one"
    if not inbox.field_separator:
        yield "unique_key", "no field is read from a body without field_separator; write that too, or remove this key"
    if inbox.processor == XML_EXPORT:
        yield "template update_only", "this inbox exports mails and makes no records; remove it"
    else:
        yield "export", "needs processor: xml_export; write that, or remove this"
    if not inbox.copy_takes_part:
        yield "copy_on_answers", "needs copy_takes_part: true; write that, or remove this"
    if not inbox.answers_by_mail:
        yield "copy_on_answers", "needs answers_by_mail: true; write that, or remove this"
    if inbox.update_only:
        yield "field_mapping", "fills new records, and this inbox only updates; remove it"


def _login(end: Inbox | MailServer) -> Faults:
    if end.auth == "none":
        yield "username password", "auth: none does not log in; remove it"
    if end.protocol not in ("gmail", "none") and end.auth not in ("xoauth2", "oauthbearer", "auto"):
        yield "google", "is for gmail, xoauth2 and oauthbearer; remove it"
    if end.tls == "none" and end.protocol in ("imap", "pop3", "smtp"):
        unused = "verify_certificate ca_file client_certificate client_certificate_passphrase"
        yield unused, "tls: none encrypts nothing; remove it, or write starttls or implicit"
    elif not end.verify_certificate:
        yield "ca_file", "verify_certificate: false trusts every server; remove one"
    if end.protocol in _BY_HTTPS:
        yield "host", f"{end.protocol} is reached by HTTPS{_BY_HTTPS[end.protocol]}; remove it"
    if end.protocol in ("graph", "gmail"):
        yield "password", f"{end.protocol} takes no password; remove it"
    if end.protocol not in ("ews", "none"):
        yield "ews_url", "is for protocol: ews; remove it"


def _server(server: MailServer) -> Faults:
    yield from _login(server)
    if server.block:
        yield "override_recipient", "block: true sends nothing; remove one of the two"


def _sender(sender: SenderPolicy) -> Faults:
    if sender.method == "person":
        yield "object", "needs method: object; write that, or remove it"
    if sender.method == "object" or sender.policy != "create":
        yield "contact_type", "this inbox creates no people; remove it"


def _connection(connection: Connection) -> Faults:
    if connection.kind == "http":
        yield "path", "kind: http writes no files; remove it"
    else:
        yield "url token", "kind: directory sends nothing; remove it"


def _rule(rule: Rule) -> Faults:
    """An outgoing mail has neither headers nor a size nor a body yet when its recipients are checked (TI-20)."""
    patterns = rule.match.get("regex", {})
    unusable = [name for name in ("header", "size") if name in rule.match] + ["regex.body"] * ("body" in patterns)
    if rule.direction != "inbound" and unusable:
        where = "never matches" if rule.direction == "outbound" else "matches no outgoing mail"
        yield "match", f"{where}: {unusable[0]} is known of incoming mail only"


def _business_rule(rule: BusinessRule) -> Faults:
    if rule.notify is None:
        yield "schedule calendar", "limits notifications, and this rule sends none; write notify, or remove it"
    elif rule.schedule and not Cron.parse(rule.schedule).comes:
        yield "schedule", _NEVER


def _report(report: Report) -> Faults:
    if not Cron.parse(report.schedule).comes:
        yield "schedule", _NEVER


def _person(person: Person) -> Faults:
    for each in person.permissions:
        if each not in keys.PERMISSIONS:
            remedy = nearest(each, keys.PERMISSIONS) or f"; there is {', '.join(keys.PERMISSIONS)}"
            yield "permissions", f'"{each}" permits nothing{remedy}'


PARTS: Final[Mapping[str, Callable[[Any], Faults]]] = {
    "inboxes": _inbox,
    "inboxes.sender": _sender,
    "mail_servers": _server,
    "connections": _connection,
    "rules": _rule,
    "business_rules": _business_rule,
    "reports": _report,
    "people": _person,
}


def find_ineffective(config: Configuration) -> Complaints:
    """Settings that are stated, and that other settings keep from having an effect."""
    for part, complaint in found_in(config, PARTS):
        if is_stated(part, complaint.path.rpartition(".")[2]):
            yield complaint
    yield from _hidden_levels(config)
    for path, trust in values_at(config, "inboxes.commands.trust"):
        if trust == "authenticated" and not config.settings.trusted_authserv_ids:
            why = "only answers to our mails prove their sender: name your mail server in settings.trusted_authserv_ids"
            yield Complaint(path, why)


def _hidden_levels(config: Configuration) -> Complaints:
    """Service levels that never hold, because an earlier one fits every record that they fit (TI-35)."""
    for index, sla in enumerate(config.slas):
        earlier = (each for each in config.slas[:index] if _is_wider(each, sla, config))
        if first := next(earlier, None):
            why = f"never holds: {first.name} comes first and fits the same records; put this one before it"
            yield Complaint(f"slas[{index}]", why)


def _is_wider(wide: Sla, narrow: Sla, config: Configuration) -> bool:
    same_type = config.type_named(wide.on) == config.type_named(narrow.on)
    return same_type and all(name in narrow.when and narrow.when[name] == wide.when[name] for name in wide.when)
