"""The work queues of Postroom: names alone, so that everything may import them.

Each is read by the stage of the same name (`intake` by the parser) and is `postroom.<name>` on RabbitMQ.
"""

from __future__ import annotations

from typing import Final

from shared.runtime.broker import DEAD_LETTER, INTAKE, WorkQueues

FILTER: Final = "filter"
SENDER_MATCHER: Final = "sender-matcher"
RECORD_WRITER: Final = "record-writer"
EXPORTER: Final = "exporter"
NOTIFIER: Final = "notifier"

QUEUES: Final = WorkQueues(
    (INTAKE, FILTER, SENDER_MATCHER, RECORD_WRITER, EXPORTER, NOTIFIER, DEAD_LETTER),
    not_in_flight=frozenset({NOTIFIER}),
)
"""In the order of a mail's journey. A mail that has its outcome is not in flight, though its answer may wait."""
