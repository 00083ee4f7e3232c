"""The values of a record by the names that conditions and columns use: its own, and those of its type's fields."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from shared.store.record import Record

OWN: Final[Mapping[str, str]] = MappingProxyType(
    {"Status": "status", "Subject": "subject", "Owner": "owner", "OwnerTeam": "owner_team", "Partition": "partition"}
)
"""Names that mean the record's own property in every type."""
OTHERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Number": "number",
        "Type": "type",
        "Customer": "customer",
        "Description": "description",
        "Source": "source",
        "Inbox": "inbox",
        "Template": "template",
        "CreatedBy": "created_by",
        "Created": "created_at",
        "Updated": "updated_at",
    }
)
"""Names that mean the record's property unless its type has a field of this name."""
_OWN: Final = {name.casefold(): attribute for name, attribute in OWN.items()}
_OTHERS: Final = {name.casefold(): attribute for name, attribute in OTHERS.items()}


def value_of(record: Record | None, name: str) -> Any:
    """The value with this name, whatever its case; None where the record has none, and for no record."""
    if record is None:
        return None
    key = name.strip().casefold()
    if key in _OWN:
        return getattr(record, _OWN[key])
    if name in record.fields:
        return record.fields[name]
    if found := [value for each, value in record.fields.items() if each.casefold() == key]:
        return found[0]
    return getattr(record, _OTHERS[key]) if key in _OTHERS else None
