"""What tests ask of a record's document."""

from __future__ import annotations

from typing import Any

from shared.store.documents import Document


def fields_of(record: Document) -> dict[str, Any]:
    """Its fields."""
    return dict(record["fields"])


def own(record: Document) -> tuple[Any, ...]:
    """Subject, owner, team and status."""
    return record["subject"], record["owner"], record["owner_team"], record["status"]


def texts(activities: list[Document], kind: str = "email") -> list[str]:
    """The texts of activities of a kind."""
    return [each["text"].strip() for each in activities if each["kind"] == kind]
