"""Notifier: sends outgoing mail, once as far as SMTP allows.

Reads NotificationQueued. A mail is claimed (`sending`) before it is sent, so that two workers never send the same
one. A mail that a crashed worker had claimed is sent once more, under the same Message-ID, and then left to a person.
The probe of a canary alone may go to an inbox of this desk.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import field, replace
from datetime import datetime, timedelta
from functools import partial

from services.notifier import send
from services.notifier.body import File, html_body
from services.notifier.compose import Automatic, BadAddress, Outgoing, clean
from services.notifier.permission import format_for, invalid_sender, objection, recipients_of
from services.notifier.smtp import Deferred, MailRefused, Reply, Sent, Uncertain
from shared.app import App
from shared.clock import Clock
from shared.config.model import Configuration, MailServer, Settings
from shared.contracts.errors import Misconfigured, PostroomError, Unavailable
from shared.contracts.events import NotificationQueued
from shared.contracts.mail import Address
from shared.lazy_dataclass import dataclass
from shared.mail_network.connection import AuthenticationRefused, Throttled
from shared.runtime.envelope import reader
from shared.runtime.outcome import Emit, Outcome, OutgoingEnded, Retry, Wait
from shared.runtime.stage import Stage
from shared.store.canaries import PROBE
from shared.store.outbox import ANSWER, QUEUED, Outbox, OutboxMail, OutboxState
from shared.store.people import People

log = logging.getLogger(__name__)

CLAIM_AGE = timedelta(minutes=2)
CLAIM_TIMEOUTS = 12
"""A claim has expired when it is older than `CLAIM_AGE` plus this many of the server's time-outs: each exchange of a
slow delivery, and of the second try, may take one."""
RETRY_WAIT = timedelta(minutes=5)
"""Wait before a mail is retried whose server is unavailable."""
FIRST_WAIT, LONGEST_DELAY = timedelta(seconds=30), timedelta(days=1)
"""Wait before a mail is retried that its server refused for the moment, and how long it is retried every `RETRY_WAIT`.
Greylisting and full queues pass within hours (RFC 5321, section 4.5.4.1).
"""
MAX_TRIES = 2
"""How often a mail is sent while its delivery status is unknown."""
MAX_REASON = 500
"""Characters of an error that are stored: a server's reply may be much longer."""


@dataclass(frozen=True, slots=True)
class Notifier:
    """Sends the mails in the outbox."""

    outbox: Outbox
    people: People
    clock: Clock
    configuration: Callable[[], Configuration]
    deliver: Callable[[Outgoing, MailServer, Settings], Sent]
    content: Callable[[str], bytes]
    pauses: dict[MailServer, datetime] = field(default_factory=dict)
    """Until when a server that limits requests is left alone, as it asks (RFC 9110, 10.2.3), by this process."""

    def handle(self, queued: NotificationQueued) -> Outcome:
        """Send one mail of the outbox, unless it was sent or may not be sent."""
        mail = self.outbox.get(queued.outbox_id)
        if mail is None or mail.state not in QUEUED:
            return Emit(note="nothing to send" if mail is None else f"is {mail.state}", mail_id=queued.mail_id)
        configuration, now = self.configuration(), self.clock.now()
        server = configuration.mail_server(mail.server or "")
        if server is None:
            return self._end(mail, "unsent", "no mail server is configured")
        recipients = recipients_of(mail.to, configuration, self.people)
        if mail.kind != PROBE and (why := objection(recipients, mail.subject, configuration)):
            return self._end(mail, "blocked", why)
        if why := invalid_sender(mail.from_ or server.from_address, configuration):
            return self._end(mail, "failed", why)
        if (rest := self._pause_of(server, now)) is not None:
            return Wait(f"mail server {server.name} limits requests", rest)
        # Everything is read before the claim: a claim counts as a try.
        outgoing = with_files(as_outgoing(mail), mail, self.content)
        outgoing = replace(outgoing, cc=tuple(self._copies(outgoing, configuration)))
        if format_for(recipients, server, configuration) == "html":
            outgoing = with_html(outgoing, mail, server, configuration)
        if not self._claim(mail, server, now):
            return Wait("another worker is sending it", timedelta(seconds=30))
        return self._send(mail, outgoing, server, configuration)

    def _pause_of(self, server: MailServer, now: datetime) -> timedelta | None:
        """How much longer a server asks to be left alone; None: not at all. Changed settings begin anew."""
        rest = self.pauses.get(server, now) - now
        return rest if rest > timedelta(0) else None

    def _copies(self, outgoing: Outgoing, configuration: Configuration) -> Iterator[Address]:
        """Those in copy who may get the mail; who may not does not block it for the others."""
        for each in outgoing.cc:
            recipients = recipients_of((each.address,), configuration, self.people)
            if not objection(recipients, outgoing.subject, configuration):
                yield each

    def _claim(self, mail: OutboxMail, server: MailServer, now: datetime) -> bool:
        """Claim the mail; an expired claim is taken over."""
        expiry = CLAIM_AGE + CLAIM_TIMEOUTS * server.timeout
        if mail.state == "sending" and mail.claimed_at and now - mail.claimed_at < expiry:
            return False
        return self.outbox.claim(mail, now)

    def _send(self, mail: OutboxMail, outgoing: Outgoing, server: MailServer, configuration: Configuration) -> Outcome:
        if (mail.tries or 0) >= MAX_TRIES:
            return self._end(mail, "failed", "delivery status unknown after two tries")
        try:
            sent = self.deliver(outgoing, server, configuration.settings)
        except send.Blocked as error:
            return self._end(mail, "blocked", str(error))
        except (MailRefused, BadAddress, Misconfigured) as error:
            return self._end(mail, "failed", _reason(error))
        except Deferred as error:
            return self._later(mail, self._put_back(mail, error))
        except Uncertain as error:
            return self._end(mail, "failed", f"delivery status unknown: {_reason(error)}")
        except Throttled as error:
            return Wait(self._put_back(mail, error), self._pause(server, error))
        except (AuthenticationRefused, Unavailable) as error:  # affects this server only
            return Wait(self._put_back(mail, error), RETRY_WAIT)
        return self._end_for_recipients(mail, sent)

    def _end_for_recipients(self, mail: OutboxMail, sent: Sent) -> Outcome:
        """End the mail, or keep it for the recipients whom the server refused only for now (4xx)."""
        deferred = [(each, reply) for each, reply in sent.refused if 400 <= reply.code < 500]
        refused = [*(mail.refused or ()), *_replies(each for each in sent.refused if each not in deferred)]
        if deferred:
            reason = f"not taken yet for {', '.join(_replies(deferred))}"[:MAX_REASON]
            self.outbox.leave(mail, [each for each, _ in deferred], refused, reason, self.clock.now())
            return self._later(mail, reason)
        return self._end(mail, "sent", f"refused for {', '.join(refused)}" if refused else "")

    def _later(self, mail: OutboxMail, reason: str) -> Outcome:
        """Try again. After a day the tries are counted, so that the mail becomes a dead letter, which a person sees."""
        if mail.failing_since is None:
            return Wait(reason, FIRST_WAIT)
        return Wait(reason, RETRY_WAIT) if self.clock.now() - mail.failing_since < LONGEST_DELAY else Retry(reason)

    def _pause(self, server: MailServer, error: Throttled) -> timedelta:
        """Send it nothing for as long as it asks, at least a second; without a stated time, for the usual wait."""
        if error.retry_after is None:
            return RETRY_WAIT
        wait = timedelta(seconds=max(1.0, error.retry_after))
        self.pauses[server] = self.clock.now() + wait
        return wait

    def _put_back(self, mail: OutboxMail, error: PostroomError) -> str:
        """Let the mail wait with the reason, which is returned."""
        reason = _reason(error)
        self.outbox.put_back(mail, reason, self.clock.now())
        return reason

    def _end(self, mail: OutboxMail, state: OutboxState, reason: str) -> Outcome:
        if state == "failed" and mail.left:
            reason = f"for {', '.join(mail.left)}: {reason}"  # the others have it
        self.outbox.end(mail.id, state, reason, self.clock.now())
        ended = OutgoingEnded(mail.server or "", state)
        return Emit(note=f"{state} {reason}".strip(), mail_id=mail.mail_id or "", ended=ended)


