"""Hooks: what metrics, traces, logs and the journal may observe of a stage or a source.

A hook is a class that overrides some methods of `Hook`; each takes one frozen details object. `part` is the stage's
name, or `fetcher`; `source` is its queue, or the inbox. A stage calls all of them. The fetcher calls `taken` (mails
fetched in one visit), `committed` (they are on intake), `settled` (archived, deleted or marked as read), `retried` (a
mail or a visit that comes again), `failed` (a mail that stays in its mailbox, an inbox that is stopped), `paused` and
`resumed`.

A hook never harms the mail: an exception in it is logged, and the work goes on. Methods are called in the thread that
does the work, several threads at once: they must be quick and thread-safe.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import field
from typing import Any, ClassVar, Final

from shared.contracts.errors import Unavailable
from shared.lazy_dataclass import dataclass
from shared.runtime.broker import INTAKE, Delivery, Message
from shared.runtime.envelope import mail_id_of
from shared.runtime.outcome import Emit, Fail, Outcome

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """The decision of a stage about one delivery. `seconds`: reading, preparing and handling it; `messages` follow.

    `mail_id` is the mail it is about; empty when neither the outcome nor the message names one.
    """

    delivery: Delivery
    outcome: Outcome
    messages: Sequence[Message] = ()
    seconds: float = 0.0
    mail_id: str = field(init=False)

    def __post_init__(self) -> None:
        """Find the mail it is about, once: every hook asks for it."""
        object.__setattr__(self, "mail_id", _named_mail(self.outcome) or claimed_mail_id(self.delivery))


def claimed_mail_id(delivery: Delivery) -> str:
    """The mail that a message names; on intake its correlation id is the publisher's own, not a mail id."""
    return "" if delivery.queue == INTAKE else delivery.message.correlation_id


def _named_mail(outcome: Outcome) -> str:
    if isinstance(outcome, Fail):
        return outcome.mail_id
    if not isinstance(outcome, Emit):
        return ""
    return mail_id_of(outcome.events[0]) if outcome.events else outcome.mail_id


@dataclass(frozen=True, slots=True)
class Taken:
    """`count` deliveries or mails were taken. `seconds`: how long that took, waiting for them included."""

    part: str
    source: str
    count: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Decided:
    """A stage decided these; nothing of it is durable yet. Called inside the store's batch."""

    part: str
    source: str
    answers: Sequence[Answer]


@dataclass(frozen=True, slots=True)
class Committed:
    """What was decided or fetched is durable. `seconds`: from the start of the batch."""

    part: str
    source: str
    count: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Announced:
    """`count` events were published for integrators."""

    part: str
    source: str
    count: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Settled:
    """A delivery or mail is done. `id` names the message, or the mail in its mailbox. `seconds`: since it was taken,
    or the visit began.

    The broker's confirms of what a stage's delivery caused may still be on their way.
    """

    part: str
    source: str
    id: str
    mail_id: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Retried:
    """It comes again after `after_seconds` (None: at the next visit); `counted`: as a failed attempt.

    An empty `id` is a whole visit to a mailbox; then `kind` says why it failed: `login`, `throttled`, `server`, or
    `own` (our own store or broker).
    """

    part: str
    source: str
    id: str
    mail_id: str
    reason: str
    after_seconds: float | None
    counted: bool
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """A person has to look: the message went to the dead letters, or the mail or inbox is left alone."""

    part: str
    source: str
    id: str
    mail_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Paused:
    """A dependency is unavailable, or an operator paused the stage: nothing is taken until it answers, or until the
    stage is resumed. Called once per outage or pause. `kind`: `unavailable`, `unroutable` (a queue is missing), or
    empty for an operator's pause.
    """

    part: str
    source: str
    reason: str
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Resumed:
    """The dependency answers again, or the stage was resumed, after `seconds`."""

    part: str
    source: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Round:
    """A loop goes on: it begins its next round, also with nothing to do, or, at most once a second, its next message.

    An empty `part`: that of this thread, which waits for a dependency.
    """

    part: str


Details = Taken | Decided | Committed | Announced | Settled | Retried | Failed | Paused | Resumed | Round


class Hook:
    """Does nothing; subclasses override what they observe.

    `belongs_to_batch`: what its `decided` writes has to be committed together with the decision, so an `Unavailable`
    raised there takes the whole batch back. Of any other hook it is logged like every exception.
    """

    belongs_to_batch: ClassVar[bool] = False

    def taken(self, details: Taken) -> None:
        """Deliveries or mails were taken."""

    def decided(self, details: Decided) -> None:
        """Deliveries were decided; nothing is durable yet."""

    def committed(self, details: Committed) -> None:
        """Decisions or fetched mails became durable."""

    def announced(self, details: Announced) -> None:
        """Integrators were informed."""

    def settled(self, details: Settled) -> None:
        """A delivery or mail is done."""

    def retried(self, details: Retried) -> None:
        """A delivery, mail or visit will be tried again."""

    def failed(self, details: Failed) -> None:
        """A person has to look."""

    def paused(self, details: Paused) -> None:
        """A dependency is unavailable."""

    def resumed(self, details: Resumed) -> None:
        """The dependency answers again."""

    def round(self, details: Round) -> None:
        """A loop goes on."""


EVENTS: Final[dict[type[Details], str]] = {
    kind: kind.__name__.lower()
    for kind in (Taken, Decided, Committed, Announced, Settled, Retried, Failed, Paused, Resumed, Round)
}
"""Details → the method of `Hook` that takes them."""


class Hooks:
    """Several hooks, called in order."""

    def __init__(self, *hooks: Hook) -> None:
        self._listeners = {kind: [each for each in hooks if _overrides(each, name)] for kind, name in EVENTS.items()}
        self._logged: set[tuple[object, ...]] = set()

    def __call__(self, details: Details) -> None:
        """Call each hook that observes this kind. Raises `Unavailable` of one that belongs to the batch, only."""
        kind = type(details)
        for hook in self._listeners[kind]:
            try:
                method: Callable[[Any], None] = getattr(hook, EVENTS[kind])
                method(details)
            except Exception as error:
                if hook.belongs_to_batch and kind is Decided and isinstance(error, Unavailable):
                    raise
                self._log(hook, details, error)

    def _log(self, hook: Hook, details: Details, error: Exception) -> None:
        """Log the first error of a kind; what a hook of the batch misses is logged each time."""
        place = (type(hook).__name__, EVENTS[type(details)], type(error).__name__)
        if place not in self._logged or hook.belongs_to_batch:
            self._logged.add(place)
            log.error("hook_failed", exc_info=error, extra={"stage": details.part, "hook": place[0], "event": place[1]})


def _overrides(hook: Hook, name: str) -> bool:
    return getattr(type(hook), name) is not getattr(Hook, name)


class Outage:
    """Calls `paused` and `resumed` of one part, once for each time that a dependency is unavailable, or for a pause."""

    def __init__(self, hooks: Hooks, part: str, source: str) -> None:
        self._hooks, self._place = hooks, (part, source)
        self._since: float | None = None

    def begin(self, reason: str, kind: str = "") -> None:
        """Call `paused`, unless the outage is known already."""
        if self._since is None:
            self._since = time.monotonic()
            self._hooks(Paused(*self._place, reason, kind))

    def end(self) -> None:
        """Call `resumed`, if there was an outage."""
        if self._since is not None:
            seconds, self._since = time.monotonic() - self._since, None
            self._hooks(Resumed(*self._place, seconds))
