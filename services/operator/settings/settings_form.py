"""A form for one thing of the configuration, made from the declarations of `shared.config.model`. Pure.

`form_of` says which fields there are: type, choices, default, help, which of them belong to the chosen protocol, which
are needed. `changed` reads what was filled in with the readers of configuration files, and gives back the thing, or the
problems at their fields. Secrets go one way: a form says whether one is set, and never which.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final, Literal

from services.operator.settings.form_kinds import INBOX, FormKind
from shared.config import keys
from shared.config.model import AfterOrDefault, Configuration
from shared.config.problems import Problem, ProblemLog
from shared.config.readers import duration_text, size_text
from shared.config.reading import read_items
from shared.config.tree import Item, Mapped, Sequenced, Text, Unparsable
from shared.config.values import Secret
from shared.contracts.fields import Kinds, Member, made_of, members_of
from shared.lazy_dataclass import dataclass

FieldKind = Literal[
    "text", "long text", "number", "duration", "size", "switch", "choice", "several", "lines", "yaml", "secret"
]
Filled = Mapping[str, Sequence[str]]
"""What was filled in: field → values. A switch that is off has none."""
TYPED: Final = "typed in, and never shown again"
"""How a secret is filled in, before the help of its key."""
REMOVE: Final = "remove:"
"""Before the name of a secret's field: remove what is stored."""


@dataclass(frozen=True, slots=True)
class FormField:
    """One field. `name` has dots between levels; `values` is what it shows, `default` what holds when it is empty.

    `protocols`: those that it belongs to, empty for all. `is_set`: whether a secret is stored. `missing`: it is
    needed, and empty.
    """

    name: str
    kind: FieldKind
    help: str = ""
    default: str = ""
    choices: tuple[str, ...] = ()
    required: bool = False
    protocols: frozenset[str] = frozenset()
    values: tuple[str, ...] = ()
    is_set: bool = False
    problem: str = ""
    missing: bool = False

    @property
    def label(self) -> str:
        """The key in words; the group names the level above."""
        return self.name.rpartition(".")[2].replace("_", " ")

    @property
    def value(self) -> str:
        """Its text; lists have a line for each value."""
        return "\n".join(self.values)

    @property
    def is_on(self) -> bool:
        """Whether a switch is on."""
        return self.values == ("true",)

    def as_filled(self) -> list[str]:
        """What a browser sends when the field is left as it is shown."""
        if self.kind == "switch":
            return ["true"] if self.is_on else []
        return list(self.values) if self.kind == "several" else [self.value]


@dataclass(frozen=True, slots=True)
class FormGroup:
    """Fields that belong together."""

    title: str
    fields: tuple[FormField, ...]

    @property
    def has_problem(self) -> bool:
        """Whether something here has to be put right."""
        return any(each.problem or each.missing for each in self.fields)

    @property
    def is_filled(self) -> bool:
        """Whether anything here is not at its default."""
        return any(each.is_set or each.values not in ((), (each.default,)) for each in self.fields)


@dataclass(frozen=True, slots=True)
class Form:
    """A form. `problems` belong to no field of it."""

    section: str
    protocol: str
    groups: tuple[FormGroup, ...]
    problems: tuple[str, ...] = ()

    @property
    def fields(self) -> dict[str, FormField]:
        """Every field by name."""
        return {each.name: each for group in self.groups for each in group.fields}

    @property
    def missing(self) -> tuple[FormField, ...]:
        """Needed fields that are empty."""
        return tuple(each for each in self.fields.values() if each.missing)


@dataclass(frozen=True, slots=True)
class Changed:
    """The result of filling in: the thing, or None with problems; each problem's path is a field, or empty."""

    thing: Any
    problems: tuple[Problem, ...] = ()


_KINDS: Final = Kinds(
    {
        AfterOrDefault: ("choice", ("archive", "delete", "mark_read")),
        keys.LoginMethod: ("choice", keys.AUTH_WORDS),
        keys.EnabledCommands: ("several", keys.COMMANDS),
        keys.AnyText: ("long text", ()),
        keys.Size: ("size", ()),
        bool: ("switch", ()),
        int: ("number", ()),
        timedelta: ("duration", ()),
        Secret: ("secret", ()),
    },
    of_class=lambda cls: cls,
    of_list=lambda item: ("yaml", ()) if isinstance(item, type) else ("lines", ()),
    of_mapping=lambda _keys, _values: ("yaml", ()),
    of_choice=lambda words: ("choice", tuple(map(str, words))),
    of_union=lambda arms, _: arms[0],
    of_other=lambda _: ("text", ()),
)


