"""HTTP intake: a raw mail by POST, who may do it, and within which bounds."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from services.console.intake import body as bodies
from services.console.intake.receive import Intake
from services.operator.permissions.intake_tokens import add_token, revoke_tokens
from shared.config.model import Settings
from shared.contracts.errors import Unavailable
from shared.intake import RawMail
from shared.runtime.broker import INTAKE
from tests.builders import a_configuration, a_mail, an_inbox
from tests.desk import Desk
from tests.services.console.loops import run_apart

MAX_BYTES = 4_000
MAIL = a_mail()


@pytest.fixture
def at_desk(desk: Desk) -> Desk:
    """A desk with two inboxes and a small bound."""
    settings = Settings(max_mail_size=MAX_BYTES)
    desk.configure(a_configuration(an_inbox(), an_inbox(name="sales", address="sales@example.com"), settings=settings))
    return desk


@pytest.fixture
def intake(at_desk: Desk) -> Iterator[Intake]:
    """HTTP intake of the desk."""
    made = Intake(at_desk.app)
    yield made
    made.stop()


class Client:
    """An integrator: each request has an event loop of its own."""

    def __init__(self, intake: Intake) -> None:
        self._transport = httpx.ASGITransport(Starlette(routes=intake.routes()))

    def request(self, method: str, path: str, **given: Any) -> httpx.Response:
        """The answer to a request."""

        async def answer() -> httpx.Response:
            async with httpx.AsyncClient(transport=self._transport, base_url="http://desk.example") as client:
                return await client.request(method, path, **given)

        return run_apart(answer())

    def post(self, path: str, **given: Any) -> httpx.Response:
        """The answer to a POST."""
        return self.request("POST", path, **given)


@pytest.fixture
def client(intake: Intake) -> Client:
    """An integrator."""
    return Client(intake)


@pytest.fixture
def token(at_desk: Desk) -> str:
    """A token for the inbox `support`."""
    return add_token(at_desk.app, "support", "olga").secret


def headers(token: str, **more: str) -> dict[str, str]:
    """The headers of a request; `more` has `_` for `-`."""
    others = {name.replace("_", "-"): value for name, value in more.items()}
    return {"Authorization": f"Bearer {token}", "Content-Type": "message/rfc822", **others}


def on_intake(desk: Desk) -> int:
    """Messages that wait for the parser."""
    return next(depth.ready for depth in desk.app.broker.depths() if depth.name == INTAKE)


def test_a_mail_is_on_the_queue_when_202_is_answered_and_becomes_a_record(
    at_desk: Desk, client: Client, token: str
) -> None:
    envelope = {"Envelope_From": "anna@customer.example", "Envelope_To": "support@example.com, other@example.com"}
    answer = client.post("/intake/support", content=MAIL, headers=headers(token, **envelope))
    assert (answer.status_code, on_intake(at_desk)) == (202, 1)
    at_desk.work()
    (mail,) = at_desk.mails()
    assert answer.json() == {"mail_id": mail["_id"]}
    assert (mail["inbox"], mail["outcome"]) == ("support", "recorded")
    assert at_desk.store.get_blob(mail["raw"]) == MAIL


@pytest.mark.parametrize("quote", ["", '"'])
def test_the_idempotency_key_is_the_source_id(at_desk: Desk, client: Client, token: str, quote: str) -> None:
    for key in ("order-7", "order-7", "order-8"):
        again = headers(token, Idempotency_Key=f"{quote}{key}{quote}")
        assert client.post("/intake/support", content=MAIL, headers=again).status_code == 202
    at_desk.work()
    assert sorted(mail["source_id"] for mail in at_desk.mails()) == ["order-7", "order-8"]


@pytest.mark.parametrize("given", [{}, {"Authorization": "Bearer nonsense"}, {"Authorization": "Basic eDp5"}])
def test_without_a_valid_token_the_answer_is_the_same_for_every_inbox(client: Client, given: dict[str, str]) -> None:
    answers = [client.post(f"/intake/{name}", content=MAIL, headers=given) for name in ("support", "nowhere")]
    assert [each.status_code for each in answers] == [401, 401]
    assert answers[0].content == answers[1].content
    assert answers[0].headers.items() == answers[1].headers.items()
    assert answers[0].headers["www-authenticate"].startswith("Bearer")


def test_a_token_says_nothing_of_other_inboxes(client: Client, token: str) -> None:
    answers = [client.post(f"/intake/{name}", content=MAIL, headers=headers(token)) for name in ("sales", "nowhere")]
    assert [each.status_code for each in answers] == [403, 403]
    assert answers[0].content == answers[1].content


def test_a_token_whose_inbox_is_gone_finds_nothing(at_desk: Desk, client: Client) -> None:
    token = add_token(at_desk.app, "sales", "olga").secret
    at_desk.configure(a_configuration(an_inbox()))
    assert at_desk.app.directory.current().inbox("sales") is None
    assert client.post("/intake/sales", content=MAIL, headers=headers(token)).status_code == 404


def test_a_revoked_token_is_refused_within_two_seconds(
    at_desk: Desk, client: Client, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert client.post("/intake/support", content=MAIL, headers=headers(token)).status_code == 202
    assert len(revoke_tokens(at_desk.app, "support", [], "olga")) == 1
    later = time.monotonic() + 2.1
    monkeypatch.setattr("services.console.intake.admission.time.monotonic", lambda: later)
    assert client.post("/intake/support", content=MAIL, headers=headers(token)).status_code == 401


class Connection:
    """A request at the level of ASGI: what it is sent, what it answers, how much of its body was read."""

    def __init__(self, *chunks: bytes) -> None:
        self.chunks, self.read, self.answer = list(chunks), 0, dict[str, Any]()

    async def receive(self) -> dict[str, Any]:
        """The next piece of the body."""
        self.read += 1
        chunk = self.chunks.pop(0)
        return {"type": "http.request", "body": chunk, "more_body": bool(self.chunks)}

    async def send(self, message: dict[str, Any]) -> None:
        """Keep the status."""
        self.answer |= message

    def post(self, intake: Intake, given: dict[str, str]) -> int:
        """The status of the answer."""
        lines = [(name.lower().encode(), value.encode()) for name, value in given.items()]
        scope = {"type": "http", "method": "POST", "path": "/intake/support", "query_string": b"", "headers": lines}
        run_apart(Starlette(routes=intake.routes())(scope, self.receive, self.send))  # type: ignore[arg-type]
        return int(self.answer["status"])


def test_a_declared_length_above_the_bound_is_refused_before_the_body_is_read(intake: Intake, token: str) -> None:
    connection = Connection(b"x" * (MAX_BYTES + 1))
    assert connection.post(intake, headers(token, Content_Length=str(MAX_BYTES + 1))) == 413
    assert connection.read == 0


def test_without_a_length_reading_ends_at_the_bound(intake: Intake, token: str) -> None:
    connection = Connection(*[b"x" * 1_000] * 1_000)
    assert connection.post(intake, headers(token)) == 413
    assert connection.read == MAX_BYTES // 1_000 + 1


def test_the_largest_mail_is_taken(client: Client, token: str) -> None:
    largest = MAIL + b"x" * (MAX_BYTES - len(MAIL))
    assert client.post("/intake/support", content=largest, headers=headers(token)).status_code == 202


def test_no_body_is_read_without_a_valid_token(intake: Intake) -> None:
    connection = Connection(MAIL)
    assert connection.post(intake, headers("nonsense")) == 401
    assert connection.read == 0


def test_bodies_that_wait_share_a_bound_of_memory(intake: Intake, token: str) -> None:
    intake.memory.most = 3_000
    intake.memory.held = 1_000
    connection = Connection(b"x" * 3_000)
    assert connection.post(intake, headers(token, Content_Length="3000")) == 503
    assert (connection.read, intake.memory.held) == (0, 1_000)


def test_a_slow_body_is_refused(intake: Intake, token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "IDLE_SECONDS", 0.01)
    connection = Connection()

    async def nothing() -> dict[str, Any]:
        await asyncio.sleep(60)
        return {}

    connection.receive = nothing  # type: ignore[method-assign]
    assert connection.post(intake, headers(token)) == 408


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"Content_Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content_Type": ""}, 415),
        ({"Content_Encoding": "gzip"}, 415),
        ({"Idempotency_Key": "x" * 256}, 400),
        ({"Idempotency_Key": '""'}, 400),
        ({"Envelope_To": "x" * 5_000}, 400),
    ],
)
def test_a_request_that_is_not_as_the_contract_says_is_refused(
    at_desk: Desk, client: Client, token: str, more: dict[str, str], status: int
) -> None:
    answer = client.post("/intake/support", content=MAIL, headers={**headers(token), **headers(token, **more)})
    assert (answer.status_code, on_intake(at_desk)) == (status, 0)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status


def test_other_methods_are_not_allowed(client: Client, token: str) -> None:
    answers = [client.request(method, "/intake/support", headers=headers(token)) for method in ("GET", "PUT", "DELETE")]
    assert [each.status_code for each in answers] == [405] * 3


def test_a_token_has_a_rate_of_its_own(at_desk: Desk, client: Client, token: str) -> None:
    slow = add_token(at_desk.app, "support", "olga", rate=2).secret
    answers = [client.post("/intake/support", content=MAIL, headers=headers(slow)) for _ in range(3)]
    assert [each.status_code for each in answers] == [202, 202, 429]
    assert 1 <= int(answers[2].headers["retry-after"]) <= 30
    assert client.post("/intake/support", content=MAIL, headers=headers(token)).status_code == 202


def test_while_the_broker_is_unavailable_the_answer_is_503(client: Client, intake: Intake, token: str) -> None:
    def unavailable(_: object) -> list[str]:
        raise Unavailable("amqp://user:secret@broker does not answer")

    intake.commits._hand_over = unavailable
    answer = client.post("/intake/support", content=MAIL, headers=headers(token))
    assert (answer.status_code, "secret" in answer.text) == (503, False)
    assert int(answer.headers["retry-after"]) > 0


def test_while_the_store_is_unavailable_the_answer_is_503(
    at_desk: Desk, client: Client, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unavailable(_: str) -> None:
        raise Unavailable("no server")

    monkeypatch.setattr(at_desk.app.intake_tokens, "get", unavailable)
    answer = client.post("/intake/support", content=MAIL, headers=headers(token))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")


def test_one_mail_that_cannot_be_handed_over_refuses_no_other(intake: Intake) -> None:
    hand_over = intake.app.intake.hand_over
    sizes = list[int]()

    def choosy(mails: Any) -> list[str]:
        sizes.append(len(mails))
        if any(mail.raw == b"poison" for mail in mails):
            raise ValueError("poison")
        return hand_over(mails)

    intake.commits._hand_over = choosy

    async def both() -> list[str | BaseException]:
        mails = [RawMail(MAIL, "support", str(number)) for number in range(20)]
        poison = RawMail(b"poison", "support")
        return await asyncio.gather(*map(intake.commits.store, (*mails, poison)), return_exceptions=True)

    *ids, error = run_apart(both())
    assert isinstance(error, ValueError)
    assert len({each for each in ids if isinstance(each, str)}) == 20
    assert max(sizes) > 1


def test_no_log_line_has_a_token(client: Client, token: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    client.post("/intake/sales", content=MAIL, headers=headers(token))
    client.post("/intake/support", content=MAIL, headers=headers(token))
    client.post("/intake/support", content=MAIL, headers=headers(f"{token}x"))
    lines = [f"{record.getMessage()} {vars(record)}" for record in caplog.records]
    assert any("http_intake_refused" in line for line in lines)
    assert not any(token in line for line in lines)


def test_the_store_holds_no_token(at_desk: Desk, token: str) -> None:
    (row,) = at_desk.app.intake_tokens.every()
    assert token not in repr(row)
    assert replace(row, id="") == replace(row, id="", inbox="support", added_by="olga")
