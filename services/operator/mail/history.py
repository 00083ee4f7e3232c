"""Import old mail: from files or from a mailbox onto intake, marked as history, each mail once.

Two steps. The first looks at every mail of the box and notes its thread and its time in a database on disk
(`MailOrder`). The second hands the mails in, each after the one that it answers, and notes them in the ledger: a second
run goes on where the first one ended, however that was. A mailbox on a server is read in portions, which are kept in a
temporary file meanwhile. Memory: one batch, or one large mail.
"""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import field, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, Self

from services.fetcher.mailbox import Key, NotInFolder, State, TooLarge, Unfetchable
from services.filter.copies import head_and_body
from services.operator.errors import NotAvailable
from services.operator.inbox.inboxes import inbox_named
from services.parser import head
from services.parser.head import Head
from services.runner import build_fetcher
from shared import mail_files
from shared.config.model import XML_EXPORT
from shared.contracts.errors import Unavailable
from shared.contracts.events import History
from shared.embedded.mail_order import BoxedMail, MailOrder
from shared.ids import derived_id, mail_id
from shared.intake import RawMail
from shared.lazy_dataclass import dataclass
from shared.mail_files import Source
from shared.store.ledger import LedgerEntries, LedgerEntry
from shared.store.mails import message_key
from shared.text import iso

if TYPE_CHECKING:
    from types import TracebackType

    from services.fetcher.mailbox import Mailbox
    from shared.app import App
    from shared.config.model import Inbox

BATCH_MAILS: Final = 100
BATCH_BYTES: Final = 8 << 20
PORTION_MAILS: Final = 2000
PORTION_BYTES: Final = 1 << 30
"""Of a mailbox on a server that are fetched before the first of them is handed in."""
MAX_IN_FLIGHT: Final = 1000
"""Messages in all queues above which the import waits, so that the mail of today does not stand behind it for long."""
PAUSE_SECONDS: Final = 0.5
STILL_SECONDS: Final = 60.0
"""How long the queues may stand still before the import ends."""
AFTER: Final = "import"
"""What the ledger says of an imported mail."""


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """Which old mail is imported, and how. `inbox` gives policies and record type to its records.

    `since` and `until` bound the time of a mail; None: they do not. `status`: of the records made; None: the first
    open one.
    """

    inbox: Inbox
    since: datetime | None = None
    until: datetime | None = None
    status: str | None = None


@dataclass(slots=True)
class ImportSummary:
    """What an import found and did, in mails. `known`: in Postroom before; `copies`: again in the same box;
    `outside`: not in the wanted time; `threads` are conversations among those that are new to the box.
    """

    found: int = 0
    imported: int = 0
    known: int = 0
    copies: int = 0
    outside: int = 0
    unreadable: int = 0
    threads: int = 0
    first: datetime | None = None
    last: datetime | None = None


def import_request(
    app: App, name: str | None, *, since: datetime | None, until: datetime | None, status: str | None
) -> ImportRequest:
    """What is asked for. Raises `NotAvailable` for an inbox without records, or a status that they do not have."""
    inbox = app.directory.current().default_inbox if name is None else inbox_named(app, name)
    if inbox is None:
        raise NotAvailable("there is no inbox; name one with --inbox")
    if inbox.processor == XML_EXPORT:
        raise NotAvailable(f"the inbox {inbox.name} exports its mail and makes no records; import into another inbox")
    return ImportRequest(inbox, since, until, _status(app, inbox, status) if status else None)


def _status(app: App, inbox: Inbox, written: str) -> str:
    """The status as the record type of the inbox spells it."""
    type_ = app.directory.current().type_named(inbox.processor)
    groups = type_.statuses if type_ else None
    known = (*groups.open, *groups.resolved, *groups.closed) if groups else ()
    found = next((each for each in known if each.casefold() == written.casefold()), None)
    if found is None:
        raise NotAvailable(f"{inbox.processor} has no status {written!r}; it has {', '.join(known)}")
    return found


