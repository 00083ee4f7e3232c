"""The facts of one mail: gathered by the stage, read by the pure functions that decide, never changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from datetime import datetime
from typing import Final

from services.record_writer.decide.content.restricted import Reduced, judge_of, original_of, reduced_files
from services.record_writer.decide.lookups import Lookups, person_name
from services.record_writer.decide.people.trust import is_authenticated
from shared.config.model import INCIDENT, Configuration, Inbox, Settings
from shared.contracts.change import Activity, Target
from shared.contracts.events import Envelope, History, Sender, SenderMatched
from shared.contracts.mail import Attachment, ParsedMail
from shared.lazy_dataclass import dataclass
from shared.store.mails import RecordLabel, StoredMail
from shared.text import from_iso, shortened

EMAIL_LISTENER: Final = "email listener"
"""The author's name when it is not a person's (IV-07, TI-30)."""
UNSPECIFIED: Final = "Unspecified"
"""The security profile of what mail attaches (VF-10)."""
MAX_TEXT: Final = 200_000
"""Characters of text that a record, a field or an activity shows; the whole mail is attached when it has more."""
MAX_NAMES: Final = 50
"""Restricted attachments that a note names."""


@dataclass(frozen=True, slots=True)
class Facts:
    """One mail, who wrote it, where it came in, and what the desk is configured to do.

    `answers`: whether anybody may be answered at all; `commands`: whether the mail may give commands; `raw`: the blob
    of the original mail. `released`: an operator wants this mail to become a record, whatever the inbox refuses
    (PR-01). `linked`: the records that the mail points to already; `targets_claimed`: its targets as fixed at an
    earlier look, so that some parts may be committed. `reduced`: what is attached instead of files that hold
    restricted ones, by their hashes (TI-27). `token_record` is the record about which the sender got the mail of ours
    whose reply token this mail has (`decide.recognition.token`); `holds_token`: the facts are about that record.
    `original`: the sender of the mail that this one forwards; `forwarder`: the analyst who forwarded it, when it counts
    for its original sender, with the analyst's `comment` above it. `remarks`: what else led to the decision.
    """

    envelope: Envelope
    mail: ParsedMail
    sender: Sender
    inbox: Inbox
    configuration: Configuration
    now: datetime
    raw: str
    answers: bool = True
    commands: bool = True
    released: bool = False
    linked: tuple[RecordLabel, ...] = ()
    targets_claimed: tuple[Target, ...] = ()
    reduced: Mapping[str, Reduced] = field(default_factory=dict)
    token_record: str | None = None
    holds_token: bool = False
    original: Sender | None = None
    forwarder: Sender | None = None
    comment: str = ""
    remarks: tuple[str, ...] = ()

    @property
    def history(self) -> History | None:
        """Set for an old mail that was imported."""
        return self.envelope.history

    @property
    def at(self) -> datetime:
        """The time of what the mail does to records: now, or when an old mail was sent."""
        return min(from_iso(self.history.at), self.now) if self.history else self.now

    @property
    def settings(self) -> Settings:
        """The desk's settings."""
        return self.configuration.settings

    @property
    def is_proven(self) -> bool:
        """Whether the From address is believed: always, unless the inbox requires authentication (`trust`).

        A reply token is a proof too, about its own record. An analyst who was believed vouches for the sender of a mail
        that the analyst forwards.
        """
        is_vouched = self.holds_token or self.forwarder is not None
        return self.inbox.commands.trust == "address" or is_vouched or self.is_authenticated

    def about(self, record_id: str | None) -> Facts:
        """The facts as they are about this record: a reply token proves its sender there alone."""
        holds = record_id is not None and record_id == self.token_record
        return self if holds == self.holds_token else replace(self, holds_token=holds)

    @property
    def is_authenticated(self) -> bool:
        """Whether a trusted mail server states that the sender is who the address says.

        The proof is about From as it stands: a sender whose address the desk completed (IV-06), or whom a list or form
        names (PR-18), has none.
        """
        written = self.mail.from_ == self.sender.address and self.mail.rewritten_from is None
        return written and is_authenticated(self.mail, self.settings.trusted_authserv_ids)

    @property
    def is_analyst(self) -> bool:
        """Whether the sender works at the desk, as far as the inbox believes it; who a list or form names does not."""
        return "analyst" in self.sender.roles and self.is_proven and self.mail.rewritten_from is None

    @property
    def names_inbox(self) -> bool:
        """Whether records and attached mails say which inbox they came by (IV-07)."""
        return self.inbox.include_source_mailbox_name and self.inbox.processor == INCIDENT

    @property
    def created_by(self) -> str:
        """The `created_by` of a new record (IV-07)."""
        return f"Email {self.inbox.address}" if self.names_inbox else EMAIL_LISTENER


def facts_of(
    matched: SenderMatched, mail: StoredMail, inbox: Inbox, configuration: Configuration, now: datetime
) -> Facts:
    """The facts of a mail: what the stages before found, what is stored of it, and the configuration in force."""
    return Facts(
        envelope=matched.envelope,
        mail=matched.mail,
        sender=matched.sender,
        inbox=inbox,
        configuration=configuration,
        now=now,
        raw=mail.raw,
        answers=matched.answers,
        commands=matched.commands,
        released=mail.released,
        linked=mail.records,
        targets_claimed=mail.targets or (),
        original=matched.original,
    )


