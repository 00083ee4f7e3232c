"""Filter: decides whether a mail may become a record.

Reads MailParsed, emits MailAccepted or MailRejected. A rejected mail is kept with its reason; an operator may
release it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from email.message import Message
from email.parser import BytesHeaderParser
from email.policy import compat32
from functools import cache, partial

from services.filter import rules
from services.filter.copies import earlier_copy
from shared.app import App
from shared.config.model import Configuration, Inbox
from shared.contracts.errors import PostroomError
from shared.contracts.events import MailAccepted, MailParsed, MailRejected
from shared.contracts.mail import ParsedMail
from shared.encoded_words import decoded
from shared.lazy_pattern import lazy_compile
from shared.loops import loop_key
from shared.patterns import PatternTime, PatternTimeSpent
from shared.rules import is_allowed, is_in_force, matches
from shared.runtime.envelope import reader
from shared.runtime.outcome import Emit, MailEnded, Outcome, emit
from shared.runtime.stage import Stage
from shared.store.mails import Mails
from shared.store.outbox import Outbox, returned_ids
from shared.store.people import People, with_domain, with_domains
from shared.text import from_iso


def handle(
    parsed: MailParsed, *, mails: Mails, people: People, outbox: Outbox, configuration: Callable[[], Configuration]
) -> Outcome:
    """Apply each rule in turn; the first objection decides. A released mail passes despite objections."""
    current = configuration()
    inbox = current.inbox(parsed.envelope.inbox)
    if inbox is None:
        raise PostroomError(f"the inbox {parsed.envelope.inbox!r} is gone")
    mail_id = parsed.envelope.mail_id
    source = partial(stored_source, mails, mail_id)
    facts = gather(parsed, inbox, current, source, mails=mails, people=people, outbox=outbox)
    verdict = judge(parsed, facts, partial(released, mails, mail_id))
    if isinstance(verdict, MailAccepted):
        return emit(verdict)
    received = from_iso(parsed.envelope.received_at)
    new = mails.reject_unclaimed(mail_id, verdict.rule, verdict.reason)
    ended = MailEnded("rejected", inbox.name, received, verdict.rule) if new else None
    return Emit((verdict,), verdict.reason, ended=ended)


def judge(parsed: MailParsed, facts: rules.FilterFacts, is_released: Callable[[], bool]) -> MailAccepted | MailRejected:
    """Accept or reject a mail. An accepted automatic or old mail gets no answer, and its commands are ignored (PR-02).

    A report about a mail of the desk is accepted: the record writer finds that mail, and makes no record of the report.
    So is the probe of a canary, which has to come as far as the record writer to count.

    Raises `PatternTimeSpent`: a mail that the rules could not judge is a dead letter, until an operator releases it.
    """
    if facts.reports_own() or facts.is_probe():
        return MailAccepted(parsed.envelope, parsed.mail, answers=False, commands=False)
    try:
        found = objection(facts)
    except PatternTimeSpent:
        if not is_released():
            raise
        found = None
    if found and not is_released():
        return MailRejected(parsed.envelope.mail_id, parsed.envelope.inbox, *found)
    robot = parsed.mail.automatic or rules.has_null_path(parsed.envelope, parsed.mail)
    answers = not robot and parsed.envelope.history is None
    return MailAccepted(parsed.envelope, parsed.mail, answers, answers)


def gather(
    parsed: MailParsed,
    inbox: Inbox,
    current: Configuration,
    source: Callable[[], bytes],
    *,
    mails: Mails,
    people: People,
    outbox: Outbox,
) -> rules.FilterFacts:
    """Collect the data that the rules use for this mail, whose bytes are `source`.

    Old mail comes in as fast as it is read, which says nothing of a loop, and reports about mail of another desk; the
    import knows its copies.
    """
    received_at = from_iso(parsed.envelope.received_at)
    sender = with_domain(parsed.mail.from_, inbox.default_domain)
    person = people.with_address(sender.address, plus_addressing=current.settings.plus_addressing) if sender else None
    mail = with_domains(parsed.mail, inbox.default_domain)
    facts = rules.FilterFacts(
        envelope=parsed.envelope,
        mail=mail if sender == mail.from_ else replace(mail, from_=sender),
        inbox=inbox,
        settings=current.settings,
        own_addresses=current.own_addresses,
        rules=current.all_rules,
        roles=frozenset(person.roles) if person else None,
        header_of=reader_of_headers(source),
        reports_own=partial(reports_own, parsed.mail, outbox),
        is_probe=lambda: outbox.probe(parsed.mail, inbox.name) is not None,
        similar=partial(mails.similar_between, loop_key(parsed.mail), received_at - rules.CAP_PERIOD, received_at),
        copy_of=partial(earlier_copy, parsed, mails, source),
    )
    if parsed.envelope.history is None:
        return facts
    return replace(facts, reports_own=lambda: False, similar=lambda _: 0, copy_of=lambda: None)


def reports_own(mail: ParsedMail, outbox: Outbox) -> bool:
    """Whether a mail reports that mail of this desk was not delivered."""
    ids = returned_ids(mail)
    return bool(ids) and bool(outbox.with_message_ids(ids))


def stored_source(mails: Mails, mail_id: str) -> bytes:
    """The raw mail as it is stored."""
    found = mails.get(mail_id)
    return mails.source(found) if found else b""


def reader_of_headers(source: Callable[[], bytes]) -> Callable[[str], str]:
    """Return a function that returns all values of a header, "" without that header.

    The raw mail is read once, when a rule needs it first. Encoded words are readable behind the value as written.
    """
    message = cache(lambda: _headers(source()))
    return lambda name: " ".join(text for value in message().get_all(name, []) for text in _readings(str(value)))


def _headers(raw: bytes) -> Message:
    end = _END_OF_HEADERS.search(raw)
    return BytesHeaderParser(policy=compat32).parsebytes(raw[: end.end()] if end else raw)


def _readings(value: str) -> Iterable[str]:
    """The value as written and, when it has encoded words, as a person reads it."""
    return dict.fromkeys((value, decoded(value)))


_END_OF_HEADERS = lazy_compile(rb"\n\r*+\n")
"""The standard library's reader of headers takes in the body too, several times its size in memory."""


def objection(facts: rules.FilterFacts) -> tuple[str, str] | None:
    """Return the rule that objects and its reason: Postroom's own rules first, then those of the configuration.

    For a sender whom a rule allows, only those of Postroom's own count that nothing lifts.
    """
    if is_allowed(facts.rules, facts.mail.from_):
        return rules.objection(facts, [each for each in rules.CHECKS if not rules.may_be_allowed(each.name)])
    return rules.objection(facts) or _configured_objection(facts)


def _configured_objection(facts: rules.FilterFacts) -> tuple[str, str] | None:
    time = PatternTime()
    for rule in facts.rules:
        if is_in_force(rule, "inbound", facts.roles) and matches(rule, facts.mail, facts.header_of, time):
            return rule.name, rule.reason or f"the rule {rule.name} rejects it"
    return None


def released(mails: Mails, mail_id: str) -> bool:
    """Whether an operator has released this mail."""
    found = mails.get(mail_id)
    return found is not None and found.released


def build(app: App) -> Stage:
    """The filter on an app's store and configuration."""
    decide = partial(handle, mails=app.mails, people=app.people, outbox=app.outbox, configuration=app.directory.current)
    return Stage("filter", "filter", decide, reader(app.documents, MailParsed))