class HistoryImport:
    """One import, used inside its `with` block: first `collect`, then `hand_in`; or `from_mailbox` alone.

    `unreadable` is called with the place of each mail that cannot be read, and the reason; it stays where it is.
    """

    def __init__(
        self,
        app: App,
        request: ImportRequest,
        unreadable: Callable[[str, str], None],
        *,
        pause: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app, self._request, self._unreadable = app, request, unreadable
        self._pause, self._monotonic = pause, monotonic
        self._ledger, self._now = LedgerEntries(app.documents), app.clock.now()
        self._order, self._files = MailOrder(), _OpenFile()
        self.summary = ImportSummary()

    def __enter__(self) -> Self:
        self._order.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._files.close()
        self._order.__exit__(kind, error, trace)

    # looking

    def collect(self, path: Path, *, is_mbox: bool | None = None) -> Iterator[int]:
        """Look at the mails of a file or folder; yields the bytes of each."""
        for source in mail_files.mails_of(path, is_mbox=is_mbox):
            self._look(source)
            yield max(source.end - source.start, 0)

    def _look(self, source: Source) -> None:
        self.summary.found += 1
        if source.error is not None:
            self._cannot_read(source.path, source.error)
            return
        place = (source.file, source.start, source.end) if source.file else (source.path, 0, 0)
        self._note(source.raw, *place, fallback=lambda: _time_beside(source))

    def _note(self, raw: bytes, file: str, first: int, last: int, fallback: Callable[[], datetime | None]) -> bool:
        """Note a mail in the order; False when it is not wanted."""
        found = head.read(raw)
        at = self._time(found, fallback)
        request = self._request
        if (request.since and at < request.since) or (request.until and at >= request.until):
            self.summary.outside += 1
            return False
        id_ = mail_id(request.inbox.name, None, hashlib.sha256(raw).hexdigest())
        keys = tuple(key for each in found.answers if (key := message_key(each)))
        content = _content_id(request.inbox.name, raw, found) or id_
        boxed = BoxedMail(content, id_, message_key(found.message_id), keys, at.timestamp(), file, first, last)
        if not self._order.add(boxed):
            self.summary.copies += 1
            return False
        self.summary.first = min(filter(None, (self.summary.first, at)))
        self.summary.last = max(filter(None, (self.summary.last, at)))
        return True

    def _time(self, found: Head, fallback: Callable[[], datetime | None]) -> datetime:
        """When the mail was sent: as its head says, else the box, else now; never in the future."""
        stated = (each for each in found.times if each <= self._now)
        return next(stated, None) or min(fallback() or self._now, self._now)

    def _cannot_read(self, place: str, reason: str) -> None:
        self.summary.unreadable += 1
        self._unreadable(place, reason)

    # handing in

    def count(self) -> Iterator[int]:
        """Go through the mails as `hand_in` does, without handing in: for a dry run."""
        for batch in self._batches():
            self.summary.imported += len(self._new(batch))
            yield len(batch)

    def hand_in(self) -> Iterator[int]:
        """Hand the mails in, in order; yields how many mails were dealt with."""
        for batch in self._batches():
            self._hand_over(self._new(batch))
            yield len(batch)

    def _batches(self) -> Iterator[list[_Ready]]:
        batch: list[_Ready] = []
        size = 0
        for mail, follows in self._order.in_order():
            self.summary.threads += follows is None
            try:
                raw = self._files.read(mail)
            except OSError as error:
                self._cannot_read(mail.file, f"cannot be read: {error.strerror or error}")
                continue
            batch.append(_Ready(mail, follows, raw))
            size += len(raw)
            if len(batch) >= BATCH_MAILS or size >= BATCH_BYTES:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch

    def _new(self, batch: Sequence[_Ready]) -> list[_Ready]:
        """Those of a batch that Postroom does not have yet."""
        marks = {each.mail.id: _mark(each.mail) for each in batch}
        in_ledger = {entry.id for entry in self._ledger.with_ids(list(marks.values()))}
        stored = {mail.id for mail in self._app.mails.with_ids(marks)}
        new = [
            each
            for each in batch
            if marks[each.mail.id] not in in_ledger and each.mail.id not in stored and not self._is_stored(each)
        ]
        self.summary.known += len(batch) - len(new)
        return new

    def _is_stored(self, ready: _Ready) -> bool:
        """Whether this inbox has the mail already, with other headers of its way or other ends of lines."""
        key, inbox = ready.mail.key, self._request.inbox.name
        if key is None:
            return False
        same = (mail for mail in self._app.mails.with_message_ids([key]) if mail.inbox == inbox)
        raws = (self._app.mails.source(mail) for mail in same)
        return any(_content_id(inbox, raw, head.read(raw)) == ready.mail.content for raw in raws)

    def _hand_over(self, new: Sequence[_Ready]) -> None:
        if not new:
            return
        self._wait_for_room()
        inbox = self._request.inbox.name
        self._app.intake.hand_over([RawMail(each.raw, inbox, history=self._history(each)) for each in new])
        now = self._app.clock.now()
        self._ledger.put_all(
            [LedgerEntry(_mark(each.mail), f"import:{inbox}", inbox, "taken", now, after=AFTER) for each in new]
        )
        self.summary.imported += len(new)

    def _history(self, ready: _Ready) -> History:
        at = datetime.fromtimestamp(ready.mail.at, UTC)
        return History(iso(at), ready.follows, self._request.status)

    def _wait_for_room(self) -> None:
        """Wait while too much is in the queues. Raises `Unavailable` when nothing there moves."""
        before, since = 0, self._monotonic()
        while (now := self._app.broker.in_flight()) > MAX_IN_FLIGHT:
            if now != before:
                before, since = now, self._monotonic()
            elif self._monotonic() - since > STILL_SECONDS:
                stands = f"{now} mails wait in the queues and no worker takes them"
                raise Unavailable(f"{stands}: run `postroom up` or the workers, then the import again")
            self._pause(PAUSE_SECONDS)

    # from a server

    def from_mailbox(self, folder: str | None = None, *, dry_run: bool = False) -> Iterator[int]:
        """Import the mails of the inbox's own mailbox, from one folder of it; they stay there unread.

        Raises `Unavailable` when the server cannot be reached, `Misconfigured` for a folder that is not there.
        """
        inbox = self._request.inbox
        if inbox.protocol == "none":
            raise NotAvailable(f"{inbox.name} takes mail from intake only and has no mailbox; name files to import")
        read_only = replace(inbox, folder=folder or inbox.folder, after="delete", take="all")
        skipped = set[str]()
        with build_fetcher(self._app).mailbox(read_only) as box:
            while portion := _Portion(box, self._states(skipped)):
                with portion:
                    yield from self._import_portion(portion, skipped, dry_run=dry_run)

    def _states(self, skipped: set[str]) -> Callable[[Sequence[Key]], Mapping[Key, State]]:
        def states_of(keys: Sequence[Key]) -> Mapping[Key, State]:
            marks = {_key_mark(key): key for key in keys}
            known = {marks[entry.id] for entry in self._ledger.with_ids(list(marks))}
            return {key: "done" for key in keys if key in known or key.id in skipped}

        return states_of

    def _import_portion(self, portion: _Portion, skipped: set[str], *, dry_run: bool) -> Iterator[int]:
        """One portion: fetched, put in order, handed in, noted."""
        self._order.__exit__(None, None, None)
        self._order, self._files = MailOrder(), _OpenFile(portion.spool)
        self._order.__enter__()
        keys = list[Key]()
        for key, place, raw in portion.fetched(self._cannot_read):
            self.summary.found += 1
            skipped.add(key.id)
            if raw is not None and self._note(raw, key.id, *place, fallback=lambda: None):
                keys.append(key)
            yield 1
        for _ in self.count() if dry_run else self.hand_in():
            pass
        if dry_run:
            return
        now, name = self._app.clock.now(), self._request.inbox.name
        self._ledger.put_all([LedgerEntry(_key_mark(key), key.place, name, "taken", now, after=AFTER) for key in keys])


@dataclass(frozen=True, slots=True)
class _Ready:
    """A mail to be handed in, and the id of the mail before it in its thread."""

    mail: BoxedMail
    follows: str | None
    raw: bytes


@dataclass(slots=True)
class _OpenFile:
    """The file that is read at the moment: mails of one mbox follow each other. `spool` holds those of a server."""

    spool: BinaryIO | None = None
    _open: ExitStack = field(default_factory=ExitStack)
    _file: BinaryIO | None = None
    _name: str = ""

    def read(self, mail: BoxedMail) -> bytes:
        """The bytes of a mail. Raises `OSError`."""
        if self.spool is not None:
            self.spool.seek(mail.first)
            return self.spool.read(mail.last - mail.first)
        if not mail.last:
            return Path(mail.file).read_bytes()
        if self._file is None or self._name != mail.file:
            self.close()
            self._name, self._file = mail.file, self._open.enter_context(Path(mail.file).open("rb"))  # noqa: SIM115
        return mail_files.stored_at(self._file, mail.first, mail.last)

    def close(self) -> None:
        """Close the file."""
        self._open.close()
        self._file = None


class _Portion:
    """Some mails of a mailbox that were not imported yet; False when there are none."""

    def __init__(self, box: Mailbox, states_of: Callable[[Sequence[Key]], Mapping[Key, State]]) -> None:
        self._box = box
        self._waiting = list(islice(box.waiting(states_of, PORTION_MAILS).fresh, PORTION_MAILS))

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def __enter__(self) -> Self:
        self.spool: BinaryIO = tempfile.TemporaryFile()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.spool.close()

    def fetched(self, cannot_read: Callable[[str, str], None]) -> Iterator[tuple[Key, tuple[int, int], bytes | None]]:
        """Each mail, and where it is in the spool; without bytes when it could not be fetched."""
        end = 0
        for waiting in self._waiting:
            try:
                raw = self._box.fetch(waiting.key, waiting.size)
            except NotInFolder:
                yield waiting.key, (end, end), None
            except (TooLarge, Unfetchable) as error:
                cannot_read(waiting.key.id, str(error))
                yield waiting.key, (end, end), None
            else:
                self.spool.write(raw)
                yield waiting.key, (end, end + len(raw)), raw
                end += len(raw)
            if end >= PORTION_BYTES:
                return


def _time_beside(source: Source) -> datetime | None:
    """The time that the box says: in the separator line of an mbox, or the time of the file."""
    if source.separator:
        words = source.separator.decode("ascii", "replace").split(maxsplit=2)
        return head.time_of(words[2]) if len(words) > 2 else None
    try:
        return datetime.fromtimestamp(Path(source.path).stat().st_mtime, UTC)
    except (OSError, ValueError, OverflowError):
        return None


def _content_id(inbox: str, raw: bytes, found: Head) -> str | None:
    """What is the same in all copies of a mail: Message-ID, From and body, whatever the ends of lines; None without
    a Message-ID.
    """
    if not (key := message_key(found.message_id)):
        return None
    _, body = head_and_body(raw)
    return derived_id("content", inbox, key, found.sender, hashlib.sha256(body).hexdigest())


def _mark(mail: BoxedMail) -> str:
    """The id of a mail's entry in the ledger."""
    return f"import:{mail.content}"


def _key_mark(key: Key) -> str:
    return f"import:{key.id}"
