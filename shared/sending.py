"""Which server sends a mail of the desk, from which address, and what is added to it: the signature of its inbox and
the conversation id of its server (VS-07, NE-23). Pure.

Whoever queues mail takes the sending side from here; the outbox stores the mail as `as_sent` makes it, and `try` shows
the same.
"""

from __future__ import annotations

from dataclasses import replace

from shared.config.model import Configuration, ConversationId, Inbox, MailServer
from shared.contracts.change import Notification
from shared.mail_text.conversation import in_subject, mark
from shared.mail_text.html_text import html_of
from shared.mail_text.render import TemplateWords, filled
from shared.mail_text.values import desk_values
from shared.store.outbox import NO_DOMAIN, SendingSide


def sending_side(configuration: Configuration, inbox: Inbox | None, partition: str | None) -> SendingSide:
    """The sending side of mails about records of this inbox and this partition; both may be None.

    Without any mail server, mail stays in the outbox as `unsent`.
    """
    server = server_for(configuration, inbox, partition)
    sender = (server.from_address if server else None) or (inbox.address if inbox else "")
    return SendingSide(
        server.name if server else None,
        inbox.name if inbox else None,
        sender or None,
        sender.rpartition("@")[2] or NO_DOMAIN,
        plus_address=inbox.address if inbox and _is_tagged(configuration, inbox) else None,
        signature=_signature(configuration, inbox) if inbox and inbox.signature else None,
        conversation=server.conversation_id if server and server.conversation_id.enabled else None,
    )


def probe_side(configuration: Configuration, inbox: Inbox) -> SendingSide:
    """The sending side of the probes of an inbox's canary: through its own server, without what is for people."""
    named = (inbox.canary.mail_server if inbox.canary else None) or inbox.mail_server
    side = sending_side(configuration, replace(inbox, mail_server=named), inbox.partition)
    return replace(side, plus_address=None, signature=None, conversation=None)


def probe_hindrance(configuration: Configuration, inbox: Inbox) -> str | None:
    """Why no mail server can send a probe to this inbox so that it comes back; None when one can."""
    server = configuration.mail_server(probe_side(configuration, inbox).server or "")
    if server is None:
        return "no mail server is configured"
    if server.block:
        return f"mail server {server.name} is blocked: it receives only"
    if server.override_recipient:
        return f"mail server {server.name} sends all mail to {server.override_recipient} (override_recipient)"
    return None


def _is_tagged(configuration: Configuration, inbox: Inbox) -> bool:
    """Whether answers are asked to come to an address with a reply token as its tag."""
    return inbox.reply_by_plus_address and configuration.settings.plus_addressing == "ignore"


def server_for(configuration: Configuration, inbox: Inbox | None, partition: str | None) -> MailServer | None:
    """The inbox's server, else the partition's, else the first that belongs to no partition (VS-07)."""
    if named := configuration.mail_server((inbox.mail_server if inbox else None) or ""):
        return named
    servers = configuration.mail_servers
    of_partition = (each for each in servers if partition and each.partition == partition)
    of_nobody = (each for each in servers if each.partition is None)
    return next(of_partition, None) or next(of_nobody, None) or next(iter(servers), None)


def _signature(configuration: Configuration, inbox: Inbox) -> str:
    return filled(TemplateWords("", inbox.signature), desk_values(configuration, inbox)).text.rstrip("\n")


def as_sent(mail: Notification, sending: SendingSide, record_id: str | None) -> Notification:
    """The mail with what its inbox and its server add."""
    if sending.signature:
        mail = _with_lines(mail, f"-- \n{sending.signature}")
    if sending.conversation and record_id:
        mail = _with_conversation(mail, sending.conversation, record_id)
    return mail


def _with_conversation(mail: Notification, conversation: ConversationId, record_id: str) -> Notification:
    marked = mark(conversation.prefix, record_id)
    if conversation.location == "body":
        return _with_lines(mail, marked)
    return replace(mail, subject=in_subject(mail.subject, marked))


def _with_lines(mail: Notification, lines: str) -> Notification:
    """The mail with these lines behind an empty one."""
    html = mail.html and f"{mail.html}\n{html_of(lines)}"
    return replace(mail, text=f"{mail.text.rstrip(chr(10))}\n\n{lines}\n", html=html)
