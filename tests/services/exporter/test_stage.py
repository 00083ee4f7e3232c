"""The exporter: an event in, an outcome out."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.exporter import connection
from services.exporter.stage import RETRY_WAIT, build
from shared.config.model import Connection
from shared.contracts.errors import Unavailable
from shared.contracts.events import ExportWanted
from shared.runtime.outcome import Emit, Fail, Wait
from tests.builders import a_configuration, a_stored_mail
from tests.desk import Desk


@pytest.fixture
def wanted(desk: Desk, tmp_path: Path) -> ExportWanted:
    """A mail that waits for its export to a folder."""
    desk.configure(a_configuration(connections=(Connection("files", path=str(tmp_path / "out")),)))
    desk.app.mails.receive(a_stored_mail())
    return ExportWanted("m1", "support", "files", desk.store.put_blob(b"<Mail/>"))


@pytest.mark.req("IV-40")
def test_a_document_that_was_handed_over_gives_the_mail_its_outcome(
    desk: Desk, wanted: ExportWanted, tmp_path: Path
) -> None:
    assert build(desk.app).handle(wanted) == Emit(note="exported to files", mail_id="m1")
    assert [file.read_bytes() for file in (tmp_path / "out").iterdir()] == [b"<Mail/>"]
    (mail,) = desk.mails()
    assert (mail["outcome"], mail["reason"]) == ("exported", "exported to files")


def test_a_connection_that_is_gone_is_a_failure_with_its_name(desk: Desk, wanted: ExportWanted) -> None:
    asked = ExportWanted("m1", "support", "nowhere", wanted.document)
    assert build(desk.app).handle(asked) == Fail("there is no connection 'nowhere'", "m1")


def test_a_connection_that_is_unavailable_is_waited_for(
    desk: Desk, wanted: ExportWanted, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise Unavailable("the folder cannot be written")

    monkeypatch.setattr(connection, "write", refuse)
    assert build(desk.app).handle(wanted) == Wait("the folder cannot be written", RETRY_WAIT)
    assert desk.mails()[0]["outcome"] is None