def form_of(
    stated: Mapping[str, Any],
    problems: Sequence[Problem] = (),
    *,
    kind: FormKind = INBOX,
    filled: Filled | None = None,
    known: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> Form:
    """The form of a thing.

    `stated`: the keys that it states (`stated_keys`); none for a new one. `filled` is what a person has filled in
    instead, with its `problems`. `known`: field → names that it may refer to.
    """
    protocol = protocol_of(kind, filled, stated)
    shown = [each for each in _fields(kind, protocol) if kind.has(each.name, protocol)]
    at = {each.name: each for each in (_shown(each, stated, filled, protocol) for each in shown)}
    by_field, rest = _placed(problems, at, kind.section)
    completed = {
        name: replace(
            each,
            choices=each.choices or tuple(known.get(name, ())),
            problem=by_field.get(name, ""),
            missing=_is_missing(each, by_field.get(name, "")),
        )
        for name, each in at.items()
    }
    groups = (
        FormGroup(title, tuple(each for key in names for each in completed.values() if _is_in(each.name, key)))
        for title, names in kind.groups.items()
    )
    return Form(kind.section, protocol, tuple(each for each in groups if each.fields), rest)


def protocol_of(kind: FormKind, filled: Filled | None, stated: Mapping[str, Any] = MappingProxyType({})) -> str:
    """The protocol that was chosen, or else that which is stored; in place of an unknown one, that of a new thing."""
    chosen = first_given(filled or {}, "protocol") or str(stated.get("protocol", kind.protocol))
    return chosen if chosen in kind.protocols else kind.protocol


def stated_keys(thing: object, kind: FormKind = INBOX) -> dict[str, Any]:
    """The keys that a thing states, as in a file: those at their defaults are left out."""
    from shared.config.writing import to_plain

    stated: dict[str, Any] = {kind.section: (thing,)}
    plain: dict[str, Any] = to_plain(Configuration(**stated))[kind.section][0]
    return plain


def every_field(kind: FormKind, stated: Mapping[str, Any], filled: Filled | None = None) -> dict[str, FormField]:
    """Every field by name, with what it shows; when it was filled in, those that the form had."""
    protocol = protocol_of(kind, filled, stated)
    return {
        each.name: _shown(each, stated, filled, protocol)
        for each in _fields(kind, protocol)
        if filled is None or kind.has(each.name, protocol)
    }


def removes(filled: Filled, name: str) -> bool:
    """Whether the stored secret of a field is to be removed."""
    return bool(filled.get(f"{REMOVE}{name}"))


def _is_in(name: str, key: str) -> bool:
    return name == key or name.startswith(f"{key}.")


@cache
def key_help() -> Mapping[str, Mapping[str, str]]:
    """What the page on settings says of each key, by its heading."""
    loaded: dict[str, dict[str, str]] = json.loads(
        files("services.operator.settings").joinpath("key_help.json").read_text()
    )
    return loaded


def _fields(kind: FormKind, protocol: str) -> Iterator[FormField]:
    return _fields_of(kind, kind.cls, kind.section, "", protocol)


def _fields_of(kind: FormKind, cls: Any, heading: str, prefix: str, protocol: str) -> Iterator[FormField]:
    """The fields of a class and of the classes in it."""
    for member in members_of(cls):
        if keys.NOT_A_KEY in member.marks:
            continue
        made, name = made_of(member.type, _KINDS), f"{prefix}{member.name}"
        if isinstance(made, type):
            yield from _fields_of(kind, made, member.name, f"{name}.", protocol)
            continue
        sort, choices = made
        help_text = key_help().get(heading, {}).get(member.name, "")
        yield FormField(
            name,
            sort,
            _help_of_secret(help_text) if sort == "secret" else help_text,
            _default(member),
            kind.choices_of(name, protocol, choices),
            member.required,
            kind.protocols_of(name),
        )


def _help_of_secret(help_text: str) -> str:
    rest = help_text.removeprefix("secret").removeprefix(":").strip()
    return f"{TYPED}; {rest}" if rest else TYPED


def _default(member: Member) -> str:
    value = member.default
    match value:
        case bool():
            return "true" if value else "false"
        case timedelta():
            return duration_text(value)
        case tuple():
            return "\n".join(map(str, value))
        case str() | int() if value:
            return str(value)
        case _:
            return ""


def _shown(empty: FormField, stated: Mapping[str, Any], filled: Filled | None, protocol: str) -> FormField:
    """The field with what it shows."""
    found = value_at(stated, empty.name)
    if empty.kind == "secret":
        removed = filled is not None and removes(filled, empty.name)
        return replace(empty, is_set=found is not None and not removed)
    if filled is not None:
        given = tuple(filled.get(empty.name, ()))
        values = (("true",) if given else ("false",)) if empty.kind == "switch" else given
    elif found is None:
        values = tuple(empty.default.split("\n")) if empty.kind in {"switch", "several"} else ()
    else:
        values = _texts(found, empty.kind)
    if empty.name == "protocol":
        values = (protocol,)
    return replace(empty, values=tuple(each for each in values if each))


def value_at(stated: Mapping[str, Any], name: str) -> Any:
    """The value of a field in stated keys; None when it is not stated."""
    found: Any = stated
    for step in name.split("."):
        found = found.get(step) if isinstance(found, Mapping) else None
    return found


def _texts(value: Any, kind: FieldKind) -> tuple[str, ...]:
    match value:
        case _ if kind == "yaml":
            return (_yaml(value),)
        case bool():
            return ("true" if value else "false",)
        case list():
            return tuple(map(str, value))
        case int() if kind == "size":
            return (size_text(value),)
        case _:
            return (str(value),)


def _yaml(value: Any) -> str:
    import yaml

    text: str = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, default_flow_style=None, width=100)
    return text.strip()


