"""The record that the conversation id of a mail means (NE-23). Pure.

The id stands in the subject, or in the text with what it quotes. It is a hint, not a proof: whether the sender may
update the record is decided as for a number (`target.why_allowed`).
"""

from __future__ import annotations

from collections.abc import Iterator

from services.record_writer.decide.facts import Facts
from services.record_writer.decide.lookups import Lookups
from shared.mail_text.conversation import ids_in, prefixes_of
from shared.store.record import Record


def conversations(facts: Facts, lookups: Lookups) -> Iterator[Record]:
    """The records that the mail's conversation ids mean, those of the subject first."""
    prefixes = prefixes_of(facts.configuration)
    if not prefixes:
        return
    mail = facts.mail
    for beginning in ids_in((mail.subject, mail.new_text, mail.text), prefixes):
        record = lookups.beginning_with(beginning)
        if record is not None and not record.deleted:
            yield record
