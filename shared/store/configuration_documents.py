"""The configuration as documents: the form in which the store keeps it and the console edits it.

One document a thing, `_id` its name; one document `settings`. A mapping with
free keys is kept as a list of pairs, because a key of a document may hold neither `.` nor a leading `$`.
Secrets are kept as references, times and sizes as the file writes them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from operator import attrgetter
from typing import Any, Final

from shared.config.model import Configuration, Settings
from shared.config.problems import InvalidConfiguration, ProblemLog
from shared.config.readers import duration_text
from shared.config.reading import read_items
from shared.config.schema import SECTIONS, key_of, section_of
from shared.config.section import Section
from shared.config.tree import of_document
from shared.config.values import Secret
from shared.contracts.mapping import Dialect, to_plain
from shared.store.documents import Document
from shared.store.settings import SETTINGS

POSITION: Final = "position"
"""The place of a thing in its file; things of one section keep their order."""

Stored = Mapping[str, list[Document]]
"""Documents by collection."""


def _pairs(mapping: Mapping[str, Any]) -> list[list[Any]]:
    return [[key, _member(each)] for key, each in mapping.items()]


def _member(value: object) -> Any:
    """A value of a mapping with free keys."""
    match value:
        case tuple() | list():
            return [_member(each) for each in value]
        case Mapping():
            return _pairs(value)
        case _:
            return value


DOCUMENT: Final = Dialect(
    checked=False, write={Secret: attrgetter("reference"), timedelta: duration_text}, write_mapping=_pairs
)
"""How values of the configuration are written into documents."""


def to_document(section: str, thing: object, position: int) -> Document:
    """One thing of a section. People have no place: they come from mail too."""
    value: Document = to_plain(type(thing), DOCUMENT)(thing)
    placed = {} if section == "people" else {POSITION: position}
    return {"_id": value[key_of(section)], **value, **placed}


def to_documents(config: Configuration) -> dict[str, list[Document]]:
    """The documents of a configuration, by collection."""
    sections = {
        section: [to_document(section, each, index) for index, each in enumerate(getattr(config, section))]
        for section in SECTIONS
    }
    return {SETTINGS: [{"_id": SETTINGS, **to_plain(Settings, DOCUMENT)(config.settings)}], **sections}


def from_documents(stored: Stored) -> Configuration:
    """The configuration that documents hold; members that are not configuration are ignored.

    Raises `InvalidConfiguration` when a document holds what cannot be used.
    """
    stated = {
        name: [_known(each, section) for each in in_order(stored.get(name, ()))] for name, section in SECTIONS.items()
    }
    settings = [_known(each, section_of(Settings)) for each in stored.get(SETTINGS, ())]
    log = ProblemLog("the stored configuration")
    config = read_items(of_document({SETTINGS: settings[0] if settings else {}, **stated}), log)
    if config is None or log.problems:
        raise InvalidConfiguration(log.problems)
    return config


def _known(document: Document, section: Section) -> Document:
    return {key: value for key, value in document.items() if key in section.readers}


def in_order(documents: Iterable[Document]) -> list[Document]:
    """Documents in the order of their file, then by name. People have no place and stay as they come."""
    kept = list(documents)
    return (
        sorted(kept, key=lambda each: (each[POSITION], each["_id"])) if all(POSITION in each for each in kept) else kept
    )