def _placed(
    problems: Sequence[Problem], fields: Mapping[str, FormField], section: str
) -> tuple[dict[str, str], tuple[str, ...]]:
    """The problems by field; one about what is not a field stands at the nearest part of it, or above the form.

    A path that begins with the section is that of another thing.
    """
    by_field, rest = dict[str, str](), list[str]()
    for each in problems:
        name = None if each.path.startswith(f"{section}[") else _nearest_field(each.path, fields)
        if name is None:
            rest.append(f"{each.path}: {each.message}" if each.path else each.message)
        else:
            by_field[name] = "; ".join(filter(None, (by_field.get(name), each.message)))
    return by_field, tuple(rest)


def _nearest_field(path: str, fields: Mapping[str, FormField]) -> str | None:
    steps = [step.partition("[")[0] for step in path.split(".")]
    for count in range(len(steps), 0, -1):
        name = ".".join(steps[:count])
        if name in fields:
            return name
    return next((name for name in fields if path and name.startswith(f"{path}.")), None)


def _is_missing(field: FormField, problem: str) -> bool:
    return (field.required and "." not in field.name and not field.values) or problem.startswith("missing")


def changed(filled: Filled, stored: Mapping[str, Any], kind: FormKind = INBOX) -> Changed:
    """The thing that was filled in. `stored`: the keys that it states now; a secret that is left empty stays.

    Fields that do not belong to the protocol fall back to their defaults.
    """
    protocol = protocol_of(kind, filled)
    log, pairs = ProblemLog(), dict[str, Any]()
    for field in _fields(kind, protocol):
        if kind.has(field.name, protocol) and (item := _item(field, filled, stored, log, kind)) is not None:
            _put(pairs, field.name.split("."), item)
    root = Mapped([(Text(kind.section), Sequenced([_mapped(pairs)]))])
    things = getattr(read_items(root, log), kind.section, ())
    problems = tuple(replace(each, path=within(each.path, kind)) for each in log.problems)
    return Changed(things[0] if things and not problems else None, problems)


def within(path: str, kind: FormKind = INBOX, place: int = 0) -> str:
    """The path of a problem within the thing at a place of its section."""
    return path.removeprefix(f"{kind.section}[{place}]").removeprefix(".")


def first_given(filled: Filled, name: str) -> str:
    """The value that was filled in: of several with one name the first that is not blank; else empty."""
    return next((each for each in filled.get(name, ()) if each.strip()), "")


def _item(field: FormField, filled: Filled, stored: Mapping[str, Any], log: ProblemLog, kind: FormKind) -> Item | None:
    """What a field states; None when it is left out."""
    given = [each for each in filled.get(field.name, ()) if each.strip()]
    if field.kind == "switch":
        on = Text("true" if given else "false", plain=True)
        return on if on.text != (field.default or "false") else None
    if field.kind == "secret" and not given:
        kept = None if removes(filled, field.name) else value_at(stored, field.name)
        return None if kept is None else Text(str(kept))
    if field.kind == "several":
        return Sequenced([Text(each) for each in given]) if given != field.default.split("\n") else None
    if not given:
        return None
    text = given[0].replace("\r\n", "\n")
    match field.kind:
        case "lines":
            return Sequenced([Text(each.strip()) for each in text.split("\n") if each.strip()])
        case "yaml":
            return _parsed(f"{kind.section}[0].{field.name}", text, log)
        case "long text":
            return Text(text)
        case "number":
            return Text(text.strip(), plain=True)
        case _:
            return Text(text.strip())


def _parsed(path: str, text: str, log: ProblemLog) -> Item | None:
    from shared.config.yaml_events import parse

    try:
        return parse(text.encode())
    except Unparsable as error:
        log.add(path, f"line {error.line}: {error}")
        return None


def _put(pairs: dict[str, Any], steps: Sequence[str], item: Item) -> None:
    *above, last = steps
    for step in above:
        pairs = pairs.setdefault(step, {})
    pairs[last] = item


def _mapped(pairs: Mapping[str, Any]) -> Mapped:
    return Mapped([(Text(key), _mapped(each) if isinstance(each, dict) else each) for key, each in pairs.items()])
