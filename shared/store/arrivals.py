"""The `arrivals` collection: every message that was handed in, with its state, and where to find its mail on intake.

Counted apart from mails, so that it can be checked that none is lost: see `services.operator.health.conservation`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import field, replace
from datetime import datetime, timedelta
from typing import Final, Literal

from shared.contracts.mail import Address
from shared.contracts.mapping import STORE, from_plain, named, to_plain
from shared.ids import derived_id
from shared.lazy_dataclass import dataclass
from shared.store.documents import Change, Document, Documents, Sort

ArrivalState = Literal["handed-in", "taken", "duplicate", "unreadable"]
HANDED_IN: Final = "handed-in"
TAKEN: Final = "taken"
DUPLICATE: Final = "duplicate"
UNREADABLE: Final = "unreadable"


@dataclass(frozen=True, slots=True)
class MailHead:
    """What finds a mail before the parser has read it, as its header says; `message_key` is what it is found by."""

    sha256: str
    size: int
    from_: Address | None = None
    subject: str = ""
    message_id: str | None = None
    message_key: str | None = None


@dataclass(frozen=True, slots=True)
class Arrival:
    """One message that came in.

    Life: `handed-in` when intake has confirmed it, with the `head` of its mail; then, permanently and without the head,
    `taken` (it is a mail of its own), `duplicate` (a known mail came again) or `unreadable` (no mail could be read
    from it; `mail_id` is None). What integrators publish is first counted when it leaves intake.
    """

    id: str = field(metadata=named("_id"))
    inbox: str
    at: datetime
    state: ArrivalState
    mail_id: str | None = None
    head: MailHead | None = None


_to_document, _decode = to_plain(Arrival, STORE), from_plain(Arrival, STORE)


def _encode(arrival: Arrival) -> Document:
    return {key: value for key, value in _to_document(arrival).items() if key != "head" or value is not None}


class Arrivals:
    """Counts what comes in; every write is safe to repeat."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def handed_in(self, arrivals: Sequence[Arrival]) -> None:
        """Note that these messages were published on intake and confirmed."""
        self._documents.insert_many("arrivals", [_encode(each) for each in arrivals])

    def taken(self, arrival_id: str, inbox: str, at: datetime, mail_id: str | None, *, duplicate: bool) -> None:
        """Note that a message has left intake; `mail_id` None when no mail could be read from it.

        An id that its sender used before, for another mail, does not hide this arrival.
        """
        state: ArrivalState = UNREADABLE if mail_id is None else DUPLICATE if duplicate else TAKEN
        arrival = Arrival(arrival_id, inbox, at, state, mail_id)
        if self._leaves(arrival) or self._documents.insert("arrivals", _encode(arrival)) or self._leaves(arrival):
            return
        if (self.get(arrival_id) or arrival).mail_id != mail_id:
            own = replace(arrival, id=derived_id("arrival", arrival_id, mail_id or ""))
            self._documents.insert("arrivals", _encode(own))

    def _leaves(self, arrival: Arrival) -> bool:
        """Give the arrival on intake its state permanently; False when there is none."""
        change: Change = {"$set": {"state": arrival.state, "mail_id": arrival.mail_id}, "$unset": {"head": 1}}
        return self._documents.update("arrivals", {"_id": arrival.id, "state": HANDED_IN}, change)

    def get(self, arrival_id: str) -> Arrival | None:
        """One arrival."""
        found = self._documents.get("arrivals", arrival_id)
        return _decode(found) if found else None

    def count(self, state: ArrivalState | None = None) -> int:
        """How many came in, or are in one state."""
        return self._documents.count("arrivals", {} if state is None else {"state": state})

    def on_intake(self, limit: int, *, newest_first: bool = False) -> Iterator[Arrival]:
        """Arrivals that were not taken from intake yet, the oldest first; `limit` 0 means all."""
        sort: Sort = (("at", -1 if newest_first else 1),)
        return map(_decode, self._documents.find("arrivals", {"state": HANDED_IN}, sort=sort, limit=limit))

    def beginning_with(self, id_beginning: str) -> list[Arrival]:
        """At most two arrivals on intake whose mail ids begin so. Reads what is on intake, and nothing else."""
        return self._on_intake_with({"mail_id": {"$prefix": id_beginning}})

    def with_message_key(self, message_key: str | None) -> list[Arrival]:
        """At most two arrivals on intake whose mails have this Message-ID."""
        return self._on_intake_with({"head.message_key": message_key}) if message_key else []

    def waits_behind(self, arrival_id: str, message_keys: Sequence[str]) -> bool:
        """Whether a mail with one of these Message-IDs was handed in before this arrival, and is on intake yet."""
        if not message_keys or (own := self.get(arrival_id)) is None:
            return False
        before = {"$lt": own.at + timedelta(milliseconds=1)}
        return bool(self._on_intake_with({"inbox": own.inbox, "at": before, "head.message_key": {"$in": message_keys}}))

    def _on_intake_with(self, where: Document) -> list[Arrival]:
        return list(map(_decode, self._documents.find("arrivals", {"state": HANDED_IN, **where}, limit=2)))
