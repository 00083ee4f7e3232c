"""Hand mails to Postroom over RabbitMQ, from Python with pika.

    pip install pika
    python publish.py [--inbox NAME] [--source-id ID] MAIL.eml...

POSTROOM_BROKER_URL names the broker (default amqp://guest:guest@localhost:5672/%2F). Ends with 0 when RabbitMQ
has taken responsibility for every mail, with 75 ("try again later") when not; what is printed says why. Handing
the same mail in again is harmless.
"""

from __future__ import annotations

import argparse
import os
import sys
import uuid
from pathlib import Path

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError, ChannelClosedByBroker, ConnectionBlockedTimeout, NackError, UnroutableError

TRY_AGAIN = 75
"""EX_TEMPFAIL of sysexits.h: mail servers keep the mail and come back."""
NO_EXCHANGE = 404
BLOCKED_SECONDS = 5
"""RabbitMQ short of memory or disk space confirms nothing: without this limit, a program would wait as long."""
START = "start Postroom once on this broker, it makes what is missing"


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description="Hand mails to Postroom over RabbitMQ.")
    parser.add_argument("mails", nargs="+", type=Path, metavar="MAIL.eml")
    parser.add_argument("--inbox", help="name of the inbox; the default inbox if omitted")
    parser.add_argument("--source-id", help="your own key for the mail: the same one is taken in once")
    return parser.parse_args()


def broker() -> pika.URLParameters:
    """The broker that the environment names."""
    try:
        place = pika.URLParameters(os.environ.get("POSTROOM_BROKER_URL", "amqp://guest:guest@localhost:5672/%2F"))
    except (ValueError, LookupError):
        print("not taken: POSTROOM_BROKER_URL must look like amqp://user:password@host:5672/%2F", file=sys.stderr)
        sys.exit(TRY_AGAIN)
    place.blocked_connection_timeout = BLOCKED_SECONDS
    return place


def publish(channel: BlockingChannel, raw: bytes, headers: dict[str, str]) -> str:
    """Return the message id when RabbitMQ has confirmed the mail: `postroom mails show ID` finds the mail by it.

    `mandatory`: a mail that no queue takes comes back as an error.
    """
    message_id = uuid.uuid4().hex
    properties = pika.BasicProperties(
        content_type="message/rfc822",
        delivery_mode=pika.DeliveryMode.Persistent,
        message_id=message_id,
        headers=headers,
    )
    channel.basic_publish("postroom", "intake", raw, properties, mandatory=True)
    return message_id


def main() -> int:
    """Publish every file; the exit code."""
    given, place = arguments(), broker()
    named = {"inbox": given.inbox, "source-id": given.source_id}
    headers = {name: value for name, value in named.items() if value is not None}
    try:
        with pika.BlockingConnection(place) as connection:
            channel = connection.channel()
            channel.confirm_delivery()  # without it a mail can be lost without an error
            for path in given.mails:
                message_id = publish(channel, path.read_bytes(), headers)
                print(f"taken: {path}  {message_id}")
    except UnroutableError:
        print(f"not taken: the exchange 'postroom' has no queue for intake; {START}", file=sys.stderr)
    except NackError:
        print("not taken: RabbitMQ refuses the mail for now", file=sys.stderr)
    except ConnectionBlockedTimeout:
        print("not taken: RabbitMQ takes no messages now: it is short of memory or disk space", file=sys.stderr)
    except AMQPError as error:
        known = isinstance(error, ChannelClosedByBroker) and error.reply_code == NO_EXCHANGE
        why = f"it has no exchange 'postroom'; {START}" if known else f"{type(error).__name__} {error}".rstrip()
        print(f"not taken: RabbitMQ at {place.host}:{place.port}: {why}", file=sys.stderr)
    except OSError as error:
        print(f"not taken: {error}", file=sys.stderr)
    else:
        return 0
    return TRY_AGAIN


if __name__ == "__main__":
    sys.exit(main())
