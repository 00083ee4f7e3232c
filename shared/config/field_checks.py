"""Checks of what templates, quick actions and mappings set: fields that exist, values that they can hold, known tokens.

A type of one's own has the fields that it declares. A built-in type, and one that declares none, takes others too, as
text; a name that is almost one of its own is a mistake (IV-24, IV-32, IV-39, VF-10).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from shared import mapping_tokens
from shared.addresses import address_key
from shared.config.complaints import Complaint, Complaints, names_of, unknown, unknown_type, values_at
from shared.config.model import RECORD_FIELDS, CommandPolicy, Configuration, Inbox, ObjectMatch, RecordType
from shared.config.problems import nearest, typo_of
from shared.config.values import Scalar
from shared.typed import BadValue, as_text, typed

_PARTITION: Final = "Partition"
_SAMPLES: Final = ("", "1", "2026-11-20", "yes")
"""Values of tokens: one of them makes a value of each kind of field."""


def presets_fit(config: Configuration) -> Complaints:
    """Templates and quick actions name an existing type, and set fields to values that these can hold."""
    for section in ("quick_actions", "templates"):
        for path, each in values_at(config, section):
            yield from unknown_type(f"{path}.on", each.on, config)
            for name, value in each.set.items():
                at, type_ = f"{path}.set.{name}", config.type_named(each.on)
                yield from check_field(at, name, type_, config)
                yield from _no_token(at, value)
                yield from check_value(at, name, value, type_, config)


def approvals_fit(config: Configuration) -> Complaints:
    """VF-18: the statuses after a decision are those of the type, and a type has one rule."""
    seen = dict[str, str]()
    for path, each in values_at(config, "approvals"):
        type_ = config.type_named(each.on)
        for key, status in (("approved", each.approved), ("rejected", each.rejected)):
            yield from check_value(f"{path}.{key}", "Status", status, type_, config)
        if (first := seen.setdefault(each.on, each.name)) != each.name:
            yield Complaint(f"{path}.on", f"{each.on} has the rule {first} already; remove one")


def _no_token(path: str, value: Scalar) -> Complaints:
    for word, _, _ in mapping_tokens.words(value) if isinstance(value, str) else ():
        if word.casefold() in {each.casefold() for each in mapping_tokens.NAMES} or typo_of(word, mapping_tokens.NAMES):
            yield Complaint(path, f"@{word} stays text here; tokens belong in the field_mapping of an inbox")


def mappings_fit(config: Configuration) -> Complaints:
    """IV-24, IV-32, IV-41: mappings use known tokens, and fill fields of the type that the inbox makes or links to."""
    for path, inbox in values_at(config, "inboxes"):
        type_ = config.type_named(inbox.processor)
        for name, template in inbox.field_mapping.items():
            yield from _mapped(f"{path}.field_mapping.{name}", name, template, type_, config)
        if match := inbox.sender.object:
            yield from _object(f"{path}.sender.object", match, config)
        for index, mapping in enumerate(inbox.status_mapping if type_ else ()):
            yield from check_value(f"{path}.status_mapping[{index}].status", "Status", mapping.status, type_, config)


def _object(path: str, match: ObjectMatch, config: Configuration) -> Complaints:
    type_ = config.type_named(match.type)
    for name, template in match.field_mapping.items():
        yield from _mapped(f"{path}.field_mapping.{name}", name, template, type_, config)
    if match.match_from_field is not None:
        at = f"{path}.match_from_field"
        yield from check_field(at, match.match_from_field, type_, config)
        yield from check_value(at, match.match_from_field, "jane@example.com", type_, config, is_sample=True)
    if match.match_value:
        yield from check_field(f"{path}.match_value.field", match.match_value.field, type_, config)
        yield from check_value(
            f"{path}.match_value.value", match.match_value.field, match.match_value.value, type_, config
        )


def _mapped(path: str, name: str, template: str, type_: RecordType | None, config: Configuration) -> Complaints:
    yield from check_field(path, name, type_, config)
    yield from _tokens(path, template)
    if not mapping_tokens.has_token(template):
        yield from check_value(path, name, mapping_tokens.constant_of(template), type_, config)
    elif name.casefold() not in {"owner", "partition"}:
        states = [status for _, group in type_.statuses.groups() for status in group] if type_ else []
        filled = (mapping_tokens.with_sample(template, sample) for sample in (*_SAMPLES, *states))
        refused = [next(check_value(path, name, each, type_, config), None) for each in filled]
        if all(refused) and refused[0]:
            yield refused[0]


def _tokens(path: str, template: str) -> Complaints:
    known = [f"@{each}" for each in mapping_tokens.NAMES]
    for word, is_joined, has_bad_index in mapping_tokens.words(template):
        is_known = word.casefold() in {each.casefold() for each in mapping_tokens.NAMES}
        if not is_known and not (is_joined and typo_of(word, mapping_tokens.NAMES) is None):
            remedy = nearest(f"@{word}", known) or f"; it is one of {', '.join(known)}"
            yield Complaint(path, f"there is no token @{word}{remedy} (write @@ for the sign itself)")
        elif has_bad_index:
            yield Complaint(path, f"the index of @{word} is not a number; write @{word}[2] for the second address")


def check_value(
    path: str, name: str, value: Scalar, type_: RecordType | None, config: Configuration, *, is_sample: bool = False
) -> Complaints:
    """A value that its field cannot hold; every mail would fail on it. Nothing is said of a field without a value."""
    if value is None or type_ is None or (value == "" and name.casefold() != "status"):
        return
    match name.casefold():
        case "owner":
            yield from person_exists(path, as_text(value), config)
        case "partition":
            yield from unknown(path, "partition", as_text(value), names_of(config.partitions))
        case _:
            yield from _untyped(path, name, as_text(value), type_, is_sample=is_sample)


def _untyped(path: str, name: str, text: str, type_: RecordType, *, is_sample: bool) -> Complaints:
    if name.casefold() == "status" and not is_sample:
        yield from _status(path, text, type_)
        return
    spelled = next((each for each in type_.fields if each.casefold() == name.casefold()), "")
    try:
        typed(type_, [(spelled, text)])
    except BadValue as error:
        yield Complaint(path, f"{spelled} cannot hold an address; match a text field" if is_sample else str(error))


def _status(path: str, status: str, type_: RecordType) -> Complaints:
    if type_.statuses.group(status.strip()) is None:
        known = [each for _, group in type_.statuses.groups() for each in group]
        hint = nearest(status, known) or f"; it has {', '.join(known)}"
        yield Complaint(path, f'{type_.name} has no status "{status}"{hint}')


def people_exist(config: Configuration) -> Complaints:
    """VS-04: the analyst who logs mail exists. The default may be a person of the store."""
    default = CommandPolicy().default_logging_analyst
    for path, inbox in values_at(config, "inboxes"):
        if (named := inbox.commands.default_logging_analyst) != default:
            yield from person_exists(f"{path}.commands.default_logging_analyst", named, config)


def person_exists(path: str, named: str, config: Configuration) -> Complaints:
    """A reference to a person, by id or address. Without the section `people` nobody can say who exists."""
    if "people" not in config.sections or not named.strip():
        return
    key = address_key(named)
    if not any(named.strip() == each.id or key in map(address_key, each.addresses) for each in config.people):
        hint = (
            nearest(named, [each.id for each in config.people]) or "; add it under people, or write the id of another"
        )
        yield Complaint(path, f'there is no person "{named}"{hint}', misses="people")


def named_people(config: Configuration) -> Iterator[str]:
    """The ids and addresses that `people_exist`, templates, quick actions and mappings name."""
    yield from (inbox.commands.default_logging_analyst for inbox in config.inboxes)
    mappings: list[Mapping[str, Scalar]] = [
        *(each.set for each in config.templates),
        *(each.set for each in config.quick_actions),
        *(inbox.field_mapping for inbox in config.inboxes),
        *(inbox.sender.object.field_mapping for inbox in config.inboxes if inbox.sender.object),
    ]
    for mapping in mappings:
        yield from (as_text(value) for name, value in mapping.items() if name.casefold() == "owner" and value)


def check_field(path: str, name: str, type_: RecordType | None, config: Configuration) -> Complaints:
    """A name that is not a field of its type, or almost the name of one."""
    known = known_fields(type_) if type_ else []
    if type_ is None or name.casefold() in {each.casefold() for each in known}:
        return
    if declares_fields(type_, config):
        hint = nearest(name, known) or f"; it has {', '.join(type_.fields)}"
        yield Complaint(path, f'{type_.name} has no field "{name}"{hint}')
    elif near := typo_of(name, known):
        remedy = "a field of your own is declared under record_types"
        yield Complaint(path, f'{type_.name} has no field "{name}"; did you mean "{near}"? {remedy}')


def known_fields(type_: RecordType) -> list[str]:
    """The names of the fields of a type, and of the properties that every record has."""
    return [*type_.fields, *RECORD_FIELDS, _PARTITION]


def declares_fields(type_: RecordType, config: Configuration) -> bool:
    """Whether a type of one's own states which fields it has."""
    return bool(type_.fields) and any(each.name == type_.name for each in config.record_types)


def undeclared(names: Iterable[str], type_: RecordType | None, config: Configuration) -> list[str]:
    """The names that a type does not declare, and takes as text."""
    if type_ is None or declares_fields(type_, config):
        return []
    known = {each.casefold() for each in known_fields(type_)}
    return [name for name in names if name.casefold() not in known]


def mapped_fields(inbox: Inbox, config: Configuration) -> list[str]:
    """The fields of an inbox's mapping that its type does not declare."""
    return undeclared(inbox.field_mapping, config.type_named(inbox.processor), config)
