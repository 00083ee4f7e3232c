"""How the schedule sends an event to a stage. Separate, because several duties do it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.runtime.broker import Message
from shared.runtime.envelope import pack

if TYPE_CHECKING:
    from shared.app import App
    from shared.contracts.events import Event


def publish(app: App, event: Event, queue: str, cause: str) -> None:
    """Publish an event. The id of its message is derived from `cause`, so that a second run publishes the same one."""
    origin = Message(cause, queue, b"")
    app.broker.publish([pack(event, queue, cause=origin, stage="schedule", index=0, large=app.large_events)])
