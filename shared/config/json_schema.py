"""The JSON Schema of a configuration file, for editors: made from the declarations of `shared.config.model`.

It knows keys, needed keys, lists, and words where a value is one of few. `config check` knows more: what fits together,
sizes, patterns. Whatever it accepts in small letters is valid here too.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Final, Literal

from shared.config import keys
from shared.config.model import AfterOrDefault, Configuration
from shared.config.schema import is_needed, marked
from shared.config.values import Secret

Schema = dict[str, Any]
DIALECT: Final = "http://json-schema.org/draft-07/schema#"
"""The version that the YAML language servers of editors support."""
_TEXT: Final[Schema] = {"type": ["string", "number", "boolean"]}
"""A text may look like a number."""
_OBJECT: Final[Schema] = {"type": "object"}
_MEANINGS: Final[tuple[tuple[Any, Schema], ...]] = (
    (AfterOrDefault, {"enum": ["archive", "delete", "mark_read", "leave"]}),
    (keys.LoginMethod, {"enum": list(keys.AUTH_WORDS)}),
    (keys.Role, {"enum": list(keys.ROLES)}),
    (keys.EnabledCommands, {"anyOf": [{"const": "all"}, {"type": "array", "items": {"enum": list(keys.COMMANDS)}}]}),
    (keys.Size, {"type": ["integer", "string"]}),
    (keys.RuleMatch, _OBJECT),
    (keys.RecordFields, _OBJECT),
    (keys.FieldValues, _OBJECT),
    (keys.Priorities, _OBJECT),
    (keys.ReportQuery, _OBJECT),
    (keys.AnyValue, {}),
    (bool, {"anyOf": [{"type": "boolean"}, {"enum": ["on", "off", "yes", "no"]}]}),
    (int, {"type": "integer"}),
    (timedelta, {"type": "string"}),
    (Secret, {"type": "string", "pattern": r"^(\$\{[A-Za-z_][A-Za-z0-9_]*\}|file:.+)$"}),
    (str, _TEXT),
)
"""Types whose values are said here; the first that fits decides."""


def json_schema() -> Schema:
    """The schema of the whole file."""
    return {"$schema": DIALECT, "title": "postroom.yaml", **_of_class(Configuration)}


def _of_class(cls: Any) -> Schema:
    hints = typing.get_type_hints(cls, include_extras=True)
    fields = [each for each in dataclasses.fields(cls) if each.name not in marked(cls, keys.NOT_A_KEY)]
    needed = [each.name for each in fields if is_needed(each)]
    found: Schema = {
        "type": "object",
        "properties": {each.name: _of_field(hints[each.name], needed=each.name in needed) for each in fields},
        "additionalProperties": False,
    }
    return {**found, "required": needed} if needed else found


def _of_field(type_: Any, *, needed: bool) -> Schema:
    """A key that is not needed may be null: then it has its default."""
    found = _of(type_)
    return found if needed or not found else {"anyOf": [found, {"type": "null"}]}


def _of(type_: Any) -> Schema:
    for known, meaning in _MEANINGS:
        if type_ == known:
            return meaning
    origin, arguments = typing.get_origin(type_), typing.get_args(type_)
    if origin is Annotated:
        return _of(arguments[0])
    if origin in (types.UnionType, typing.Union):
        return _of(arguments[0])
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin is tuple:
        return _of_list(_of(arguments[0]))
    if origin is Mapping:
        return {"type": "object", "additionalProperties": _of(arguments[1])}
    return _of_class(type_)


def _of_list(item: Schema) -> Schema:
    """A single value counts as a list of one, but a single thing is a forgotten dash."""
    several = {"type": "array", "items": item}
    return several if "properties" in item else {"anyOf": [several, item]}
