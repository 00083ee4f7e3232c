"""Either broker with either store: the same mails have the same outcomes (PR-10, PR-13, PR-16)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.app import Location
from tests.builders import a_mail
from tests.desk import Desk

LARGE_BODY_BYTES = bytes(range(256)) * 4 * 1024 * 8


@pytest.fixture(params=["embedded", "rabbitmq"])
def broker_url(request: pytest.FixtureRequest) -> str | None:
    if request.param == "embedded":
        return None
    node, vhost = request.getfixturevalue("rabbit_node"), request.getfixturevalue("rabbit_vhost")
    return str(node.url(vhost))


@pytest.fixture(params=["embedded", "mongodb"])
def store_url(request: pytest.FixtureRequest) -> str | None:
    if request.param == "embedded":
        return None
    url, database = request.getfixturevalue("mongodb_url"), request.getfixturevalue("mongodb_database")
    return str(url).replace("/?", f"/{database}?")


@pytest.fixture
def form(tmp_path: Path, broker_url: str | None, store_url: str | None) -> Iterator[Desk]:
    made = Desk(Location(tmp_path / "data", broker_url, store_url))
    yield made
    made.close()


@pytest.mark.req("PR-10", "PR-12", "PR-13", "PR-15", "PR-16")
def test_each_mail_has_the_same_outcome_in_every_form(form: Desk) -> None:
    first = a_mail(
        Message_ID="<first@customer.example>", files=(("log.bin", "application/octet-stream", LARGE_BODY_BYTES),)
    )
    form.receive(first)
    form.receive(
        first,
        a_mail("More of it.\n", subject="Re: Printer", In_Reply_To="<first@customer.example>"),
        a_mail(sender="postmaster@mx.example"),
        b"X-H: v\r\n" * 120_000 + b"\r\nbody",
    )
    assert sorted(mail["outcome"] for mail in form.mails()) == ["dead", "recorded", "recorded", "rejected"]
    incident, error = form.records("incident")
    assert [activity["kind"] for activity in form.activities(incident)] == ["email", "email"]
    (kept,) = form.activities(incident)[0]["attachments"]
    assert form.store.get_blob(kept["sha256"]) == LARGE_BODY_BYTES
    assert error["source"] == "Email error"
    assert [letter["stage"] for letter in form.dead_letters()] == ["parser"]
    assert form.app.broker.in_flight() == 0
