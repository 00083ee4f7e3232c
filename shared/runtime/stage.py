"""A stage: a named function from what its queue carries to an outcome."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from shared.runtime.broker import Message
from shared.runtime.outcome import Outcome

Decode = Callable[[Message], Any]
"""Reads a message; raises `Undecodable`, `FromTheFuture`, or `LookupError` for a blob that is not there."""


@dataclass(frozen=True, slots=True)
class Stage:
    """`name` is folder, container and label; `queue` is what it reads. `waits_on_network`: its handler
    talks to servers, so it never runs inside a batch of the store.
    """

    name: str
    queue: str
    handle: Callable[[Any], Outcome]
    decode: Decode
    waits_on_network: bool = False
