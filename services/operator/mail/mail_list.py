"""The list of mails as a person searches and filters it: one page, how many there are, what was looked through."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from heapq import merge
from itertools import islice
from typing import TYPE_CHECKING, Final

from services.operator.finding import MIN_ID_PREFIX
from services.operator.mail.mails import (
    ID,
    MAX_CANDIDATES,
    MailOnIntake,
    found_by_words,
    has_words,
    search_all,
    waiting_on_intake,
)
from services.operator.paging import Page, PageOf, page_of
from services.operator.service_desk.records import record_called
from shared.contracts.errors import PostroomError
from shared.lazy_dataclass import dataclass
from shared.lazy_pattern import lazy_compile
from shared.store.mails import IN_FLIGHT, MailQuery, StoredMail
from shared.store.search_words import searched_words

if TYPE_CHECKING:
    from shared.app import App

MAX_COUNTED: Final = 10_000
"""Counting ends here; more are shown as `10,000+`."""
MAX_SKIPPED: Final = 10_000
"""The deepest page; older mail is reached by the filter of time."""
MAX_WAITING: Final = 200
"""Mails on intake that are looked at, the newest."""
MAX_ACTIVITIES: Final = 500
READ_AT_ONCE: Final = 1000
"""Mails in memory while all that match are gone through."""
_NUMBER: Final = lazy_compile(r"[A-Za-z][A-Za-z _-]{0,40}[# -]{0,3}\d{1,12}")
_MESSAGE_ID: Final = lazy_compile(r"<[^<>\s]{1,900}>")
EVERY_MAIL: Final = MailQuery()


@dataclass(frozen=True, slots=True)
class Count:
    """How many there are. `more`: counting ended there."""

    number: int
    more: bool = False

    def __str__(self) -> str:
        return f"{self.number:,}{'+' if self.more else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MailSearch:
    """What a person asks for. `text`: words of sender or subject, an id, a Message-ID, or the number of a record."""

    query: MailQuery = EVERY_MAIL
    text: str = ""


@dataclass(frozen=True, slots=True)
class MailList:
    """One page of mails, newest first. `count` None: it is not known. `note`: what was left out."""

    page: PageOf[StoredMail]
    count: Count | None
    note: str = ""


def find_mails(app: App, search: MailSearch, page: Page) -> MailList:
    """The mails that a person asks for. Bounded: no search reads more than `MAX_CANDIDATES` mails."""
    page = replace(page, skip=min(page.skip, MAX_SKIPPED))
    if search.text.strip():
        return _searched(app, search, page)
    return MailList(page_of(_recent(app, search.query, page), page), count(app, search.query))


def all_that_match(app: App, search: MailSearch) -> Iterator[StoredMail]:
    """Every stored mail that `find_mails` shows for this search, on all its pages, in no order."""
    if not search.text.strip():
        return _all_of(app, search.query)
    return iter(list(_named(app, search)) or search_all(app, search.query, search.text))


def _all_of(app: App, query: MailQuery) -> Iterator[StoredMail]:
    after = ""
    while page := app.mails.page_by_id(query, after, READ_AT_ONCE):
        yield from page
        after = page[-1].id


def count(app: App, query: MailQuery) -> Count:
    """How many stored mails fit, `MAX_COUNTED` at most."""
    found = app.mails.count_at_most(query, MAX_COUNTED + 1)
    return Count(min(found, MAX_COUNTED), found > MAX_COUNTED)


def _recent(app: App, query: MailQuery, page: Page) -> Iterable[StoredMail]:
    waiting = list(waiting_on_intake(app, query, MAX_WAITING)) if page.skip == 0 else []
    if not waiting:
        return app.mails.recent(query, page.reach, page.skip)
    stored = app.mails.recent(query, page.reach)
    return merge(waiting, stored, key=lambda mail: mail.received_at, reverse=True)


def _searched(app: App, search: MailSearch, page: Page) -> MailList:
    named = list(_named(app, search))
    if named:
        return MailList(page_of(named[page.skip :], page), Count(len(named)))
    words = searched_words(search.text)
    waiting = [each for each in waiting_on_intake(app, search.query, MAX_WAITING) if has_words(each, words)]
    if len(words) == 1 and not waiting:  # the store pages and counts
        query = replace(search.query, word=words[0])
        return MailList(page_of(app.mails.recent(query, page.reach, page.skip), page), count(app, query))
    several = _both(waiting if words else (), found_by_words(app, search.query, search.text))
    found = list(islice(several, MAX_CANDIDATES))
    note = f"the newest {MAX_CANDIDATES:,} mails with the longest word were looked through"
    more = len(found) == MAX_CANDIDATES
    return MailList(page_of(found[page.skip :], page), Count(len(found), more), note if len(words) > 1 else "")


def _both(waiting: Iterable[StoredMail], stored: Iterable[StoredMail]) -> Iterator[StoredMail]:
    yield from waiting
    yield from stored


def _named(app: App, search: MailSearch) -> Iterator[StoredMail]:
    """Mails that the text names: by id, by Message-ID, by the number of a record. They have to fit the filters."""
    seen = set[str]()
    for mail in (*_with_id(app, search.text), *_with_message_id(app, search.text), *_behind_record(app, search.text)):
        if mail.id not in seen and fits(mail, search.query):
            seen.add(mail.id)
            yield mail


def _with_id(app: App, text: str) -> Sequence[StoredMail]:
    written = text.strip().lower()
    return app.mails.beginning_with(written) if len(written) >= MIN_ID_PREFIX and ID.fullmatch(written) else []


def _with_message_id(app: App, text: str) -> Sequence[StoredMail]:
    written = text.strip()
    return app.mails.with_message_ids([written]) if _MESSAGE_ID.fullmatch(written) else []


def _behind_record(app: App, text: str) -> Sequence[StoredMail]:
    """The mails of a record's activities, the newest first."""
    if not _NUMBER.fullmatch(text.strip()):
        return []
    try:
        record = record_called(app, text.strip())
    except PostroomError:
        return []
    ids = [each.mail_id for each in app.records.activities(record.id, MAX_ACTIVITIES) if each.mail_id]
    return sorted(app.mails.with_ids(dict.fromkeys(ids)), key=lambda mail: mail.received_at, reverse=True)


