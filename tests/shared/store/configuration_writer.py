"""A process that changes the configuration many times: adds senders to one rule, each read before it is written.

Arguments: the kind, address and database of the store, the name of the writer, and how many senders. It prints a line
when it is ready, and starts at a line of its input.
"""

from __future__ import annotations

import sys
from dataclasses import replace

from shared.config.model import Configuration, Rule
from shared.store.configuration import change
from shared.store.documents import Documents
from tests.servers.documents import opened

RULE = Rule("allowed", {"sender": ("a@example.com",)}, action="allow")


def add_sender(documents: Documents, address: str, by: str) -> None:
    """Add a sender to the rule, as a form or a command does: what it has now, and one more."""

    def edit(stored: Configuration) -> Configuration:
        rule = next(each for each in stored.rules if each.name == RULE.name)
        with_one_more = replace(rule, match={"sender": (*rule.match["sender"], address)})
        return Configuration(rules=(with_one_more,), sections=frozenset({"rules"}))

    change(documents, edit, by=by)


if __name__ == "__main__":
    kind, place, database, name, count = sys.argv[1:]
    store = opened(kind, place, database)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    for number in range(int(count)):
        add_sender(store, f"{name}-{number}@example.com", name)
    store.close()
