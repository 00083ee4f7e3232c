"""Notes on a valid configuration: what this version ignores, what can do nothing, what is probably not meant.

Reads a valid `Configuration`, yields complaints that are notes and no problems: these settings are stored and exported
like all others. Which protocols and logins are supported is an argument. A key that is implemented is no longer
`Ignored` in `shared.config.model` and leaves the list in `docs/settings.md`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

from shared.addresses import address_key
from shared.config.complaints import Complaint, Complaints, indexed
from shared.config.field_checks import mapped_fields, undeclared
from shared.config.keys import WITHOUT_EFFECT
from shared.config.lookalikes import find_lookalikes
from shared.config.model import XML_EXPORT, CommandPolicy, Configuration, Connection, Inbox, MailServer, Person, Rule
from shared.config.schema import marked

KEPT: Final = "kept, and without effect in this version"
_INCIDENT: Final = "has an effect in an incident inbox only; remove it"
_PASSWORD_METHODS: Final = frozenset({"regular", "login", "plain", "basic"})
_MAILBOX: Final = (
    "username", "password", "oauth", "google", "ews_url", "folder", "archive_folder", "create_archive_folder",
    "poll_interval", "max_per_poll", "verify_certificate",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Supported:
    """What this version supports: protocols of mailboxes, protocols of mail servers, login methods."""

    mailboxes: Collection[str]
    servers: Collection[str]
    logins: Collection[str]


def find_notes(config: Configuration, supported: Supported) -> Complaints:
    """Everything about a configuration that an administrator should read, with its place."""
    yield from _ignored(config, supported)
    yield from _useless(config)
    yield from _shared_addresses(config)
    yield from _risky_logins(config)
    yield from _open_tokens(config)
    yield from _undeclared_fields(config)
    yield from find_lookalikes(config)


def _ignored(config: Configuration, supported: Supported) -> Complaints:
    """Every setting that is stated and that this version ignores."""
    yield from _without_effect("", config)
    yield from _without_effect("settings", config.settings)
    yield from _of_people(config.people)
    for path, server in indexed(config, "mail_servers"):
        yield from _without_effect(path, server)
        yield from _unsupported(path, server, supported.servers, supported)
    for path, inbox in indexed(config, "inboxes"):
        yield from _without_effect(f"{path}.commands", inbox.commands)
        yield from _commands(f"{path}.commands.enabled", inbox.commands)
        if inbox.protocol != "none":
            yield from _unsupported(path, inbox, supported.mailboxes, supported)


def _without_effect(path: str, part: Any) -> Complaints:
    """Keys of one part without effect whose value differs from the default."""
    kind: Any = type(part)
    ignored = marked(kind, WITHOUT_EFFECT)
    for name in _stated(part, [each.name for each in fields(part) if each.name in ignored]):
        yield Complaint(f"{path}.{name}" if path else name, KEPT)


def _stated(part: Any, names: Iterable[str]) -> Iterator[str]:
    """Those keys of a part whose value is not the default of a part that states nothing."""
    defaults = {each.name: each.default for each in fields(part)}
    for name in names:
        if getattr(part, name) not in (defaults[name], {}):
            yield name


def _of_people(people: Sequence[Person]) -> Complaints:
    """One complaint a key, at the first person who has it: there may be very many."""
    counted: Counter[str] = Counter()
    first: dict[str, str] = {}
    for index, person in enumerate(people):
        for each in _without_effect("", person):
            counted[each.path] += 1
            first.setdefault(each.path, f"people[{index}].{each.path}")
    for key, path in first.items():
        yield Complaint(path, KEPT + (f"; so for {counted[key]} people" if counted[key] > 1 else ""))


def _commands(path: str, policy: CommandPolicy) -> Complaints:
    """Commands that an inbox asks for. Those that are not enabled are refused, so that the key has an effect."""
    if policy.enabled and any(_stated(policy, ["enabled"])):
        why = "this version carries out no commands: it rejects such mails, and answers senders who are recognised"
        yield Complaint(path, f"{', '.join(policy.enabled)}: {why}")


def _unsupported(path: str, end: Inbox | MailServer, protocols: Collection[str], supported: Supported) -> Complaints:
    """A server with a protocol or login method that is not supported."""
    if end.protocol not in protocols:
        known = ", ".join(protocols)
        yield Complaint(f"{path}.protocol", f"{end.protocol} is not available in this version; it has {known}")
    elif end.auth not in supported.logins:
        known = ", ".join(supported.logins)
        yield Complaint(f"{path}.auth", f"{end.auth} is not available in this version; it has {known}")


@dataclass(frozen=True, slots=True)
class _Useless:
    """Keys that can do nothing in a part of the configuration that meets a condition."""

    keys: tuple[str, ...]
    when: Callable[[Any], bool]
    why: str


_OF_INBOXES: Final = (
    _Useless(
        ("include_source_mailbox_name", "task_for_every_email", "status_mapping"),
        lambda inbox: inbox.processor != "incident",
        _INCIDENT,
    ),
    _Useless(
        ("email_when_no_target",),
        lambda inbox: inbox.processor in ("incident", "problem", XML_EXPORT),
        "has no effect in inboxes of incidents or problems, and in exports; remove it",
    ),
    _Useless(
        ("task_subject",), lambda inbox: not inbox.task_for_every_email, "needs task_for_every_email: true; remove one"
    ),
    _Useless(
        ("unique_key",),
        lambda inbox: not inbox.field_separator,
        "no field is read from a body without field_separator; write that too, or remove this key",
    ),
    _Useless(
        ("template", "update_only"),
        lambda inbox: inbox.processor == XML_EXPORT,
        "this inbox exports mails and makes no records; remove it",
    ),
    _Useless(
        ("export",),
        lambda inbox: inbox.processor != XML_EXPORT,
        "needs processor: xml_export; write that, or remove this",
    ),
    _Useless(
        ("field_mapping",), lambda inbox: inbox.update_only, "fills new records, and this inbox only updates; remove it"
    ),
    _Useless(_MAILBOX, lambda inbox: inbox.protocol == "none", "protocol: none connects to no mailbox; remove it"),
    _Useless(
        ("archive_folder", "create_archive_folder"),
        lambda inbox: inbox.protocol != "none" and inbox.after != "archive",
        "needs after: archive; remove it",
    ),
    _Useless(
        ("folder", "archive_folder"),
        lambda inbox: inbox.protocol == "pop3",
        "pop3 has no folders; remove it",
    ),
)
_OF_SENDERS: Final = (
    _Useless(("object",), lambda sender: sender.method == "person", "needs method: object; write that, or remove it"),
    _Useless(
        ("contact_type",),
        lambda sender: sender.method == "object" or sender.policy != "create",
        "this inbox creates no people; remove it",
    ),
)
_OF_CONNECTIONS: Final = (
    _Useless(("path",), lambda each: each.kind == "http", "kind: http writes no files; remove it"),
    _Useless(("url", "token"), lambda each: each.kind == "directory", "kind: directory sends nothing; remove it"),
)
_OF_LOGINS: Final = (
    _Useless(("username", "password"), lambda end: end.auth == "none", "auth: none does not log in; remove it"),
    _Useless(
        ("google",), lambda end: end.protocol not in ("gmail", "none") and end.auth not in ("xoauth2", "auto"),
        "is for gmail and xoauth2; remove it",
    ),
    _Useless(("ews_url",), lambda end: end.protocol not in ("ews", "none"), "is for protocol: ews; remove it"),
)  # fmt: skip
_OF_SERVERS: Final = (
    *_OF_LOGINS,
    _Useless(("override_recipient",), lambda server: server.block, "block: true sends nothing; remove one of the two"),
)


def _useless(config: Configuration) -> Complaints:
    """Settings that are stated, and that other settings keep from having an effect."""
    for path, inbox in indexed(config, "inboxes"):
        yield from _of_table(path, inbox, (*_OF_INBOXES, *_OF_LOGINS))
        yield from _of_table(f"{path}.sender", inbox.sender, _OF_SENDERS)
        if inbox.commands.trust == "authenticated" and not config.settings.trusted_authserv_ids:
            why = "nobody counts as authenticated: name your mail server in settings.trusted_authserv_ids"
            yield Complaint(f"{path}.commands.trust", why)
    for path, server in indexed(config, "mail_servers"):
        yield from _of_table(path, server, _OF_SERVERS)
    for path, connection in indexed(config, "connections"):
        yield from _of_table(path, connection, _OF_CONNECTIONS)
    for path, rule in indexed(config, "rules"):
        yield from _never_matches(path, rule)


def _of_table(path: str, part: Inbox | MailServer | Connection | Any, table: Sequence[_Useless]) -> Complaints:
    for row in table:
        if row.when(part):
            yield from (Complaint(f"{path}.{name}", row.why) for name in _stated(part, row.keys))


def _never_matches(path: str, rule: Rule) -> Complaints:
    """An outgoing mail has neither headers nor a size nor a body yet when its recipients are checked (TI-20)."""
    patterns = rule.match.get("regex", {})
    unusable = [name for name in ("header", "size") if name in rule.match] + ["regex.body"] * ("body" in patterns)
    if rule.direction != "inbound" and unusable:
        where = "never matches" if rule.direction == "outbound" else "matches no outgoing mail"
        yield Complaint(f"{path}.match", f"{where}: {unusable[0]} is known of incoming mail only")


def _shared_addresses(config: Configuration) -> Complaints:
    """One address for two inboxes, or for two people."""
    keys = [(f"{path}.address", address_key(inbox.address), inbox.name) for path, inbox in indexed(config, "inboxes")]
    for path, name in _seen_before(keys):
        yield Complaint(path, f"the inbox {name} has this address too; right only for two folders of one mailbox")
    addresses = [
        (f"{path}.addresses", address_key(address), person.id)
        for path, person in indexed(config, "people")
        for address in person.addresses
    ]
    for path, name in _seen_before(addresses):
        yield Complaint(path, f"{name} has one of these addresses too, and mail from it counts as {name}'s")


def _seen_before(places: Iterable[tuple[str, Hashable, str]]) -> Iterator[tuple[str, str]]:
    owners: dict[Hashable, str] = {}
    for path, key, name in places:
        if key is not None and (owner := owners.setdefault(key, name)) != name:
            yield path, owner


def _risky_logins(config: Configuration) -> Complaints:
    """Passwords that anybody on the way can read (IV-09)."""
    for section in ("inboxes", "mail_servers"):
        for path, end in indexed(config, section):
            if end.tls != "none" or not end.password or end.protocol not in ("imap", "pop3", "smtp"):
                continue
            if end.auth in _PASSWORD_METHODS or (end.auth == "auto" and config.settings.allow_cleartext_auth):
                yield Complaint(f"{path}.tls", "the password travels in clear text; write starttls or implicit")
            elif end.auth == "auto":
                why = "without TLS auto never sends a password in clear text, so most servers refuse the login"
                yield Complaint(f"{path}.tls", f"{why}; write starttls or implicit")


def _open_tokens(config: Configuration) -> Complaints:
    """Tokens of connections that anybody can read, on the way or in the configuration."""
    for path, each in indexed(config, "connections"):
        if each.token and (each.url or "").casefold().startswith("http:"):
            yield Complaint(f"{path}.url", "the token travels in clear text; write https")
        if re.search(r"[?&][^=&]*(?:token|key|secret|password)[^=&]*=", each.url or "", re.IGNORECASE):
            yield Complaint(f"{path}.url", "a secret in an address is stored and shown; write it as token: ${ENV_NAME}")


def _undeclared_fields(config: Configuration) -> Complaints:
    for path, inbox in indexed(config, "inboxes"):
        yield from _as_text(f"{path}.field_mapping", mapped_fields(inbox, config))
    for section in ("templates", "quick_actions"):
        for path, each in indexed(config, section):
            yield from _as_text(f"{path}.set", undeclared(each.set, config.type_named(each.on), config))


def _as_text(path: str, names: Sequence[str]) -> Complaints:
    if names:
        yield Complaint(path, f"{', '.join(names)}: no declared field of the type, so kept as text")
