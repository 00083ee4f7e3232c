"""Hear what became of mails: one line of JSON for each event, from Python with pika.

    pip install pika
    python listen.py [--events KEY] [--queue NAME] [--count N] [--seconds S]

With `--queue` the events wait in a durable queue of yours while you are away; without it you hear what happens
from now on. POSTROOM_BROKER_URL names the broker. Ends with 0 after N events, after S seconds or on Ctrl-C, with
75 when the broker is unavailable. An event can come twice: `message_id` is the same then.
"""

from __future__ import annotations

import argparse
import json
import os
import sys

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError

TRY_AGAIN = 75


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description="Listen to Postroom's events.")
    parser.add_argument("--events", default="#", metavar="KEY", help="record.created, mail.rejected, ...; # is all")
    parser.add_argument("--queue", help="a durable queue of this name keeps what happens while you are away")
    parser.add_argument("--count", type=int, default=0, help="end after this number of events")
    parser.add_argument("--seconds", type=float, default=None, help="end after this number of seconds without an event")
    return parser.parse_args()


def broker() -> pika.URLParameters:
    """The broker that the environment names."""
    try:
        return pika.URLParameters(os.environ.get("POSTROOM_BROKER_URL", "amqp://guest:guest@localhost:5672/%2F"))
    except (ValueError, LookupError):
        print("POSTROOM_BROKER_URL must look like amqp://user:password@host:5672/%2F", file=sys.stderr)
        sys.exit(TRY_AGAIN)


def listen(channel: BlockingChannel, given: argparse.Namespace) -> None:
    """Print events; each is acknowledged after it was printed, so that none is lost on the way."""
    if given.queue:
        queue = channel.queue_declare(given.queue, durable=True, arguments={"x-queue-type": "quorum"}).method.queue
    else:
        queue = channel.queue_declare("", exclusive=True).method.queue
    channel.queue_bind(queue, "postroom.events", given.events)
    print("listening", file=sys.stderr, flush=True)
    for heard, (method, properties, body) in enumerate(channel.consume(queue, inactivity_timeout=given.seconds), 1):
        if method is None:
            return
        line = {"event": method.routing_key, "message_id": properties.message_id, **json.loads(body)}
        print(json.dumps(line, ensure_ascii=False), flush=True)
        channel.basic_ack(method.delivery_tag)
        if heard == given.count:
            return


def main() -> int:
    """Listen until it is over; the exit code."""
    given, place = arguments(), broker()
    try:
        with pika.BlockingConnection(place) as connection:
            listen(connection.channel(), given)
    except (AMQPError, OSError) as error:
        why = f"{type(error).__name__} {error}".rstrip()
        print(f"RabbitMQ at {place.host}:{place.port} cannot be reached, or refuses: {why}", file=sys.stderr)
        return TRY_AGAIN
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
