"""Notes on a valid configuration: what this version does not support, what can do nothing, what is probably not meant.

Reads a valid `Configuration`, yields complaints that are notes, not problems: these settings are stored and exported
like all others. Which protocols and logins are supported is an argument.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Hashable, Iterable, Iterator, Sequence
from itertools import product
from typing import Final

from shared.addresses import address_key
from shared.config.complaints import Complaint, Complaints, values_at
from shared.config.field_checks import mapped_fields, undeclared
from shared.config.ineffective import find_ineffective
from shared.config.lookalikes import find_lookalikes
from shared.config.model import Configuration, Inbox, MailServer
from shared.config.online_exchange import find_online_exchange
from shared.config.rule_checks import teams_without_people
from shared.lazy_dataclass import dataclass

_PASSWORD_METHODS: Final = frozenset({"regular", "login", "plain", "basic"})
_ADDRESSES_OF_LOGINS: Final = ("ews_url", "oauth.authority", "oauth.resource", "oauth.endpoint", "google.endpoint")


@dataclass(frozen=True, slots=True)
class Supported:
    """What this version supports: protocols of mailboxes, protocols of mail servers, login methods."""

    mailboxes: Collection[str]
    servers: Collection[str]
    logins: Collection[str]


def find_notes(config: Configuration, supported: Supported) -> Complaints:
    """Everything about a configuration that an administrator should read, with its place."""
    yield from _servers(config, supported)
    yield from find_ineffective(config)
    yield from _shared_addresses(config)
    yield from _canaries_of_one_address(config)
    yield from _risky_logins(config)
    yield from _open_tokens(config)
    yield from _undeclared_fields(config)
    yield from find_lookalikes(config)
    yield from find_online_exchange(config)
    yield from teams_without_people(config)


def _servers(config: Configuration, supported: Supported) -> Complaints:
    """Mail servers and mailboxes with a protocol or login method that is not supported."""
    for path, server in values_at(config, "mail_servers"):
        yield from _unsupported(path, server, supported.servers, supported)
    for path, inbox in values_at(config, "inboxes"):
        if inbox.protocol != "none":
            yield from _unsupported(path, inbox, supported.mailboxes, supported)


def _unsupported(path: str, end: Inbox | MailServer, protocols: Collection[str], supported: Supported) -> Complaints:
    """A server with a protocol or login method that is not supported."""
    if end.protocol not in protocols:
        known = ", ".join(protocols)
        yield Complaint(f"{path}.protocol", f"{end.protocol} is not available in this version; it has {known}")
    elif end.auth not in supported.logins:
        known = ", ".join(supported.logins)
        yield Complaint(f"{path}.auth", f"{end.auth} is not available in this version; it has {known}")


def _shared_addresses(config: Configuration) -> Complaints:
    """One address for two inboxes, or for two people."""
    keys = [(f"{path}.address", address_key(inbox.address), inbox.name) for path, inbox in values_at(config, "inboxes")]
    for path, name in _seen_before(keys):
        yield Complaint(path, f"the inbox {name} has this address too; right only for two folders of one mailbox")
    addresses = [
        (f"{path}.addresses", address_key(address), person.id)
        for path, person in values_at(config, "people")
        for address in person.addresses
    ]
    desk = {address_key(each.address): each.name for each in config.inboxes}
    for path, key, _ in addresses:
        if inbox := desk.get(key):
            yield Complaint(
                path, f"the inbox {inbox} has one of these addresses: mail to this person comes back; remove it"
            )
    for path, name in _seen_before(addresses):
        yield Complaint(path, f"{name} has one of these addresses too, and mail from it counts as {name}'s")


def _canaries_of_one_address(config: Configuration) -> Complaints:
    """Two canaries for one address: all probes arrive in one folder, so that those of the other inbox never come."""
    watched = [(path, inbox) for path, inbox in values_at(config, "inboxes") if inbox.enabled and inbox.canary]
    for path, inbox in watched:
        same = (each for _, each in watched if each is not inbox and _is_same_address(each, inbox))
        if other := next(same, None):
            why = f"the inbox {other.name} has this address and a canary too; all probes arrive in one folder"
            yield Complaint(f"{path}.canary", f"{why}, and one of the two canaries is always lost: remove one")


def _is_same_address(one: Inbox, other: Inbox) -> bool:
    return address_key(one.address) == address_key(other.address) is not None


def _seen_before(places: Iterable[tuple[str, Hashable, str]]) -> Iterator[tuple[str, str]]:
    owners: dict[Hashable, str] = {}
    for path, key, name in places:
        if key is not None and (owner := owners.setdefault(key, name)) != name:
            yield path, owner


def _risky_logins(config: Configuration) -> Complaints:
    """Passwords and tokens that anybody on the way can read (IV-09)."""
    for section, place in product(("inboxes", "mail_servers"), _ADDRESSES_OF_LOGINS):
        for path, address in values_at(config, f"{section}.{place}"):
            if _is_open(address):
                yield Complaint(path, "the password or token travels in clear text; write https")
    for section in ("inboxes", "mail_servers"):
        for path, end in values_at(config, section):
            if end.tls != "none" or not end.password or end.protocol not in ("imap", "pop3", "smtp"):
                continue
            if end.auth in _PASSWORD_METHODS or (end.auth == "auto" and config.settings.allow_cleartext_auth):
                yield Complaint(f"{path}.tls", "the password travels in clear text; write starttls or implicit")
            elif end.auth == "auto":
                why = "without TLS auto never sends a password in clear text, so most servers refuse the login"
                yield Complaint(f"{path}.tls", f"{why}; write starttls or implicit")


def _is_open(address: str) -> bool:
    return address.casefold().startswith("http:")


def _open_tokens(config: Configuration) -> Complaints:
    """Tokens of connections that anybody can read, on the way or in the configuration."""
    for path, each in values_at(config, "connections"):
        if each.token and _is_open(each.url or ""):
            yield Complaint(f"{path}.url", "the token travels in clear text; write https")
        if re.search(r"[?&][^=&]*(?:token|key|secret|password)[^=&]*=", each.url or "", re.IGNORECASE):
            yield Complaint(f"{path}.url", "a secret in an address is stored and shown; write it as token: ${ENV_NAME}")


def _undeclared_fields(config: Configuration) -> Complaints:
    for path, inbox in values_at(config, "inboxes"):
        yield from _as_text(f"{path}.field_mapping", mapped_fields(inbox, config))
    for section in ("templates", "quick_actions"):
        for path, each in values_at(config, section):
            yield from _as_text(f"{path}.set", undeclared(each.set, config.type_named(each.on), config))


def _as_text(path: str, names: Sequence[str]) -> Complaints:
    if names:
        yield Complaint(path, f"{', '.join(names)}: no declared field of the type, so kept as text")
