"""`postroom parse`: what the parser sees, one JSON object a mail.

A mail that cannot be read or exceeds a bound, of time and memory too, becomes an object with `path` and `error`; the
others go on, and the exit code is 1 at the end. Needs neither store nor broker.
"""

from __future__ import annotations

import hashlib
from typing import Any

import click

from services.cli import output, sources
from services.cli.base import PROBLEM, Command
from shared.contracts.errors import BoundExceeded
from shared.mail_files import Source


@click.command(cls=Command)
@click.argument("named", metavar="FILE|DIR|MBOX|-...", type=click.Path(), nargs=-1, required=True)
def parse(named: tuple[str, ...]) -> int:
    """Print what the parser sees, one JSON object a mail.

    A folder is read with everything below it. *.mbox files are split into mails; - reads one mail from standard
    input.
    """
    failed = 0
    for word in named:
        for source in output.progress(sources.some_mails(word), "parsing", sources.count(word)):
            seen = look(source)
            failed += "error" in seen
            output.emit(seen)
    return PROBLEM if failed else 0


def look(source: Source) -> dict[str, Any]:
    """The parsed mail as JSON, or the reason why it could not be parsed."""
    from services.parser import guarded
    from shared.contracts import codec

    if source.error is not None:
        return {"path": source.path, "error": source.error}
    try:
        return {"path": source.path, **codec.mail_to_json(guarded.read(source.raw).mail)}
    except BoundExceeded as error:
        which = {"sha256": hashlib.sha256(source.raw).hexdigest(), "size": len(source.raw)}
        return {"path": source.path, **which, "error": str(error), "bound": error.bound}
    except guarded.Overdue as error:
        return {"path": source.path, "error": str(error)}