def _replies(refused: Iterable[tuple[str, Reply]]) -> list[str]:
    """Each recipient who was refused, with the server's words."""
    return [clean(f"{recipient} ({reply})") for recipient, reply in refused]


def _reason(error: PostroomError) -> str:
    """An error with the server's words, on one line without control characters."""
    return clean(str(error))[:MAX_REASON]


def as_outgoing(mail: OutboxMail) -> Outgoing:
    """A mail of the outbox as plain text."""
    return Outgoing(
        message_id=mail.message_id,
        date=mail.at,
        to=tuple(Address(mail.to_name or "", address) for address in mail.to),
        subject=mail.subject,
        text=mail.text,
        in_reply_to=mail.in_reply_to,
        references=mail.references or (),
        cc=tuple(Address("", address) for address in mail.cc or ()),
        automatic=automatic_of(mail),
        loop=mail.inbox or "postroom",
        left=mail.left or (),
        sender=Address("", mail.from_) if mail.from_ else None,
        reply_to=Address("", mail.reply_to) if mail.reply_to else None,
    )


def automatic_of(mail: OutboxMail) -> Automatic | None:
    """The value of Auto-Submitted; None for what a person wrote."""
    if mail.kind == ANSWER:
        return None
    return "auto-replied" if mail.in_reply_to else "auto-generated"


def with_files(outgoing: Outgoing, mail: OutboxMail, content: Callable[[str], bytes]) -> Outgoing:
    """The same with its files. `content` gives the bytes of a hash."""
    files = (File(each.filename, each.content_type, content(each.sha256)) for each in mail.attachments or ())
    return replace(outgoing, files=tuple(files))


def with_html(outgoing: Outgoing, mail: OutboxMail, server: MailServer, configuration: Configuration) -> Outgoing:
    """The same with HTML, and the pictures of its template as the server sends them (NE-22)."""
    template = configuration.mail_template(mail.template or "")
    return replace(
        outgoing,
        html=html_body(mail.text, mail.html),
        images=template.images if template else {},
        embedded_images=server.embedded_images,
    )


def build(app: App) -> Stage:
    """The notifier on an app's outbox."""
    deliver = partial(send.deliver, tokens=app.tokens.of)
    notifier = Notifier(app.outbox, app.people, app.clock, app.directory.current, deliver, app.documents.get_blob)
    decode = reader(app.documents, NotificationQueued)
    return Stage("notifier", "notifier", notifier.handle, decode, waits_on_network=True)
