"""Mails as people see them: find one, list them, and what every stage decided about one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from heapq import merge
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Final

from services.operator.errors import NotAvailable
from services.operator.finding import find_one
from services.operator.paging import Page
from services.operator.view import values_of
from shared.lazy_dataclass import dataclass
from shared.lazy_pattern import lazy_compile
from shared.runtime.broker import INTAKE
from shared.store.dead_letters import LetterQuery
from shared.store.mails import IN_FLIGHT, MailQuery, StoredMail, message_key, words_of_mail
from shared.store.search_words import searched_words

if TYPE_CHECKING:
    from shared.app import App
    from shared.store.arrivals import Arrival
    from shared.store.journal import JournalEntry

STAGES = (
    "fetcher",
    "parser",
    "filter",
    "sender-matcher",
    "record-writer",
    "exporter",
    "dead-letter",
    "notifier",
)
"""In the order of processing."""
MAX_NAMED: Final = 5
"""Mails with one Message-ID that an error names."""
MAX_SEARCHED: Final = 10_000
"""Mails, the newest, among which one is looked for by its subject: no index has subjects."""
ID: Final = lazy_compile(r"[0-9a-f]{1,32}")
"""An id of a mail, or the beginning of one."""
SHORT_ID: Final = 12
"""Characters of an id that lists and hints show."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MailOnIntake(StoredMail):
    """A mail that was handed in and that no parser has taken yet; of its content, what its header says."""


@dataclass(frozen=True, slots=True)
class MailView:
    """One mail, what every stage decided about it in order, and what a person may do next."""

    mail: StoredMail
    journal: tuple[JournalEntry, ...]
    next_step: str | None

    def as_json(self) -> dict[str, Any]:
        """The keys that scripts rely on."""
        return {**mail_as_json(self.mail), "journal": [entry_as_json(entry) for entry in self.journal]}


def view_mail(app: App, mail: StoredMail) -> MailView:
    """Everything that is shown of one mail."""
    return MailView(mail, tuple(journal_of(app, mail.id)), _next_step(app, mail))


def journal_of(app: App, mail_id: str) -> list[JournalEntry]:
    """The decisions of every stage about a mail, in order."""
    entries = app.journal.of_mail(mail_id)
    places = {stage: place for place, stage in enumerate(STAGES)}  # they count within one millisecond
    return sorted(entries, key=lambda entry: (entry.at, places.get(entry.stage, len(places))))


def _next_step(app: App, mail: StoredMail) -> str | None:
    """The command that a person may use next on a mail that made no record."""
    if isinstance(mail, MailOnIntake):
        return "it waits on intake for a parser: postroom queues shows whether one runs"
    if letter := next(app.dead_letters.recent(LetterQuery("open", mail_id=mail.id), 1), None):
        return f"fix the cause, then: postroom dead-letters replay {letter.id[:SHORT_ID]}"
    if mail.outcome == "rejected" and not mail.is_probe:
        return f"to let it through: postroom mails release {mail.id[:SHORT_ID]}"
    if mail.outcome is None:
        return f"wait; if postroom doctor says that it has no message: postroom mails replay {mail.id[:SHORT_ID]}"
    return None


OLDER: Final = f"only the newest {MAX_SEARCHED} mails were searched for this subject, older ones may have it too"


@dataclass(frozen=True, slots=True)
class _Matches:
    """Mails that a name may mean; whether there may be more."""

    mails: list[StoredMail]
    may_have_more: bool = False

    def __bool__(self) -> bool:
        return bool(self.mails)


