"""A stage: a named function from what its queue carries to an outcome."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from shared.lazy_dataclass import dataclass
from shared.runtime.broker import Message
from shared.runtime.outcome import Outcome

Decode = Callable[[Message], Any]
"""Reads a message; raises `Undecodable`, `NewerVersion`, or `LookupError` for a blob that is not there."""
Prepare = Callable[[Any, bool], Any]
"""(event, whether it was handed out before and never settled) → what `handle` takes."""
Weight = Callable[[Any], int]
LookAhead = Callable[[Any], None]


@dataclass(frozen=True, slots=True)
class Stage:
    """`name` is folder, container and label; `queue` is what it reads. `waits_on_network`: its handler
    talks to servers, so it never runs inside a batch of the store.

    `prepare` does the long work that needs no write: it runs before the batch is opened, so that it holds
    no lock of the store. `weight` is how many bytes of memory a prepared event holds. `look_ahead` asks the store for
    what an event will need; where that pays, it is called for many events, to read it in one round. `load` imports what
    the stage needs, which else its first event does.
    """

    name: str
    queue: str
    handle: Callable[[Any], Outcome]
    decode: Decode
    waits_on_network: bool = False
    prepare: Prepare | None = None
    weight: Weight = lambda _: 0
    look_ahead: LookAhead | None = None
    load: Callable[[], object] = lambda: None
