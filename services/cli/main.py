"""The `postroom` command: one table of commands, each imported when it is called."""

from __future__ import annotations

import atexit
import gc
import io
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import click

from services.cli.base import Group

COMMANDS: Final[Mapping[str, tuple[str, str]]] = {
    "up": ("services.cli.up:up", "Run everything in one process, on the embedded default."),
    "demo": ("services.cli.demo:demo", "Show a tour with sample mails: mails in, records out."),
    "console": ("services.cli.console:console", "Serve the operator console, a web page."),
    "user": ("services.cli.user:user", "Users of the console: list, add, remove, password."),
    "worker": ("services.cli.worker:worker", "Run one worker on RabbitMQ and MongoDB."),
    "publish": ("services.cli.publish:publish", "Publish raw mail to the intake queue."),
    "import": ("services.cli.import_:import_", "Import old mail with its true dates; nobody is notified."),
    "parse": ("services.cli.parse:parse", "Print parsed mails, one JSON object per mail."),
    "try": ("services.cli.try_:try_", "Dry run of the whole pipeline: nothing is written."),
    "backtest": ("services.cli.backtest:backtest", "Compare a changed configuration on archived mail."),
    "mails": ("services.cli.mails:mails", "Mails: list, show, source, release."),
    "jobs": ("services.cli.jobs:jobs", "Actions on many mails: how far they are, what failed."),
    "records": ("services.cli.records:records", "Records: list, show, create, set, attachment."),
    "report": ("services.cli.report:report", "Reports: list them, print one."),
    "people": ("services.cli.people:people", "People and their mail."),
    "queues": ("services.cli.queues:queues", "Depth, age and consumers of every queue; pause and resume a stage."),
    "dead-letters": ("services.cli.dead_letters:dead_letters", "What failed: look, replay, discard."),
    "outbox": ("services.cli.outbox:outbox", "Outgoing mail, sent and waiting."),
    "inbox": ("services.cli.inbox:inbox", "Inboxes: list, test, start, stop, peek, sample."),
    "token": ("services.cli.token:token", "Tokens of HTTP intake, and keys of mail services."),
    "mail-server": ("services.cli.mail_server:mail_server", "Mail servers: list, test, send a test mail."),
    "config": ("services.cli.config:config", "Check, apply and export the configuration; list its changes."),
    "backup": ("services.cli.backup:backup", "Back up store and queues of the embedded default to a file."),
    "restore": ("services.cli.backup:restore", "Restore such a file to an empty data folder."),
    "doctor": ("services.cli.doctor:doctor", "Is everything reachable, is every mail accounted for?"),
}


ALLOCATIONS_PER_COLLECTION: Final = 50_000
"""Allocations between two garbage collections: mails make no reference cycles, and the default of 700 costs time."""


@click.group(
    cls=Group,
    lazy=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
    epilog="Every command explains itself: postroom COMMAND --help",
)
@click.version_option(package_name="postroom", message="%(prog)s %(version)s")
def cli() -> None:
    """Turn inbound email into service-desk records."""


class ClosedInput(io.RawIOBase):
    """Standard input that the parent process closed: reading it is an error, and no empty mail."""

    def readable(self) -> bool:
        """It is read like any other; see below."""
        return True

    def readinto(self, _buffer: object) -> int:
        """Refuse."""
        raise OSError("standard input is closed")


def main() -> None:
    """Run the command line. Missing standard streams are replaced; all use UTF-8, whatever the locale is."""
    gc.set_threshold(ALLOCATIONS_PER_COLLECTION, 20, 20)
    atexit.register(gc.freeze)  # else Python looks through every object before the process ends
    if sys.stdin is None:
        sys.stdin = io.TextIOWrapper(io.BufferedReader(ClosedInput()), encoding="utf-8")
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the parent process: output is discarded
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - as long as the process
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
    cli.main(prog_name="postroom")


if __name__ == "__main__":
    main()
