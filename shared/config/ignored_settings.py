"""Settings that this version keeps and ignores, so that `config check` can list them before any mail depends on them.

Reads a valid `Configuration`, yields complaints that are notes and no problems: these settings are stored and exported
like all others. Which protocols and logins are supported is an argument. A key that is implemented is no longer
`Ignored` in `shared.config.model` and leaves the list in `docs/settings.md`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

from shared.config.checks import Complaint
from shared.config.keys import WITHOUT_EFFECT
from shared.config.model import Configuration, Inbox, MailServer, Person
from shared.config.schema import marked

KEPT: Final = "kept, and without effect in this version"


@dataclass(frozen=True, slots=True)
class Supported:
    """What this version supports: protocols of mailboxes, protocols of mail servers, login methods."""

    mailboxes: Collection[str]
    servers: Collection[str]
    logins: Collection[str]


def find_ignored(config: Configuration, supported: Supported) -> Iterator[Complaint]:
    """Every setting that is stated and ignored, with its place."""
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
    """Keys of one part without effect whose value differs from the default."""
    kind: Any = type(part)
    ignored = marked(kind, WITHOUT_EFFECT)
    for each in fields(kind):
        if each.name in ignored and getattr(part, each.name) != each.default:
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
    """A server with a protocol or login method that is not supported."""
    if end.protocol not in protocols:
        known = ", ".join(protocols)
        yield Complaint(f"{path}.protocol", f"{end.protocol} is not available in this version; it has {known}")
    elif end.auth not in supported.logins:
        known = ", ".join(supported.logins)
        yield Complaint(f"{path}.auth", f"{end.auth} is not available in this version; it has {known}")
