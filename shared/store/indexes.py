"""Every index of every collection, in one place. Created at start; tests check that queries use them."""

from __future__ import annotations

from shared.store.documents import Index

INDEXES: tuple[Index, ...] = (
    Index("mails", ("message_key", "sender_key", "received_at")),
    Index("mails", ("outcome", "received_at")),
    Index("mails", ("inbox", "received_at")),
    Index("mails", ("inbox", "outcome", "received_at")),
    Index("mails", ("rule", "received_at")),
    Index("mails", ("words",), array=True),
    Index("mails", ("received_at",)),
    Index("mails", ("loop_key", "received_at")),
    Index("arrivals", ("state", "at")),
    Index("ledger", ("inbox", "state")),
    Index("people", ("addresses",), array=True),
    Index("people", ("teams",), array=True),
    Index("people", ("roles",), array=True),
    Index("records", ("type", "serial"), unique=True),
    Index("records", ("type", "status", "serial")),
    Index("records", ("deleted", "created_at", "serial")),
    Index("records", ("keys",), array=True),
    Index("records", ("owner", "type", "serial")),
    Index("records", ("service_due_at",)),
    Index("activities", ("record_id", "at", "place")),
    Index("links", ("from_id",)),
    Index("links", ("to_id",)),
    Index("history", ("person_id", "at")),
    Index("dead_letters", ("state", "at")),
    Index("dead_letters", ("mail_id",)),
    Index("jobs", ("state", "at")),
    Index("job_failures", ("job_id", "place")),
    Index("mail_copies", ("origin", "at")),
    Index("outbox", ("state", "at")),
    Index("outbox", ("message_key",)),
    Index("outbox", ("to_key", "at")),
    Index("outbox", ("stranger_domain", "at")),
    Index("outbox", ("to_stranger", "at")),
    Index("outbox", ("mail_id",)),
    Index("stage_pauses", ("resumed_at", "at")),
    Index("stage_pauses", ("at",)),
)