def find_mail(app: App, named: str, note: Callable[[str], object] | None = None) -> StoredMail:
    """The mail with this id, the beginning of an id, a Message-ID, or a subject; on intake too.

    A subject is looked for in the newest mails only: where older ones may have it too, `note` is called with that.
    Raises `NotAvailable` when there is none, or more than one, or when there may be more and no `note`.
    """
    if ID.fullmatch(named.lower()):
        return find_one(_KnownMails(app), "mail", named)
    found = _Matches(_with_message_id(app, named)) or _with_subject(app, named)
    if len(found.mails) != 1:
        raise NotAvailable(_not_one(named, found))
    if found.may_have_more:
        if note is None:
            raise NotAvailable(f"{OLDER}; name the mail by its id: {found.mails[0].id}")
        note(OLDER)
    return found.mails[0]


def _not_one(named: str, found: _Matches) -> str:
    if not found:
        more = f" among the newest {MAX_SEARCHED}; postroom mails list --search looks through all"
        return f"there is no mail {named!r}{more if found.may_have_more else ''}"
    ids = ", ".join(each.id for each in found.mails[:MAX_NAMED])
    count = f"{len(found.mails)} mails{' or more' * found.may_have_more}"
    return f"the subject or Message-ID {named!r} is that of {count}; name one by its id: {ids}"


def find_stored(app: App, named: str) -> StoredMail:
    """The same as `find_mail`, of mails that a parser has stored. Raises `NotAvailable`."""
    found = find_mail(app, named)
    if isinstance(found, MailOnIntake):
        raise NotAvailable(f"the mail {found.id[:SHORT_ID]} waits on intake; no parser has stored it yet")
    return found


def mail_with_id(app: App, id_: str) -> StoredMail | None:
    """The mail with exactly this id, or that the message with this id brought; also one on intake."""
    return _KnownMails(app).get(id_)


class _KnownMails:
    """Stored mails, and those on intake, by id; also by the id of the message that brought them."""

    def __init__(self, app: App) -> None:
        self._app = app

    def get(self, id_: str, /) -> StoredMail | None:
        if mail := self._app.mails.get(id_):
            return mail
        if (arrival := self._app.arrivals.get(id_)) is None:
            return None
        return self._app.mails.get(arrival.mail_id or "") or next(_on_intake([arrival]), None)

    def beginning_with(self, id_beginning: str, /) -> list[StoredMail]:
        waiting = _on_intake(self._app.arrivals.beginning_with(id_beginning))
        return _distinct([*self._app.mails.beginning_with(id_beginning), *waiting])


def _with_message_id(app: App, named: str) -> list[StoredMail]:
    waiting = app.arrivals.with_message_key(message_key(named))
    return _distinct([*app.mails.with_message_ids([named]), *_on_intake(waiting)])


def _with_subject(app: App, named: str) -> _Matches:
    """Mails with exactly this subject, whatever the case."""
    subject, found = named.strip().casefold(), list[StoredMail]()
    newest = app.mails.recent(MailQuery(), MAX_SEARCHED + 1)
    for count, mail in enumerate(chain(_waiting(app, MailQuery()), newest)):
        if count == MAX_SEARCHED or len(found) == MAX_NAMED:
            return _Matches(found, may_have_more=True)
        if mail.subject.strip().casefold() == subject:
            found.append(mail)
    return _Matches(found)


def _distinct(mails: Iterable[StoredMail]) -> list[StoredMail]:
    """Each mail once: the stored one when it is on intake too."""
    return list({mail.id: mail for mail in reversed([*mails])}.values())[::-1]


def _on_intake(arrivals: Iterable[Arrival]) -> Iterator[MailOnIntake]:
    for each in arrivals:
        if each.mail_id and (head := each.head):
            yield MailOnIntake(
                id=each.mail_id,
                inbox=each.inbox,
                raw=head.sha256,
                size=head.size,
                arrival=each.id,
                received_at=each.at,
                from_=head.from_,
                subject=head.subject,
                message_id=head.message_id,
                message_key=head.message_key,
            )


def recent_mails(app: App, query: MailQuery, page: Page) -> Iterable[StoredMail]:
    """The mails of a page, newest first, those on intake among them."""
    first = page.skip + page.reach
    waiting = list(islice(_waiting(app, query), first))
    if not waiting:
        return app.mails.recent(query, page.reach, page.skip)
    merged = merge(waiting, app.mails.recent(query, first), key=lambda mail: mail.received_at, reverse=True)
    return islice(merged, page.skip, None)


