"""Bring together what two people have changed in one thing, field by field. Pure.

One has filled in a form that was made from an earlier version; the other has saved in between.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.operator.settings.form_kinds import FormKind
from services.operator.settings.settings_form import Filled, FormField, every_field, removes, value_at
from shared.lazy_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Merged:
    """What to save. `filled` has the newer values where the person changed nothing, else those filled in.

    `conflicts`: fields that both have changed to different values.
    """

    filled: Filled
    conflicts: tuple[str, ...]


def merge(kind: FormKind, filled: Filled, base: Mapping[str, Any] | None, now: Mapping[str, Any]) -> Merged:
    """`base`: the keys that the thing stated when the form was made; None when that is not known. `now`: those now.

    Without a base every value that differs from the stored one is a conflict.
    """
    typed = every_field(kind, now if base is None else base, filled)
    before, after = every_field(kind, now if base is None else base), every_field(kind, now)
    merged, conflicts = dict(filled), list[str]()
    for name, stored in after.items():
        mine = typed.get(name)
        if mine is not None and stored.kind == "secret":
            is_newer = base is None or value_at(base, name) != value_at(now, name)
            if _sets_secret(filled, name) and is_newer:
                conflicts.append(name)
        elif mine is None or _text(mine) == _text(before[name]):
            merged[name] = stored.as_filled()
        elif _text(mine) != _text(stored) and (base is None or _text(before[name]) != _text(stored)):
            conflicts.append(name)
    return Merged(merged, tuple(conflicts))


def _sets_secret(filled: Filled, name: str) -> bool:
    return any(filled.get(name, ())) or removes(filled, name)


def _text(field: FormField) -> str:
    """The value, however a browser ends its lines; empty when it is the default."""
    value = field.value.replace("\r\n", "\n").strip()
    return "" if value == field.default else value
