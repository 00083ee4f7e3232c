"""What one hop on RabbitMQ costs our process: take, decode, encode, publish, confirm, acknowledge; no stage work.

`python -m bench.hop URL COUNT` prints one line of JSON. Run in a process of its own, so that its CPU is the hop's.
"""

from __future__ import annotations

import json
import sys
import time
from contextlib import nullcontext
from functools import partial

from services.pipeline import ROUTES
from services.queues import QUEUES
from shared.contracts.events import Envelope, Event, MailAccepted, MailParsed
from shared.contracts.mail import Address, ParsedMail
from shared.rabbitmq.broker import RabbitBroker
from shared.runtime.broker import Message
from shared.runtime.envelope import pack, unpack
from shared.runtime.outcome import Outcome, emit
from shared.runtime.stage import Stage
from shared.runtime.worker import Worker, WorkerDependencies

TEXT = "Since Friday the printer beside the kitchen takes every sheet twice.\n" * 29
"""About 2 KB; with the new part repeated, an event as a 4 KB mail makes it."""


class Nothing:
    """No blobs: this is about the hop."""

    def keep(self, body: bytes, mail_id: str, queue: str) -> str:
        """Refuse: the event is small."""
        raise AssertionError(len(body), mail_id, queue)

    def get_blob(self, sha256: str) -> bytes:
        """There are none."""
        raise LookupError(sha256)


def parsed(number: int) -> MailParsed:
    """The event of a usual mail."""
    sender = Address("Anna Becker", "anna@customer.example")
    mail = ParsedMail(
        "0" * 64, 4096, f"<{number}@customer.example>", from_=sender, subject="Printer", text=TEXT, new_text=TEXT
    )
    return MailParsed(Envelope(f"{number:032}", "support", "2026-11-20T12:00:00Z"), mail)


def passed_on(event: MailParsed) -> Outcome:
    """What the filter answers when nothing objects."""
    return emit(MailAccepted(event.envelope, event.mail))


def messages_for(event: Event, cause: Message, stage: str, index: int) -> list[Message]:
    """As the pipeline packs them."""
    return [pack(event, ROUTES[type(event)], cause=cause, stage=stage, index=index, large=Nothing())]


def main(url: str, count: int) -> None:
    """Pass `count` messages on; CPU and wall time of the loop."""
    broker, nothing = RabbitBroker(url, QUEUES), Nothing()
    broker.declare()
    cause = Message("cause", "intake", b"")
    batch = [message for number in range(count) for message in messages_for(parsed(number), cause, str(number), 0)]
    broker.publish(batch)
    world = WorkerDependencies(broker, messages_for, nullcontext, lambda: None)
    worker = Worker(Stage("filter", "filter", passed_on, partial(unpack, blobs=nothing)), world)
    passed, began, used = 0, 0.0, 0.0
    while passed < count:
        passed += (worked := worker.step(timeout=10))
        if worked and not began:  # the first delivery comes with the connection's start
            began, used, counted = time.perf_counter(), time.process_time(), passed
    worker.consumer.flush()
    seconds, cpu = time.perf_counter() - began, time.process_time() - used
    worker.consumer.close()
    broker.close()
    hops = count - counted
    sys.stdout.write(json.dumps({"hops_per_s": hops / seconds, "cpu_ms_per_hop": cpu * 1000 / hops}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
