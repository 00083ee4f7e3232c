"""The thread of a mail: the stored and sent mails that its In-Reply-To and References lead to.

Anybody may repeat a Message-ID. The id of an outgoing mail means that mail: a received mail with the same id is left
out. Of an id that several senders use, the earliest mail comes first, whatever inbox it came to.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Final

from services.record_writer.decide.facts import Facts
from services.record_writer.decide.lookups import Lookups
from shared.addresses import address_key, address_keys
from shared.lazy_dataclass import dataclass
from shared.store.mails import StoredMail, message_key
from shared.store.outbox import OutboxMail
from shared.store.people import with_default

MAX_REFERENCES: Final = 100
Domains = Mapping[str, str | None]
"""The default domain of each inbox, which addresses without a domain have (IV-06)."""


@dataclass(frozen=True, slots=True)
class ThreadMail:
    """One mail of the thread: the records it went to, and the addresses it went between.

    `own`: Postroom or this sender wrote it, so no other sender forged it. `unfinished`: it has no outcome yet.
    """

    record_ids: tuple[str, ...]
    addresses: frozenset[str]
    own: bool
    unfinished: bool = False


def thread_mails(facts: Facts, lookups: Lookups) -> Sequence[ThreadMail]:
    """The mails that this one refers to: those of its own inbox first, then the nearest, then the earliest."""
    references = references_of(facts)
    if not references:
        return ()
    sender = address_of(facts)
    found = [mail for mail in lookups.received(references, sender) if mail.id != facts.envelope.mail_id]
    sent = lookups.sent(references)
    ours = {mail.message_key for mail in sent}
    received = [mail for mail in found if mail.message_key not in ours]
    domains = {inbox.name: inbox.default_domain for inbox in facts.configuration.inboxes}
    disputed, order = _disputed(received, domains), {key: place for place, key in enumerate(references)}
    placed = [((False, order[mail.message_key or ""], mail.at, mail.id), _of_sent(mail)) for mail in sent]
    for each in received:
        key, elsewhere = each.message_key or "", each.inbox != facts.inbox.name
        place = (elsewhere and key not in disputed, order[key], each.received_at, each.id)
        placed.append((place, _of_received(each, sender, domains, elsewhere=elsewhere)))
    return [mail for _, mail in sorted(placed, key=itemgetter(0))]


def address_of(facts: Facts) -> str:
    """The sender's address as addresses are compared; "" when the mail has no usable From."""
    return (address_key(facts.sender.address.address) if facts.sender.address else None) or ""


def is_among(facts: Facts, addresses: Iterable[str]) -> bool:
    """Whether the sender has one of these addresses; a tag makes no difference, unless `plus_addressing` keeps it."""
    sender, plus = facts.sender.address, facts.settings.plus_addressing
    own = set(address_keys(sender.address, plus_addressing=plus)) if sender else set()
    return any(not own.isdisjoint(address_keys(each, plus_addressing=plus)) for each in addresses)


def references_of(facts: Facts) -> list[str]:
    """In-Reply-To, then References from the last to the first, each once."""
    given = [facts.mail.in_reply_to, *reversed(facts.mail.references[-MAX_REFERENCES:])]
    keys = dict.fromkeys(key for each in given if (key := message_key(each)))
    return list(keys)[:MAX_REFERENCES]


def _disputed(received: Sequence[StoredMail], domains: Domains) -> set[str]:
    """The message ids that several senders use."""
    writers = defaultdict[str, set[str]](set)
    for mail in received:
        writers[mail.message_key or ""].add(_writer(mail, domains))
    return {key for key, several in writers.items() if len(several) > 1}


def _of_sent(mail: OutboxMail) -> ThreadMail:
    return ThreadMail((mail.record_id,) if mail.record_id else (), _keys(mail.to), own=True)


def _of_received(mail: StoredMail, sender: str, domains: Domains, *, elsewhere: bool) -> ThreadMail:
    writer = _writer(mail, domains)
    between = (writer, *(with_default(each, domains.get(mail.inbox)) for each in (*mail.to, *mail.reply_to)))
    return ThreadMail(
        record_ids=tuple(record.id for record in mail.records),
        addresses=_keys(between),
        own=bool(writer) and writer == sender,
        unfinished=mail.outcome is None and not elsewhere,
    )


def _writer(mail: StoredMail, domains: Domains) -> str:
    return (address_key(with_default(mail.from_.address, domains.get(mail.inbox))) if mail.from_ else None) or ""


def _keys(addresses: Iterable[str]) -> frozenset[str]:
    return frozenset(key for address in addresses if (key := address_key(address)))
