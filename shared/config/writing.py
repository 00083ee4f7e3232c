"""The configuration as a file again: `load` of what is written here gives the same configuration.

What is at its default is left out, so that an export reads like a file that a person wrote. Secrets stay
references. Separate from the store, because the writing is about YAML and knows of no documents.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

import yaml

from shared.config.model import Configuration, Rule, Settings, Statuses
from shared.config.readers import duration_text, size, size_text
from shared.config.schema import SECTIONS, is_needed, section_of
from shared.config.section import Section
from shared.config.tree import CORE
from shared.config.values import Secret
from shared.store.configuration import read
from shared.store.documents import Documents

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


def export(documents: Documents) -> str:
    """The stored configuration as YAML."""
    return to_yaml(read(documents, people=True))


def to_yaml(config: Configuration) -> str:
    """A configuration as YAML."""
    text: str = yaml.dump(
        to_plain(config), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120, default_flow_style=None
    )
    return text


def to_plain(config: Configuration) -> dict[str, Any]:
    """A configuration as the mappings, lists and values of its file."""
    stated: dict[str, Any] = {}
    if settings := _differences(config.settings, Settings()):
        stated["settings"] = settings
    for section, schema in SECTIONS.items():
        if things := getattr(config, section):
            stated[section] = [_differences(each, _plainest(each, schema)) for each in things]
    return stated


def _plainest(thing: Any, schema: Section) -> Any:
    """The thing with defaults for all but the needed keys and the protocol, on which other defaults depend.

    A preconfigured rule is written whole.
    """
    kind = Rule if isinstance(thing, Rule) else schema.kind
    names = [*schema.required, *(name for name in _DECIDING if hasattr(thing, name))]
    return kind(**{name: getattr(thing, name) for name in names})


def _differences(thing: Any, plainest: Any) -> dict[str, Any]:
    kind: Any = type(thing)
    section, stated = section_of(kind), {}
    for field in dataclasses.fields(kind):
        value, default = getattr(thing, field.name), getattr(plainest, field.name)
        if is_needed(field) or value != _default(field, default):
            is_size = section.readers[field.name] is size
            stated[field.name] = size_text(value) if is_size else _plain(value, default)
    return stated


def _default(field: dataclasses.Field[Any], otherwise: object) -> object:
    return field.default if field.name in _DECIDING else otherwise


def _plain(value: object, default: object = None) -> Any:
    match value:
        case Secret():
            return value.reference
        case timedelta():
            return duration_text(value)
        case tuple() | list():
            return [_plain(each) for each in value]
        case Mapping():
            return {key: _plain(each) for key, each in value.items()}
        case Statuses():
            return {name: list(group) for name, group in value.groups()}
        case _ if dataclasses.is_dataclass(value):
            return _differences(value, default if type(default) is type(value) else _least(value))
        case _:
            return value


def _least(value: Any) -> Any:
    """A nested value with its defaults, where nothing is there by default."""
    needed = {field.name: getattr(value, field.name) for field in dataclasses.fields(value) if is_needed(field)}
    return type(value)(**needed)
