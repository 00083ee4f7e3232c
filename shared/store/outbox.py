"""The `outbox` collection: mail to be sent, and whether it was."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import field
from datetime import datetime
from typing import Any, Final, Literal

from shared.addresses import mailbox_key
from shared.config.model import ConversationId
from shared.contracts.change import Notification
from shared.contracts.mail import Attachment, ParsedMail
from shared.contracts.mapping import STORE, from_plain, named, to_plain
from shared.ids import derived_id
from shared.lazy_dataclass import dataclass
from shared.reply_tokens import ReplyTokens, Signed, SignedProbe, outbox_id_in, tokens_in, with_tag
from shared.store.by_inbox import find_in_inboxes
from shared.store.canaries import PROBE
from shared.store.documents import Document, Documents, Sort
from shared.store.mails import message_key

OutboxState = Literal["unsent", "waiting", "sending", "sent", "failed", "blocked", "held", "cancelled"]
STATES: Final[tuple[OutboxState, ...]] = (
    *("unsent", "waiting", "sending", "sent", "failed", "blocked", "held", "cancelled"),
)
QUEUED: Final[tuple[OutboxState, ...]] = ("waiting", "sending")
"""States in which the notifier has a message for the mail."""
ANSWER: Final = "answer"
"""The kind of an answer of the desk that an analyst wrote: the one kind that is not automatic mail."""
Recipients = Literal["to_key", "stranger_domain", "to_stranger"]
"""The groups by which recipients are counted: one mailbox, the strangers of one domain, all strangers."""
OUTBOX: Final = "outbox"
MAX_RECENT: Final = 50
NO_DOMAIN: Final = "postroom.invalid"
REPLY_LINK: Final = "mailto:{reply address}"
"""Stands in a text for a link to the address that answers to this very mail go to; it is filled in when the mail is
queued. Mail that merely quotes somebody has no such link in it: `{reply address}` alone is text like any other."""


@dataclass(frozen=True, slots=True)
class SendingSide:
    """The sending side of notifications: the inbox, the server (None: no server is configured), the From address.

    `stranger_domain` is set when an unknown sender is answered: the domain of the recipient, "" when it has none.
    `plus_address` is the inbox's address, when answers are asked to come to it with a reply token as its tag.
    `signature` and `conversation` are what `shared.sending` adds to a mail.
    """

    server: str | None = None
    inbox: str | None = None
    from_: str | None = None
    domain: str = NO_DOMAIN
    stranger_domain: str | None = None
    plus_address: str | None = None
    signature: str | None = None
    conversation: ConversationId | None = None

    @property
    def state(self) -> OutboxState:
        """The state in which mail is queued."""
        return "waiting" if self.server else "unsent"


@dataclass(frozen=True, slots=True)
class Undelivered:
    """A recipient who does not get a mail: why, when the report of that came, and which mail it was."""

    address: str
    reason: str
    at: datetime
    mail_id: str


@dataclass(frozen=True, slots=True)
class UndeliveredMail:
    """An outgoing mail, and the recipients who do not get it."""

    outbox_id: str
    recipients: tuple[Undelivered, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxMail:
    """One outgoing mail.

    Life: queued as `waiting`, or as `unsent` when no mail server is configured (then it leaves only when an operator
    sends it). The notifier claims it (`sending`, `claimed_at`, `tries`), then it is `sent`, `failed`, or `blocked` by a
    rule, with the `reason` and `ended_at`; or `waiting` again when its server is unavailable, with the error of the
    latest try as `reason` and the time of the first as `failing_since`. An operator may hold mail that has not left
    (`held`), send `unsent`, `waiting`, `failed` and `held` mail now, or cancel it (`cancelled`, which it stays). A mail
    that was sent may be reported as not delivered (`undelivered`). When its server takes it for some recipients and
    asks to try others later, it waits for those (`left`) alone; `refused` are the answers of those who never get it.
    Nothing removes it.

    `to_key`, `message_key`, `stranger_domain` and `to_stranger` are what it is found and counted by; `mail_id` is the
    mail that it answers, `record` the number of the record with the id `record_id`. `html` None: it is made from
    `text`; `template`: the mail template that both were made of. The left part of `message_id` is a signed reply token
    where a key is in force, and `reply_to` the address with that token.
    """

    id: str = field(metadata=named("_id"))
    to: tuple[str, ...]
    to_key: str | None = None
    subject: str
    text: str
    kind: str
    in_reply_to: str | None = None
    to_name: str | None = None
    references: tuple[str, ...] | None = None
    cc: tuple[str, ...] | None = None
    attachments: tuple[Attachment, ...] | None = None
    html: str | None = None
    template: str | None = None
    message_id: str
    message_key: str | None = None
    state: OutboxState
    server: str | None = None
    inbox: str | None = None
    from_: str | None = None
    domain: str | None = None
    stranger_domain: str | None = None
    to_stranger: bool | None = None
    at: datetime
    mail_id: str | None = None
    record_id: str | None = None
    record: str | None = None
    tries: int | None = None
    claimed_at: datetime | None = None
    reason: str | None = None
    failing_since: datetime | None = None
    ended_at: datetime | None = None
    reply_to: str | None = None
    undelivered: tuple[Undelivered, ...] = ()
    left: tuple[str, ...] | None = None
    refused: tuple[str, ...] | None = None

    @property
    def left_at(self) -> datetime:
        """When the notifier last took it to send it, else when it was queued."""
        return self.claimed_at or self.at


_LATER: Final = frozenset(
    (
        *("to_name", "references", "cc", "attachments", "html", "template", "stranger_domain", "to_stranger"),
        *("reply_to", "tries", "claimed_at", "reason", "failing_since", "ended_at", "undelivered"),
        *("left", "refused"),
    )
)
"""Keys that are not there until they say something."""
_undelivered_to_document = to_plain(Undelivered, STORE)
_encode, _decode = to_plain(OutboxMail, STORE), from_plain(OutboxMail, STORE)


@dataclass(frozen=True, slots=True)
class QueuedFor:
    """Because of which mail, about which record, when."""

    at: datetime
    mail_id: str | None = None
    record_id: str | None = None
    record: str | None = None


class Outbox:
    """Queues outgoing mail once and tracks its state. `tokens` sign it, so that answers prove to be answers."""

    def __init__(self, documents: Documents, tokens: ReplyTokens | None = None) -> None:
        self.documents, self.tokens = documents, tokens

    def add_once(
        self, cause: str, index: int, notification: Notification, sending: SendingSide, because: QueuedFor
    ) -> str:
        """Queue a notification; its id, derived from its cause.

        Mail with copies has no token: whoever gets a copy would know it, and could write in the recipient's name.
        """
        id_ = derived_id("outbox", cause, str(index))
        token = self._token(id_, notification, sending, because)
        message_id = f"<{token or id_}@{sending.domain}>"
        reply_to = with_tag(sending.plus_address, token) if sending.plus_address and token else None
        link = f"mailto:{reply_to or sending.plus_address or sending.from_ or ''}"
        mail = OutboxMail(
            id=id_,
            to=notification.to,
            to_key=mailbox_key(notification.to[0]) if notification.to else None,
            subject=notification.subject,
            text=notification.text.replace(REPLY_LINK, link),
            kind=notification.kind,
            in_reply_to=notification.in_reply_to,
            to_name=notification.to_name or None,
            references=notification.references or None,
            cc=notification.cc or None,
            attachments=notification.attachments or None,
            html=notification.html and notification.html.replace(REPLY_LINK, link),
            template=notification.template,
            message_id=message_id,
            message_key=message_key(message_id),
            state=sending.state,
            server=sending.server,
            inbox=sending.inbox,
            from_=sending.from_,
            domain=sending.domain,
            stranger_domain=sending.stranger_domain,
            to_stranger=None if sending.stranger_domain is None else True,
            at=because.at,
            mail_id=because.mail_id,
            record_id=because.record_id,
            record=because.record,
            reply_to=reply_to,
        )
        document = {key: value for key, value in _encode(mail).items() if value not in (None, []) or key not in _LATER}
        self.documents.insert_many(OUTBOX, [document])
        return id_

    def _token(self, id_: str, mail: Notification, sending: SendingSide, because: QueuedFor) -> str | None:
        if self.tokens is None or mail.cc:
            return None
        if mail.kind == PROBE:
            return self.tokens.probe_token(SignedProbe(id_, sending.inbox or "", because.at))
        return self.tokens.token(Signed(id_, because.record_id, mail.to))

    def probe(self, mail: ParsedMail, inbox: str) -> OutboxMail | None:
        """The probe that a canary sent to this inbox and that has come back as this mail; None for any other mail.

        Its Message-ID has a token that a key of this desk made for it, for this inbox and its time. Raises
        `Misconfigured`.
        """
        for token in tokens_in((mail.message_id,), ()) if self.tokens else ():
            sent = self.get(outbox_id_in(token))
            if sent is None or (sent.kind, sent.inbox) != (PROBE, inbox):
                continue
            if self.tokens and self.tokens.is_valid(token, SignedProbe(sent.id, inbox, sent.at)):
                return sent
        return None

    def get(self, outbox_id: str) -> OutboxMail | None:
        """One outgoing mail."""
        found = self.documents.get(OUTBOX, outbox_id)
        return _decode(found) if found else None

    def beginning_with(self, id_beginning: str) -> list[OutboxMail]:
        """At most two mails whose ids begin so: enough to see whether it is one."""
        return list(self._find({"_id": {"$prefix": id_beginning}}, limit=2))

    def claim(self, mail: OutboxMail, at: datetime) -> bool:
        """Take a mail for sending, one more try; False when another worker has changed its state since it was read."""
        where = {"_id": mail.id, "state": mail.state, "tries": mail.tries}
        claimed = {"state": "sending", "claimed_at": at, "tries": (mail.tries or 0) + 1}
        return self.documents.update(OUTBOX, where, {"$set": claimed})

    def put_back(self, mail: OutboxMail, reason: str, at: datetime) -> bool:
        """Let a claimed mail wait again, because its server could not take it; its tries count from 0."""
        return self._wait_again(mail, reason, at)

    def leave(self, mail: OutboxMail, left: Sequence[str], refused: Sequence[str], reason: str, at: datetime) -> bool:
        """Let a mail wait again that its server has taken for others than those `left`."""
        return self._wait_again(mail, reason, at, left=list(left), refused=list(refused))

    def _wait_again(self, mail: OutboxMail, reason: str, at: datetime, **facts: Any) -> bool:
        since = mail.failing_since or at
        return self._move(mail.id, ("sending",), "waiting", reason=reason, failing_since=since, tries=0, **facts)

    def end(self, outbox_id: str, state: OutboxState, reason: str, at: datetime) -> bool:
        """Store how the sending of a waiting or claimed mail ended."""
        return self._move(outbox_id, QUEUED, state, reason=reason, ended_at=at)

    def keep_back(
        self, outbox_id: str, states: Sequence[OutboxState], to: OutboxState, reason: str, at: datetime
    ) -> bool:
        """Hold or cancel a mail that is in one of `states`; False when it is not any more."""
        return self._move(outbox_id, states, to, reason=reason, ended_at=at)

    def mark_undelivered(self, mail: UndeliveredMail) -> None:
        """Note the recipients who do not get a mail; repeating it changes nothing."""
        reason = "; ".join(f"not delivered to {each.address}: {each.reason}" for each in mail.recipients)
        for each in mail.recipients:
            noted = {"$addToSet": {"undelivered": _undelivered_to_document(each)}, "$set": {"reason": reason}}
            self.documents.update(OUTBOX, {"_id": mail.outbox_id}, noted)

    def queue_again(self, outbox_id: str, states: Sequence[OutboxState], *, server: str, from_: str | None) -> bool:
        """Let a mail in one of `states` wait for this server; its tries count from 0."""
        return self._move(
            outbox_id, states, "waiting", **{"server": server, "tries": 0, "from": from_, "failing_since": None}
        )

    def _move(self, outbox_id: str, states: Sequence[OutboxState], to: OutboxState, **facts: Any) -> bool:
        where = {"_id": outbox_id, "state": {"$in": list(states)}}
        return self.documents.update(OUTBOX, where, {"$set": {"state": to, **facts}})

    def with_message_ids(self, message_ids: Sequence[str]) -> list[OutboxMail]:
        """Outgoing mails with one of these Message-IDs."""
        keys = [key for message_id in message_ids if (key := message_key(message_id))]
        return list(self._find({"message_key": {"$in": keys}}, limit=200)) if keys else []

    def sent_to(self, mailbox: str, since: datetime) -> list[OutboxMail]:
        """The newest mails that were written to a mailbox since then, at most `MAX_RECENT`."""
        where = {"to_key": mailbox, "at": {"$gte": since}}
        return list(self._find(where, sort=(("at", -1),), limit=MAX_RECENT))

    def sent_since(self, recipients: Recipients, value: str | bool, since: datetime) -> int:
        """How many mails were written since then to recipients with this value, counted in an index."""
        return self.documents.count(OUTBOX, {recipients: value, "at": {"$gte": since}})

    def is_answered(self, mail_id: str) -> bool:
        """Whether a mail was written because of this one."""
        return self.documents.count(OUTBOX, {"mail_id": mail_id}) > 0

    def recent(
        self, state: OutboxState | None, limit: int, skip: int = 0, *, inboxes: Collection[str] | None = None
    ) -> Iterator[OutboxMail]:
        """Outgoing mails, or those in one state, newest first; `limit` 0 means all.

        `inboxes`: mails of these (None: of all, and of none).
        """
        where: Document = {"state": state} if state else {}
        sort: Sort = (("at", -1),)
        if inboxes is not None:
            found = find_in_inboxes(self.documents, OUTBOX, where, inboxes, sort=sort, limit=limit, skip=skip)
            return map(_decode, found)
        return self._find(where, sort=sort, limit=limit, skip=skip)

    def queued(self, limit: int) -> Iterator[OutboxMail]:
        """Mails that the notifier has to send, the oldest first."""
        return self._find({"state": {"$in": list(QUEUED)}}, sort=(("at", 1),), limit=limit)

    def count(self, *states: OutboxState) -> int:
        """How many mails are in one of these states."""
        return self.documents.count(OUTBOX, {"state": {"$in": list(states)} if len(states) > 1 else states[0]})

    def _find(self, where: Document, **rest: Any) -> Iterator[OutboxMail]:
        return map(_decode, self.documents.find(OUTBOX, where, **rest))


def returned_ids(mail: ParsedMail) -> list[str]:
    """The Message-IDs of the mail that a report of failed delivery is about, the surest first; none of other mail."""
    if mail.kind != "bounce" or mail.bounce is None:
        return []
    recipients = mail.bounce.recipients
    if recipients and all(each.permanent is False for each in recipients):
        return []
    return [each for each in (*mail.bounce.message_ids, mail.in_reply_to, *mail.references) if each]
