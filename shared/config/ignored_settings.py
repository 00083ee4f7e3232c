"""What a configuration asks for and this version does not do yet, shown when it is checked and not when mail waits.

Reads a `Configuration` that is right, yields complaints that are no problems: what they tell is kept and exported like
everything else. Which protocols and logins there are is known to those that speak them, and given in. A key that
comes to life leaves `WITHOUT_EFFECT`, and `docs/settings.md` with it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

from shared.config.checks import Complaint
from shared.config.model import AuthFailureTicket, CommandPolicy, Configuration, Inbox, MailServer, Person, Settings

WITHOUT_EFFECT: Final[Mapping[type, tuple[str, ...]]] = {
    Configuration: ("slas", "business_rules", "mail_templates", "reports"),
    Settings: ("response_url", "self_service_url", "token_key", "format_per_person"),
    AuthFailureTicket: ("enabled",),
    CommandPolicy: ("enabled", "close_anonymously", "reopened_to", "notify_handler_on_update"),
    MailServer: ("conversation_id", "embedded_images", "default_format"),
    Person: ("format", "permissions", "active"),
}
"""Keys that are read, checked and kept, and that nothing acts upon, by the part that they stand in."""
KEPT: Final = "kept, and without effect in this version"


@dataclass(frozen=True, slots=True)
class Supported:
    """What this version can talk: protocols of mailboxes, protocols of mail servers, ways to log in."""

    mailboxes: Collection[str]
    servers: Collection[str]
    logins: Collection[str]


def ignored_settings(config: Configuration, supported: Supported) -> Iterator[Complaint]:
    """Everything that is stated and has no effect, with its place."""
    yield from _without_effect("", config)
    yield from _without_effect("settings", config.settings)
    yield from _without_effect("settings.auth_failure_ticket", config.settings.auth_failure_ticket)
    yield from _of_people(config.people)
    for index, server in enumerate(config.mail_servers):
        yield from _without_effect(f"mail_servers[{index}]", server)
        yield from _unsupported(f"mail_servers[{index}]", server, supported.servers, supported)
    for index, inbox in enumerate(config.inboxes):
        yield from _without_effect(f"inboxes[{index}].commands", inbox.commands)
        if inbox.protocol != "none":
            yield from _unsupported(f"inboxes[{index}]", inbox, supported.mailboxes, supported)


def _without_effect(path: str, part: Any) -> Iterator[Complaint]:
    """Keys of one part that say something else than their default."""
    dead = WITHOUT_EFFECT[type(part)]
    for each in fields(part):
        if each.name in dead and getattr(part, each.name) != each.default:
            yield Complaint(f"{path}.{each.name}" if path else each.name, KEPT)


def _of_people(people: Sequence[Person]) -> Iterator[Complaint]:
    """One complaint a key, at the first person who has it: there may be very many."""
    counted: Counter[str] = Counter()
    first: dict[str, str] = {}
    for index, person in enumerate(people):
        for each in _without_effect("", person):
            counted[each.path] += 1
            first.setdefault(each.path, f"people[{index}].{each.path}")
    for key, path in first.items():
        yield Complaint(path, KEPT + (f"; so for {counted[key]} people" if counted[key] > 1 else ""))


def _unsupported(
    path: str, end: Inbox | MailServer, protocols: Collection[str], supported: Supported
) -> Iterator[Complaint]:
    """A server that cannot be talked to as it is described."""
    if end.protocol not in protocols:
        known = ", ".join(protocols)
        yield Complaint(f"{path}.protocol", f"{end.protocol} is not available in this version; it has {known}")
    elif end.auth not in supported.logins:
        known = ", ".join(supported.logins)
        yield Complaint(f"{path}.auth", f"{end.auth} is not available in this version; it has {known}")
