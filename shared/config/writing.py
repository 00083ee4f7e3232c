"""The configuration as a file again: `load` of what is written here gives the same configuration.

What is at its default is left out, so that an export reads like a file that a person wrote. Secrets stay
references. Separate from the store, because the writing is about YAML and knows of no documents.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from operator import attrgetter
from typing import Any, Final

import yaml

from shared.config.keys import Size
from shared.config.model import Configuration, Rule, Statuses
from shared.config.readers import duration_text, size_text
from shared.config.schema import section_of
from shared.config.values import Secret
from shared.config.yaml_events import CORE
from shared.contracts.fields import Member, members_of
from shared.contracts.mapping import Dialect
from shared.contracts.mapping import to_plain as written

_BASE: Final[Any] = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_DECIDING: Final = frozenset({"protocol"})
"""Keys on whose value the defaults of others depend."""


class _Dumper(_BASE):  # type: ignore[misc]
    """Writes no aliases: two inboxes with equal rules are two inboxes."""

    def ignore_aliases(self, _: object) -> bool:
        return True


_Dumper.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if first not in "yYnNoO" or tag != f"{CORE}bool"]
    for first, resolvers in _BASE.yaml_implicit_resolvers.items()
}
"""The keys `on` and the texts `yes` and `no` need no quotes: our reader takes them for what they are (YAML 1.2)."""


def to_yaml(config: Configuration) -> str:
    """A configuration as YAML."""
    text: str = yaml.dump(
        to_plain(config), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120, default_flow_style=None
    )
    return text


def to_plain(config: Configuration) -> dict[str, Any]:
    """A configuration as the mappings, lists and values of its file."""
    return _stated(config)


def _stated(value: Any) -> dict[str, Any]:
    """The keys of a part that are not at their defaults."""
    stated: dict[str, Any] = {}
    kind: Any = type(value)
    least, keys = _least(value), section_of(kind).readers
    for each in members_of(kind):
        own, default = getattr(value, each.name), getattr(least, each.name)
        if each.name in keys and (each.required or own != _default(each, default)):
            stated[each.name] = written(each.type, FILE)(own)
    return stated


def _least(value: Any) -> Any:
    """The part with defaults for all but the needed keys and the protocol, on which other defaults depend.

    A preconfigured rule is written whole.
    """
    kind: Any = type(value)
    make = kind if kind is Rule else section_of(kind).kind
    given = [each.name for each in members_of(kind) if each.required or each.name in _DECIDING]
    return make(**{name: getattr(value, name) for name in given})


def _default(member: Member, otherwise: object) -> object:
    return member.default if member.name in _DECIDING else otherwise


def _copied(value: object) -> Any:
    """A mapping with free keys, and all that is in it."""
    match value:
        case tuple() | list():
            return [_copied(each) for each in value]
        case Mapping():
            return {key: _copied(each) for key, each in value.items()}
        case _:
            return value


def _every_group(statuses: Statuses) -> dict[str, list[str]]:
    return {name: list(group) for name, group in statuses.groups()}


FILE: Final = Dialect(
    checked=False,
    write={Secret: attrgetter("reference"), timedelta: duration_text, Size: size_text, Statuses: _every_group},
    write_mapping=_copied,
    write_object=_stated,
)
"""How values are written into a file."""
