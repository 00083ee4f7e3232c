"""One example of every event, with every field said. What the golden files show, in today's code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from shared.contracts.events import (
    Envelope,
    Event,
    ExportWanted,
    History,
    IncidentWanted,
    MailAccepted,
    MailParsed,
    MailRejected,
    NotificationQueued,
    RecordChanged,
    Sender,
    SenderMatched,
    ServiceTargetReached,
)
from shared.contracts.mail import Address, Attachment, Bounce, BouncedRecipient, Forwarded, ParsedMail, Passage, Routing

MAIL_ID = "5f6d0c9b1a2e4f708192a3b4c5d6e7f8"
SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

ENVELOPE = Envelope(
    mail_id=MAIL_ID,
    inbox="support",
    received_at="2024-05-14T09:30:00Z",
    envelope_from="bounce+17@shop.example",
    envelope_to=("support@desk.example",),
    history=History("2019-03-01T08:15:00.000Z", "0f1e2d3c4b5a69788796a5b4c3d2e1f0", "Closed"),
)
MAIL = ParsedMail(
    sha256=SHA256,
    size=4312,
    message_id="<20240514.1@shop.example>",
    in_reply_to="<20240513.9@desk.example>",
    references=("<20240513.8@desk.example>", "<20240513.9@desk.example>"),
    date="2024-05-14T09:29:41Z",
    from_=Address("Zoë Müller 你好", "zoe@shop.example"),
    sender=Address("", "desk@shop.example"),
    reply_to=(Address("Zoë", "zoe@home.example"),),
    to=(Address("Support", "support@desk.example"),),
    cc=(Address("", "boss@shop.example"), Address("Team", "team@shop.example")),
    subject='Re: [Incident - 12] "Drucker" \\ Papierstau \U0001f5a8',
    text="Noch immer kaputt.\n\n> Geht es wieder?\n",
    html=None,
    new_text="Noch immer kaputt.",
    attachments=(
        Attachment("foto.jpg", "image/jpeg", 48213, SHA256, inline=True, content_id="foto@shop.example"),
        Attachment("protokoll.txt", "text/plain", 12, SHA256),
    ),
    kind="message",
    bounce=None,
    automatic=False,
    automatic_header=None,
    forwarded_from=Address("Kim", "kim@customer.example"),
    routing=Routing(
        return_path="bounce+17@shop.example",
        auto_submitted="no",
        loop=("desk-1",),
        authentication_results=("mx.desk.example; dkim=pass header.d=shop.example",),
        delivered_to=("support@desk.example",),
    ),
    defects=("missing_boundary_end",),
    passages=(Passage("new", "Noch immer kaputt."), Passage("unannounced", "> Geht es wieder?", "Das steht da:")),
    original_from=Address("Kim", "kim@customer.example"),
    rewritten_from=Address("Kim via Users", "users@lists.example"),
    forwarded=Forwarded(
        sender=Address("Kim", "kim@customer.example"),
        subject="Drucker",
        date="Mon, 13 May 2024 10:00",
        comment="Bitte ansehen.",
        text="Er brennt.",
        message_id="<20240513.7@customer.example>",
        automatic=True,
    ),
    lists=("users@lists.example",),
)
BOUNCED = replace(
    MAIL,
    kind="bounce",
    automatic=True,
    automatic_header="Auto-Submitted",
    bounce=Bounce(
        (
            BouncedRecipient(
                "gone@customer.example",
                action="failed",
                status="5.1.1",
                smtp_code=550,
                permanent=True,
                reason="no such user",
                diagnostic="smtp; 550 5.1.1 no such user",
            ),
            BouncedRecipient("slow@customer.example"),
        ),
        message_ids=("<sent@desk.example>",),
    ),
)
SENDER = Sender(
    address=MAIL.from_,
    person_id="zoe",
    name="Zoë Müller",
    kind="external_contact",
    roles=("user", "analyst"),
    object_type="Contract",
    object_id="c-17",
    configured=True,
    language="de-ch",
)
SAMPLES: Mapping[str, Event] = {
    "MailParsed": MailParsed(ENVELOPE, BOUNCED),
    "MailAccepted": MailAccepted(ENVELOPE, MAIL, answers=False, commands=False),
    "MailRejected": MailRejected(MAIL_ID, "support", "VF-16", "the sender is not known here"),
    "SenderMatched": SenderMatched(ENVELOPE, MAIL, SENDER, answers=False, commands=False, original=SENDER),
    "RecordChanged": RecordChanged(MAIL_ID, "support", "created", "Incident", "INC12", "0123456789abcdef"),
    "NotificationQueued": NotificationQueued(MAIL_ID, "fedcba9876543210"),
    "ServiceTargetReached": ServiceTargetReached("", "4f2c", "gold", "resolve", "breached"),
    "IncidentWanted": IncidentWanted(MAIL_ID, "support", "77aa", "parser", "the mail exceeds a bound: parts"),
    "ExportWanted": ExportWanted(MAIL_ID, "support", "ledger", SHA256),
}
