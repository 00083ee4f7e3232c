"""The dataclasses of a decision: each part of a mail with its target and change, and the outcome. Data only."""

from __future__ import annotations

from dataclasses import field
from typing import Literal

from services.record_writer.decide.content.body import Block
from shared.contracts.change import Change, Notification, Target
from shared.lazy_dataclass import dataclass
from shared.store.canaries import CameBack
from shared.store.outbox import SendingSide, UndeliveredMail
from shared.store.record import Record

Ending = Literal["recorded", "commanded", "rejected", "exported", "failed", "wait", "decided before"]
"""`failed`: nothing could be written, the mail becomes a dead letter; `wait`: decide again later."""


class SenderRefused(Exception):
    """No record is made for this sender; the reason is the mail's (IV-21)."""


class MissingRecord(Exception):
    """The record that a part names does not exist (IV-36, IV-37)."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a mail: its target, and what becomes of it.

    `change` is planned on `record` as it was read (None: a new record). Without a change, `failure` or `refusal` says
    why; without either, nothing is left to do. `committed`: the change is stored with its record.
    """

    number: int
    target: Target
    block: Block
    record: Record | None = None
    change: Change | None = None
    failure: str | None = None
    refusal: str | None = None
    committed: bool = False


@dataclass(frozen=True, slots=True)
class XmlExport:
    """The mail as XML, and the connection that it goes to (IV-40)."""

    connection: str
    document: bytes


@dataclass(frozen=True, slots=True)
class Decision:
    """The decision about one mail, valid while the data it was read from is unchanged.

    `step` names the rule that ended the mail before any part was planned, or that rejects it. `targets` are to be
    claimed. `notices`: the answer to the sender, if there is one; `incident`: the incident on error for parts that
    failed beside others. `may_make_incident`: False when the making of an incident is what failed. `outgoing`: which
    server sends what the mail causes. `undelivered`: the mail of ours that this one reports as not delivered.
    `came_back`: the probe of a canary that this mail is, when it counts. `announced`: whether integrators get an event
    about the rejection.
    """

    ending: Ending
    reason: str = ""
    step: str = ""
    targets: tuple[Target, ...] = ()
    parts: tuple[Part, ...] = ()
    notices: tuple[Notification, ...] = ()
    incident: Change | None = None
    may_make_incident: bool = True
    export: XmlExport | None = None
    outgoing: SendingSide = field(default_factory=SendingSide)
    undelivered: UndeliveredMail | None = None
    came_back: CameBack | None = None
    announced: bool = True

    @property
    def changes(self) -> list[Change]:
        """The changes of all parts, and the incident on error."""
        changes = [part.change for part in self.parts if part.change]
        return [*changes, self.incident] if self.incident else changes

    @property
    def about(self) -> Change | None:
        """The change whose record the notices are about."""
        return next((change for change in self.changes if change.notifications), None)

    @property
    def failed(self) -> list[Part]:
        """The parts without a change: those that could not be written, then those whose sender is refused."""
        return [*(part for part in self.parts if part.failure), *(part for part in self.parts if part.refusal)]
