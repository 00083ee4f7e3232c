"""Whether answering a mail would continue an exchange between two machines (PR-02). Pure.

A machine that answers every mail, without any header that says so, looks like a person who answers. But a person needs
no third confirmation within the hour in one conversation, so an answer to our own automatic mail is answered once more
only: within an hour one mailbox gets at most two automatic mails in a conversation, and one notice more that a record
is closed, because its sender has to know that the mail was not added (VF-13). A new request is not acknowledged when
two with the same subject came within the hour before. The mails themselves are processed like others.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Final

from services.record_writer.decide.answers.automatic_mail import CLOSED, TO_CUSTOMER
from services.record_writer.decide.facts import Facts
from services.record_writer.decide.lookups import Lookups
from services.record_writer.decide.recognition.thread import references_of
from shared.addresses import mailbox_key
from shared.lazy_pattern import lazy_compile
from shared.loops import loop_key
from shared.store.outbox import ANSWER, OutboxMail
from shared.subject_prefixes import is_prefixed, without_prefixes
from shared.text import from_iso

PERIOD: Final = timedelta(hours=1)
MAX_IN_CONVERSATION: Final = 2
MIN_SUBJECT: Final = 4
"""Characters of a subject that another one contains for a reason."""
MAX_LABELS: Final = 20
WRITTEN_BY_PEOPLE: Final = frozenset({ANSWER, TO_CUSTOMER})
"""Kinds of outgoing mail that a person wrote."""
_LABEL: Final = lazy_compile(r"\s*\[[^\[\]]{0,100}\]")
_NUMBERS: Final = lazy_compile(r"\d+")


def endless_exchange(facts: Facts, lookups: Lookups, kinds: Collection[str] = ()) -> str | None:
    """Why a mail is not answered once more, by answers of these kinds; None when it may be."""
    address = mailbox_key(facts.sender.address.address) if facts.sender.address else None
    if address is None:
        return None
    sent = [
        each for each in lookups.sent_to(address, facts.now - PERIOD)
        if each.kind not in WRITTEN_BY_PEOPLE and each.mail_id != facts.envelope.mail_id
    ]  # fmt: skip
    conversation = _conversation(facts, sent)
    count, noticed = len(conversation), any(each.kind == CLOSED for each in conversation)
    if count >= MAX_IN_CONVERSATION and (noticed or CLOSED not in kinds):
        return f"it answers automatic mail of this desk, of which the sender got {count} in this hour's conversation"
    return None


def repeated_request(facts: Facts, lookups: Lookups) -> str | None:
    """Why a new record is not acknowledged: its sender's mails with this subject were, several times; else None."""
    at = from_iso(facts.envelope.received_at)
    if lookups.similar(loop_key(facts.mail), at - PERIOD, at, MAX_IN_CONVERSATION) < MAX_IN_CONVERSATION:
        return None
    return f"the sender wrote {MAX_IN_CONVERSATION} mails with this subject within the hour before"


def _conversation(facts: Facts, sent: Sequence[OutboxMail]) -> list[OutboxMail]:
    """Our mails that this one answers, and those about the same records; none when it answers none of ours."""
    alike = [each for each in sent if _is_about(each.subject, facts.mail.subject)]
    references = frozenset(references_of(facts))
    answers = bool(references) or is_prefixed(facts.mail.subject) or bool(_LABEL.match(facts.mail.subject))
    cited = [each for each in sent if each.message_key in references] + (alike if answers else [])
    records = {each.record_id for each in cited} - {None}
    ids = {each.id for each in cited}
    return [each for each in sent if each.id in ids or each.record_id in records]


def _is_about(our_subject: str, their_subject: str) -> bool:
    """Whether the subjects are alike. Those that are nothing but labels are, when they share one: `[Call - 1]`."""
    ours, theirs = bare(our_subject), bare(their_subject)
    if not theirs and (labels := _labels(their_subject)):
        return not ours and not labels.isdisjoint(_labels(our_subject))
    return ours == theirs or (len(ours) >= MIN_SUBJECT and ours in theirs)


def _labels(subject: str) -> frozenset[str]:
    return frozenset("".join(each.split()).casefold() for each in _LABEL.findall(subject[:1000]))


def bare(subject: str) -> str:
    """A subject without prefixes, labels in brackets and numbers, which change while two machines answer each other."""
    text = without_prefixes(subject[:1000])
    for _ in range(MAX_LABELS):
        if not (label := _LABEL.match(text)):
            break
        text = without_prefixes(text[label.end() :])
    return " ".join(_NUMBERS.sub("", text).casefold().split())