def with_reduced(facts: Facts, read: Callable[[str], bytes], keep: Callable[[bytes], object]) -> Facts:
    """The facts with the files that are attached instead of those that hold restricted ones (TI-27).

    `read` gives the bytes of a hash, `keep` stores those of a file without its restricted parts.
    """
    reduced = reduced_files(facts.mail, facts.raw, facts.settings.restricted_attachments, read)
    for each in reduced.values():
        keep(each.content)
    return replace(facts, reduced=reduced) if reduced else facts


def author_of_new(facts: Facts, lookups: Lookups, owner: str | None) -> str:
    """Whose name the mail carries on the record that it makes: the sender's, known or not (VS-06, IV-20)."""
    return _author(facts.sender) if facts.sender.address else author_on(facts, lookups, owner)


def author_on(facts: Facts, lookups: Lookups, owner: str | None) -> str:
    """Whose name a note on a record of this owner carries (TI-30, VS-06): the sender's, the owner's, nobody's."""
    if facts.sender.person_id:
        return _author(facts.sender)
    return person_name(lookups, owner) if owner else EMAIL_LISTENER


def _author(sender: Sender) -> str:
    """The name of a sender. One who is not in the configuration chose that name, and so is shown with the address."""
    name = sender.name or sender.person_id or ""
    address = sender.address.address if sender.address else ""
    if sender.configured or not address or address in name:
        return name
    return f"{name} <{address}>" if name else address


def as_attached(
    facts: Facts, text: str, author: str, *, anonymous: bool = False, withheld: Sequence[str] = ()
) -> tuple[Activity, ...]:
    """The mail as a record's activities show it (IV-31, PR-19), with a note on what was left out (TI-27).

    `anonymous`: the sender's address is unknown, so it is kept with the text (VF-16). `withheld`: the fields
    that the mail states and that this sender does not set (IV-42).
    """
    kept, restricted = kept_attachments(facts)
    if len(text) > MAX_TEXT and original(facts) not in kept:
        kept = (*kept, original(facts))
    whole = facts.reduced.get(facts.raw)
    if whole and whole.is_notice and original(facts) in kept:
        restricted = (*restricted, whole.names[-1])
    shown = shortened(_with_from(facts, text, anonymous=anonymous), MAX_TEXT)
    email = Activity(
        "email", shown, author, kept, UNSPECIFIED, facts.mail.subject or None, _leaves_out(facts.mail, text)
    )
    notes = [left_out(restricted)] if restricted else []
    forward = _forward_note(facts)
    if withheld:
        notes.append(f"Kept as text, because this sender may not set it by mail: {', '.join(withheld)}")
    return email, *forward, *(Activity("note", note, author, security_profile=UNSPECIFIED) for note in notes)


def _forward_note(facts: Facts) -> tuple[Activity, ...]:
    """The note of an analyst who forwarded the mail: whose it is, and what the analyst wrote above it."""
    analyst, written = facts.forwarder, facts.mail.forwarded
    if analyst is None or written is None:
        return ()
    address = facts.sender.address
    sender = f"{address.name} <{address.address}>" if address and address.name else address.address if address else ""
    when = f", who wrote it on {written.date}" if written.date else ""
    text = f"Forwarded for {sender}{when}.\n\n{shortened(facts.comment, MAX_TEXT)}".rstrip()
    return (Activity("note", text, _author(analyst), security_profile=UNSPECIFIED),)


def _leaves_out(mail: ParsedMail, text: str) -> bool:
    """Whether an activity with this text leaves out words of the mail (PR-19); blanks and quote marks do not count."""
    is_cut = len(text) > MAX_TEXT or "text-cut" in mail.defects
    return is_cut or (text != mail.text and _words(text) != _words(mail.text))


def _words(text: str) -> list[str]:
    return text.replace(">", " ").split()


def _with_from(facts: Facts, text: str, *, anonymous: bool) -> str:
    """The mail's From above its text, with the inbox beside it where the inbox wants that (IV-07)."""
    sender = facts.sender.address
    if sender is None or not (facts.names_inbox or anonymous):
        return text
    shown = f"{sender.name} <{sender.address}>" if sender.name else sender.address
    beside = f" ({facts.inbox.address})" if facts.names_inbox else ""
    return f"From: {shown}{beside}\n\n{text}"


def kept_attachments(facts: Facts) -> tuple[tuple[Attachment, ...], tuple[str, ...]]:
    """The attachments to keep and the names of restricted files (TI-27); the full message too if so set (NE-10)."""
    judge = judge_of(facts.settings.restricted_attachments)
    kept, names = list[Attachment](), list[str]()
    for each in facts.mail.attachments:
        if judge(each.filename, each.content_type):
            names.append(each.filename)
            continue
        found = facts.reduced.get(each.sha256)
        kept.append(found.instead_of(each) if found else each)
        names += found.names if found else ()
    full = (original(facts),) if facts.settings.keep_full_message else ()
    return (*kept, *full), tuple(names)


def original(facts: Facts) -> Attachment:
    """The mail itself, as an attachment, without restricted files."""
    whole, found = original_of(facts.raw, facts.mail.size), facts.reduced.get(facts.raw)
    return found.instead_of(whole) if found else whole


def left_out(restricted: Sequence[str]) -> str:
    """The "Email Received" note that names what was not added to the record (TI-27)."""
    once = list(dict.fromkeys(restricted))
    names = ", ".join(once[:MAX_NAMES])
    more = f" and {len(once) - MAX_NAMES} more" if len(once) > MAX_NAMES else ""
    return f"Email Received. Not added, because its type is restricted: {names}{more}"
