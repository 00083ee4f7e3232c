"""The JSON Schema of a configuration file, for editors: made from the declarations of `shared.config.model`.

It knows keys, needed keys, lists, and words where a value is one of few. `config check` knows more: what fits together,
sizes, patterns. Whatever it accepts in small letters is valid here too.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from shared.config import keys
from shared.config.model import AfterOrDefault, Configuration
from shared.config.values import Secret
from shared.contracts.fields import Kinds, Member, made_of, members_of

Schema = dict[str, Any]
DIALECT: Final = "http://json-schema.org/draft-07/schema#"
"""The version that the YAML language servers of editors support."""
_TEXT: Final[Schema] = {"type": ["string", "number", "boolean"]}
"""A text may look like a number."""
_OBJECT: Final[Schema] = {"type": "object"}
_KNOWN: Final[dict[Any, Schema]] = {
    AfterOrDefault: {"enum": ["archive", "delete", "mark_read", "leave"]},
    keys.LoginMethod: {"enum": list(keys.AUTH_WORDS)},
    keys.Role: {"enum": list(keys.ROLES)},
    keys.EnabledCommands: {"anyOf": [{"const": "all"}, {"type": "array", "items": {"enum": list(keys.COMMANDS)}}]},
    keys.Size: {"type": ["integer", "string"]},
    keys.RuleMatch: _OBJECT,
    keys.RecordFields: _OBJECT,
    keys.FieldValues: _OBJECT,
    keys.Priorities: _OBJECT,
    keys.Languages: _OBJECT,
    keys.ReportQuery: _OBJECT,
    keys.Conditions: _OBJECT,
    keys.WorkingDays: _OBJECT,
    keys.AnyValue: {},
    bool: {"anyOf": [{"type": "boolean"}, {"enum": ["on", "off", "yes", "no"]}]},
    int: {"type": "integer"},
    timedelta: {"type": "string"},
    Secret: {"type": "string", "pattern": r"^(\$\{[A-Za-z_][A-Za-z0-9_]*\}|file:.+)$"},
    str: _TEXT,
}
"""Types whose values are said here."""


def json_schema() -> Schema:
    """The schema of the whole file."""
    return {"$schema": DIALECT, "title": "postroom.yaml", **_of_class(Configuration)}


def _of_class(cls: Any) -> Schema:
    members = [each for each in members_of(cls) if keys.NOT_A_KEY not in each.marks]
    needed = [each.name for each in members if each.required]
    found: Schema = {
        "type": "object",
        "properties": {each.name: _of_member(each) for each in members},
        "additionalProperties": False,
    }
    return {**found, "required": needed} if needed else found


def _of_member(member: Member) -> Schema:
    """A key that is not needed may be null: then it has its default."""
    found: Schema = made_of(member.type, _SCHEMAS)
    return found if member.required or not found else {"anyOf": [found, {"type": "null"}]}


def _of_list(item: Schema) -> Schema:
    """A single value counts as a list of one, but a single thing is a forgotten dash."""
    several = {"type": "array", "items": item}
    return several if "properties" in item else {"anyOf": [several, item]}


_SCHEMAS: Final = Kinds(
    _KNOWN,
    of_class=_of_class,
    of_list=_of_list,
    of_mapping=lambda _keys, values: {"type": "object", "additionalProperties": values},
    of_choice=lambda words: {"enum": list(words)},
    of_union=lambda arms, _: arms[0],
    of_other=_of_class,
)
