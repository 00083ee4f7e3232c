"""What people do that changes something, in the words in which it is kept and shown under Access.

Console and command line keep the same words, so that a search finds both. A job, an inbox or a mail is named beside
them (`about`), with who, when and why.
"""

from __future__ import annotations

from enum import StrEnum


class Write(StrEnum):
    """Every kind."""

    MADE_FIRST_USER = "made the first user"
    SIGNED_IN = "signed in"
    SIGNED_IN_BY_PROVIDER = "signed in by the identity provider"
    SIGNED_IN_BY_PROXY = "signed in by a proxy"
    SIGNED_OUT = "signed out"
    ADDED_USER = "added a user"
    REMOVED_USER = "removed a user"
    CHANGED_PASSWORD = "changed a password"  # noqa: S105 - no password
    ENDED_SESSION = "ended a session"
    MADE_TOKEN = "made a token of HTTP intake"  # noqa: S105 - no token
    REVOKED_TOKEN = "revoked a token of HTTP intake"  # noqa: S105 - no token
    SET_KEY = "set the key of a mail service"
    REMOVED_KEY = "removed the key of a mail service"
    RELEASED_MAIL = "released a mail"
    REPLAYED_MAIL = "replayed the dead letters of a mail"
    DISCARDED_MAIL = "discarded the dead letters of a mail"
    HANDED_IN_COPY = "handed in an edited copy of a mail"
    ALLOWED_SENDER = "allowed a sender"
    IMPORTED_MAILS = "imported mails"
    REPLAYED_LETTER = "replayed a dead letter"
    DISCARDED_LETTER = "discarded a dead letter"
    MADE_JOB = "made a job"
    STOPPED_JOB = "stopped a job"
    SENT_OUTGOING = "sent an outgoing mail"
    HELD_OUTGOING = "held an outgoing mail"
    CANCELLED_OUTGOING = "cancelled an outgoing mail"
    PAUSED_STAGE = "paused a stage"
    RESUMED_STAGE = "resumed a stage"
    MADE_INBOX = "made an inbox"
    SAVED_INBOX = "saved an inbox"
    DELETED_INBOX = "deleted an inbox"
    TESTED_INBOX = "tested an inbox"
    CLEARED_INBOX_TEST = "cleared the test of an inbox"
    ASKED_FOR_VISIT = "asked for a visit"
    STOPPED_INBOX = "stopped an inbox"
    STARTED_INBOX = "started an inbox"
    STOPPED_ALL_INBOXES = "stopped all inboxes"
    STARTED_ALL_INBOXES = "started all inboxes"
    MADE_SERVER = "made a mail server"
    SAVED_SERVER = "saved a mail server"
    DELETED_SERVER = "deleted a mail server"
    SENT_TEST_MAIL = "sent a test mail"
    TESTED_SERVER = "tested a mail server"
    CLEARED_SERVER_TEST = "cleared the test of a mail server"
    APPLIED_CONFIGURATION = "applied a configuration"
    ROLLED_BACK = "rolled the configuration back"
    BEGAN_BACKTEST = "began a back-test"
    STOPPED_BACKTEST = "stopped a back-test"
    CREATED_RECORD = "created a record"
    CHANGED_RECORD = "changed a record"
    DELETED_RECORD = "deleted a record"
    RESTORED_RECORD = "restored a record"
    MERGED_RECORDS = "merged a record"
    SAW_RECORD = "cleared the mark of a record"
