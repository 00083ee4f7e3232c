"""Every figure that Postroom exposes: name, kind, labels and meaning. Names and labels are stable.

A label has few values: stages, queues, states, outcomes, and the names of inboxes, rules and mail servers of the
configuration. An address, an id or a subject is never one. Separate from what counts, because the page of operations,
the alert rules and the dashboards are checked against this table.
"""

from __future__ import annotations

from typing import Final, Literal

from shared.lazy_dataclass import dataclass

Kind = Literal["counter", "gauge", "histogram"]
PREFIX: Final = "postroom_"
UNKNOWN: Final = "unknown"
"""The label of an inbox that is not in the configuration: whoever publishes chooses the name."""
MAIL_SECONDS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 1800.0)
STAGE_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0)


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure. `from_store`: read from store and broker, by one process only. `buckets`: of a histogram, seconds."""

    short: str
    kind: Kind
    labels: tuple[str, ...]
    help: str
    from_store: bool = False
    buckets: tuple[float, ...] = ()

    @property
    def name(self) -> str:
        """The name under which Prometheus knows it."""
        return PREFIX + self.short


MAILS_SEEN: Final = Figure("mails_seen_total", "counter", ("inbox", "source"), "Mails taken from intake.")
MAILS_FINISHED: Final = Figure("mails_finished_total", "counter", ("inbox", "outcome"), "Mails that got an outcome.")
MAILS_REJECTED: Final = Figure(
    "mails_rejected_total",
    "counter",
    ("inbox", "reason"),
    "Rejected mails; the reason is a rule of Postroom, `configured-rule`, or `record-writer`.",
)
MAIL_DURATION: Final = Figure(
    "mail_duration_seconds", "histogram", ("inbox",), "From receipt to outcome.", buckets=MAIL_SECONDS
)
STAGE_MESSAGES: Final = Figure(
    "stage_messages_total", "counter", ("stage", "result"), "Messages settled: `done`, `retry`, `wait` or `failed`."
)
STAGE_DURATION: Final = Figure(
    "stage_duration_seconds", "histogram", ("stage",), "Time to read and handle a message.", buckets=STAGE_SECONDS
)
PUBLISH_FAILURES: Final = Figure(
    "publish_failures_total",
    "counter",
    ("queue", "reason"),
    "Outages of broker or store, once each, by the queue of the stage that met it: `unavailable` or `unroutable`.",
)
WORKER_PAUSED: Final = Figure(
    "worker_paused", "gauge", ("stage",), "1 while a stage of this process waits for a dependency or an operator."
)
VISIT_ERRORS: Final = Figure(
    "inbox_visit_errors_total",
    "counter",
    ("inbox", "reason"),
    "Failed visits to mailboxes: `login`, `throttled`, `server`, or `own` (our own store or broker).",
)
THROTTLED: Final = Figure(
    "inbox_throttled_seconds_total", "counter", ("inbox",), "Seconds that mail servers asked us to wait."
)
OUTBOX_SENT: Final = Figure(
    "outbox_sent_total", "counter", ("server", "result"), "Outgoing mails ended: `sent`, `failed`, `blocked`, `unsent`."
)
RULE_MATCHES: Final = Figure("rule_matches_total", "counter", ("rule",), "Mails that a rule rejected.")
IN_FLIGHT: Final = Figure("mails_in_flight", "gauge", (), "Mails without an outcome.", from_store=True)
DIFFERENCE: Final = Figure(
    "conservation_difference",
    "gauge",
    (),
    "Mails and outgoing mails that store and broker do not account for; 0 when all is well.",
    from_store=True,
)
QUEUE_MESSAGES: Final = Figure(
    "queue_messages", "gauge", ("queue", "state"), "Messages, `ready` or `unacknowledged`.", from_store=True
)
QUEUE_AGE: Final = Figure(
    "queue_oldest_message_age_seconds", "gauge", ("queue",), "Age of the oldest message.", from_store=True
)
QUEUE_CONSUMERS: Final = Figure("queue_consumers", "gauge", ("queue",), "Consumers of a queue.", from_store=True)
DEAD_LETTERS: Final = Figure(
    "dead_letters_open", "gauge", ("stage",), "Dead letters that wait for a person.", from_store=True
)
PARKED: Final = Figure(
    "parked_messages", "gauge", ("stage",), "Messages that the dead-letter stage itself failed on.", from_store=True
)
INBOX_SUCCESS: Final = Figure(
    "inbox_last_success_timestamp_seconds", "gauge", ("inbox",), "When it was last read.", from_store=True
)
INBOX_WAITING: Final = Figure(
    "inbox_oldest_waiting_seconds",
    "gauge",
    ("inbox",),
    "Age of its oldest mail that has no outcome; 0 without one.",
    from_store=True,
)
INBOX_CREDENTIAL: Final = Figure(
    "inbox_credential_expiry_timestamp_seconds",
    "gauge",
    ("inbox",),
    "The first end of its client secret or certificates, where it is known.",
    from_store=True,
)
CANARY_SUCCESS: Final = Figure(
    "canary_last_success_timestamp_seconds",
    "gauge",
    ("inbox",),
    "When a probe of its canary last came all the way; 0 when none has for three intervals; missing without a canary.",
    from_store=True,
)
CANARY_INTERVAL: Final = Figure(
    "canary_interval_seconds", "gauge", ("inbox",), "How often its canary sends a probe.", from_store=True
)
OUTBOX: Final = Figure("outbox_messages", "gauge", ("state",), "Outgoing mails.", from_store=True)
APPLY_SUCCESS: Final = Figure(
    "config_last_apply_success", "gauge", (), "1 when the stored configuration can be read, else 0.", from_store=True
)
BUILD_INFO: Final = Figure("build_info", "gauge", ("version",), "1, with the version of this process.")

FIGURES: Final[tuple[Figure, ...]] = (
    MAILS_SEEN,
    MAILS_FINISHED,
    MAILS_REJECTED,
    IN_FLIGHT,
    DIFFERENCE,
    MAIL_DURATION,
    STAGE_MESSAGES,
    STAGE_DURATION,
    QUEUE_MESSAGES,
    QUEUE_AGE,
    QUEUE_CONSUMERS,
    PUBLISH_FAILURES,
    DEAD_LETTERS,
    PARKED,
    WORKER_PAUSED,
    INBOX_SUCCESS,
    INBOX_WAITING,
    INBOX_CREDENTIAL,
    VISIT_ERRORS,
    THROTTLED,
    CANARY_SUCCESS,
    CANARY_INTERVAL,
    OUTBOX,
    OUTBOX_SENT,
    RULE_MATCHES,
    APPLY_SUCCESS,
    BUILD_INFO,
)
