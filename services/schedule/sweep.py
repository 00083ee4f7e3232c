"""One sweep: looks through a collection in steps of a bounded size and removes what is no longer needed.

A step is one commit where the store has one. A step that a crash interrupted is done again, and a step that two
processes do at once removes the same things.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from shared.lazy_dataclass import dataclass
from shared.store.sweeps import Sweeps, SweepState

STEP: Final = 500
"""Documents that one step looks at."""
SETTLING: Final = timedelta(days=1)
"""How long nothing is removed that a worker may still be using, whatever the store says of it."""


@dataclass(frozen=True, slots=True)
class Look:
    """What one step found: the ids that are `due`, those `first_seen`, and the last id, empty at the end of a pass."""

    due: Sequence[str]
    after: str
    first_seen: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Sweep:
    """`look(after, limit, now)` only reads; `apply(look, now)` removes. A pass begins `every` so often."""

    name: str
    what: str
    every: timedelta
    look: Callable[[str, int, datetime], Look]
    apply: Callable[[Look, datetime], None]

    def is_due(self, state: SweepState, now: datetime) -> bool:
        """Whether a pass is under way, or a new one has to begin."""
        return bool(state.after) or state.ended_at is None or now - state.ended_at >= self.every

    def step(self, states: Sweeps, now: datetime) -> SweepState:
        """Do one step; the state after it."""
        state = states.state(self.name)
        look = self.look(state.after, STEP, now)
        self.apply(look, now)
        after = _after(state, look, now)
        states.keep(after)
        return after


def _after(state: SweepState, look: Look, now: datetime) -> SweepState:
    return replace(
        state,
        after=look.after,
        ended_at=state.ended_at if look.after else now,
        removed=state.removed + len(look.due),
        last_removed=len(look.due) + (state.last_removed if state.after else 0),
    )
