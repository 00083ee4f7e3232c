"""Prints `deploy/rabbitmq/definitions.json`: `python -m services.definitions`."""

from __future__ import annotations

import json
import sys

from services.queues import QUEUES
from shared.rabbitmq.topology import definitions, topology


def rendered() -> str:
    """The file's text, in the form that `rabbitmqctl import_definitions` reads."""
    return json.dumps(definitions(topology(QUEUES)), indent=2) + "\n"


if __name__ == "__main__":
    sys.stdout.write(rendered())
