"""Exporter: writes mail that is exported as XML to its connection.

Reads ExportWanted; the mail's outcome is `exported` once the document is written (IV-40). Separate from the record
writer because a connection may be a slow server.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Final

from services.exporter import attachments, connection
from shared.app import App
from shared.config.model import Configuration, Connection
from shared.contracts.errors import Unavailable
from shared.contracts.events import ExportWanted
from shared.runtime.envelope import reader
from shared.runtime.outcome import Emit, Fail, MailEnded, Outcome, Wait
from shared.runtime.stage import Stage
from shared.store.documents import Documents
from shared.store.mails import Mails

RETRY_WAIT: Final = timedelta(minutes=5)
"""Wait before a mail is retried whose connection is unavailable."""


def handle(
    wanted: ExportWanted, *, mails: Mails, documents: Documents, configuration: Callable[[], Configuration]
) -> Outcome:
    """Write one document; a repeat writes the same document again."""
    current = configuration()
    found = current.connection(wanted.connection)
    if found is None:
        return Fail(no_connection(wanted.connection), wanted.mail_id)
    inbox = current.inbox(wanted.inbox)
    form = inbox.export.attachments if inbox and inbox.export else "content"
    try:
        document = _with_attachments(documents.get_blob(wanted.document), form, found, wanted.mail_id, documents)
        connection.write(found, wanted.mail_id, document)
    except Unavailable as error:  # affects this connection only
        return Wait(str(error), RETRY_WAIT)
    note = f"exported to {found.name}"
    new = mails.finish(wanted.mail_id, "exported", reason=note, document=wanted.document)
    return Emit(note=note, mail_id=wanted.mail_id, ended=MailEnded("exported", wanted.inbox) if new else None)


def _with_attachments(document: bytes, form: str, found: Connection, mail_id: str, documents: Documents) -> bytes:
    """The document with attachments as the inbox wants them; files go beside it, under the mail's id."""

    def write(place: int, content: bytes) -> str:
        name = f"{mail_id}.{place}"
        connection.write_file(found, name, content)
        return name

    match form:
        case "content":
            return attachments.with_contents(document, documents.get_blob)
        case "files":
            return attachments.with_files(document, documents.get_blob, write)
    return document


def no_connection(name: str) -> str:
    """Why a mail cannot be handed over."""
    return f"there is no connection {name!r}"


def build(app: App) -> Stage:
    """The exporter on an app's store and configuration."""
    decide = partial(handle, mails=app.mails, documents=app.documents, configuration=app.directory.current)
    return Stage("exporter", "exporter", decide, reader(app.documents, ExportWanted), waits_on_network=True)
