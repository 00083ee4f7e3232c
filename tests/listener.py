"""A hook that keeps what it hears, for tests."""

from __future__ import annotations

from typing import Any, TypeVar

from shared.runtime.hooks import EVENTS, Details, Hook

Kind = TypeVar("Kind")


class Listener(Hook):
    """Keeps every details object, in order."""

    def __init__(self) -> None:
        self.heard: list[Details] = []

    def of(self, kind: type[Kind]) -> list[Kind]:
        """Those of one kind."""
        return [each for each in self.heard if isinstance(each, kind)]


def _keep(self: Any, details: Details) -> None:
    self.heard.append(details)


for _name in EVENTS.values():
    setattr(Listener, _name, _keep)