def fits(mail: StoredMail, query: MailQuery) -> bool:
    """Whether a mail that was found by other means fits the filters; words are not asked."""
    return (
        query.inbox in {None, mail.inbox}
        and (query.inboxes is None or mail.inbox in query.inboxes)
        and (query.outcome is None or mail.outcome == (None if query.outcome == IN_FLIGHT else query.outcome))
        and query.rule in {None, mail.rule}
        and (query.since is None or mail.received_at >= query.since)
        and (query.before is None or mail.received_at < query.before)
    )


@dataclass(frozen=True, slots=True)
class RejectedGroup:
    """Rejected mails of one rule: how many, the first and the last of them."""

    rule: str
    count: Count
    first: StoredMail
    last: StoredMail


def rejected_groups(app: App, query: MailQuery = EVERY_MAIL) -> list[RejectedGroup]:
    """Rejected mail by the rule that rejected it, the largest group first. Reads one mail for each rule, by index."""
    groups, rule = list[RejectedGroup](), ""
    while (found := app.mails.first_rule_behind(rule)) is not None:
        rule = found
        of_rule = replace(query, rule=rule)
        last = next(app.mails.recent(of_rule, 1), None)
        first = app.mails.oldest(of_rule)
        if first and last:
            groups.append(RejectedGroup(rule, count(app, of_rule), first, last))
    return sorted(groups, key=lambda group: group.count.number, reverse=True)


@dataclass(frozen=True, slots=True)
class TimeStep:
    """One line of a mail's journey; `took`: since the line before, None on the first."""

    at: datetime
    stage: str
    decision: str
    why: str
    attempt: int
    took: timedelta | None


def journey(app: App, mail: StoredMail) -> list[TimeStep]:
    """The decisions of every stage about a mail, with the time between them."""
    from services.operator.mail.mails import journal_of

    steps, before = list[TimeStep](), None
    for each in journal_of(app, mail.id):
        took = each.at - before if before else None
        steps.append(TimeStep(each.at, each.stage, each.decision, each.why, each.attempt, took))
        before = each.at
    return steps


def same_message(app: App, mail: StoredMail) -> list[StoredMail]:
    """Other mails with the same Message-ID: the same mail in another inbox, or sent again."""
    if isinstance(mail, MailOnIntake) or not mail.message_id:
        return []
    return [each for each in app.mails.with_message_ids([mail.message_id]) if each.id != mail.id]
