"""Events as the row of their cause keeps them, so that a redelivery emits the same ones."""

from __future__ import annotations

from shared.contracts import codec
from shared.contracts.events import Event
from shared.lazy_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class EmittedEvent:
    """An event as it is stored: its type and its JSON."""

    type: str
    body: str

    @property
    def event(self) -> Event:
        """The event itself."""
        return codec.decode(self.type, self.body.encode())


def emitted(event: Event) -> EmittedEvent:
    """The event as it is stored."""
    return EmittedEvent(type(event).__name__, codec.encode(event).decode())