def _waiting(app: App, query: MailQuery) -> Iterator[MailOnIntake]:
    return waiting_on_intake(app, query, 0)


def waiting_on_intake(app: App, query: MailQuery, most: int) -> Iterator[MailOnIntake]:
    """Mails on intake that fit a query, newest first, and that are not stored, among the newest `most` (0: all)."""
    if query.outcome not in {None, IN_FLIGHT} or query.rule is not None:
        return
    seen = set[str]()
    for mail in _on_intake(app.arrivals.on_intake(most, newest_first=True)):
        fits = query.inbox in {None, mail.inbox} and (query.inboxes is None or mail.inbox in query.inboxes)
        fits = fits and (query.since is None or mail.received_at >= query.since)
        fits = fits and (query.before is None or mail.received_at < query.before)
        if fits and mail.id not in seen and app.mails.get(mail.id) is None:
            seen.add(mail.id)
            yield mail


def search(app: App, query: MailQuery, text: str) -> Iterator[StoredMail]:
    """Mails with this text in sender, subject or Message-ID, those on intake first, then newest first.

    Reads every mail, without an index: slow, for people who know only a part of the text.
    """
    folded, every = text.casefold(), chain(_waiting(app, query), app.mails.recent(query, 0))
    return (mail for mail in every if folded in _searched_text(mail))


MAX_CANDIDATES: Final = 1_000
"""Mails, the newest with the longest word, in which the other words of a search are looked for."""


def found_by_words(app: App, query: MailQuery, text: str) -> Iterator[StoredMail]:
    """Mails with words that begin so in sender or subject, newest first, by the index of words.

    An address is one word. Of several words, all have to be there: mails with the longest of them are looked through,
    the newest `MAX_CANDIDATES` of them.
    """
    words = searched_words(text)
    if not words:
        return iter(())
    first = max(words, key=len)
    found = app.mails.recent(replace(query, word=first), MAX_CANDIDATES)
    return (mail for mail in found if has_words(mail, words))


def has_words(mail: StoredMail, words: Sequence[str]) -> bool:
    """Whether sender and subject of a mail have words that begin with each of these."""
    own = words_of_mail(mail)
    return all(any(each.startswith(word) for each in own) for word in words)


def search_all(app: App, query: MailQuery, text: str) -> Iterator[StoredMail]:
    """Every stored mail that `found_by_words` means, however many there are, in no order."""
    words = searched_words(text)
    after = ""
    query = replace(query, word=max(words, key=len)) if words else query
    while page := app.mails.page_by_id(query, after, MAX_CANDIDATES) if words else []:
        yield from (mail for mail in page if has_words(mail, words))
        after = page[-1].id


def _searched_text(mail: StoredMail) -> str:
    sender = (mail.from_.name, mail.from_.address) if mail.from_ else ()
    return "\n".join(part for part in (*sender, mail.subject, mail.message_id) if part).casefold()


def mail_as_json(mail: StoredMail) -> dict[str, Any]:
    """A mail as `mails list --json` prints it."""
    return {
        "mail_id": mail.id,
        "inbox": mail.inbox,
        "from": asdict(mail.from_) if mail.from_ else None,
        **values_of(mail, ("subject", "received_at", "outcome", "reason")),
        "records": [asdict(label) for label in mail.records],
        **values_of(mail, ("message_id", "kind", "size")),
        "sha256": mail.raw,
        "defects": list(mail.defects),
        "released": mail.released,
        "waits_on": INTAKE if isinstance(mail, MailOnIntake) else None,
    }


def entry_as_json(entry: JournalEntry) -> dict[str, Any]:
    """A decision as `mails show --json` prints it."""
    return values_of(entry, ("at", "stage", "decision", "why", "attempt"))
