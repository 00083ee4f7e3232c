"""What the console answers while its store or broker is away."""

from __future__ import annotations

import http.client
from urllib.parse import urlsplit

import pytest

from services.operator import access
from shared.contracts.errors import Misconfigured, PostroomError, Unavailable
from shared.store.access import Sessions, Users
from tests.desk import Desk
from tests.services.console.conftest import Clients

WORDS = "the data file /secret/place cannot be used"


@pytest.mark.parametrize("error", [Unavailable(WORDS), Misconfigured(WORDS)], ids=["away", "misconfigured"])
@pytest.mark.parametrize("path", ["/", "/sign-in", "/mails", "/nowhere", "/set-up?token=x"])
def test_before_sign_in_a_dependency_is_not_quoted(
    clients: Clients,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    path: str,
    error: PostroomError,
) -> None:
    def fails(*_: object) -> None:
        raise error

    for name in ("get", "is_set_up_token"):
        monkeypatch.setattr(Sessions, name, fails)
    monkeypatch.setattr(Users, "exist", fails)
    client = clients()
    client.cookies.set("postroom", "somebody's")
    answer = client.get(path, follow_redirects=False)
    assert answer.status_code in {409, 503}
    assert "secret" not in answer.text
    logged = [getattr(each, "reason", "") for each in caplog.records if each.getMessage() == "console_not_answered"]
    assert logged == [WORDS]


def test_an_event_stream_is_not_begun_for_a_request_that_wants_no_body(desk: Desk, served: str) -> None:
    """Two on one connection: the second is answered when the first has ended."""
    secret = access.sign_in(desk.app, access.add_user(desk.app, "Ann", "viewer"), "test")
    connection = http.client.HTTPConnection(urlsplit(served).netloc, timeout=10)
    for _ in range(2):
        connection.request("HEAD", "/live", headers={"Cookie": f"postroom={secret}"})
        answer = connection.getresponse()
        assert (answer.status, answer.getheader("Content-Type")) == (200, "text/event-stream; charset=utf-8")
        assert answer.getheader("Content-Security-Policy")
        assert answer.read() == b""
    connection.close()
