"""Every write of the console leaves a line under Access: who, what, when, why; and in the journal of its mail."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pytest

from services.console.application import build
from services.console.endpoints import Endpoint, all_endpoints
from services.console.options import Options
from services.operator.health.stages import pause_stage
from services.operator.mail import jobs
from services.operator.mail.dead_letter_causes import causes
from services.operator.mail.job_source import JobSource
from services.operator.mail.mails import journal_of
from services.operator.permissions import access
from services.operator.permissions.intake_tokens import add_token
from services.operator.permissions.writes import Write
from services.operator.trial.backtest_runs import Runs
from shared.config.model import CommandPolicy, MailServer
from shared.config.values import Secret
from shared.runtime.broker import Message
from shared.store.configuration import revision
from tests.builders import a_configuration, a_mail, an_inbox
from tests.desk import Desk
from tests.services.cli.test_every_write import WRITES as OF_COMMANDS
from tests.services.console.conftest import Client, Clients, TestClient
from tests.services.console.test_mail_screens import hidden

REASON: Final = "because of this"
PASSWORD: Final = "correct horse battery"
ELSEWHERE: Final = {
    "/try": "nothing is written",
    "/sign-in": "nobody is signed in yet",
    "/set-up": "there is no user yet",
}
"""Endpoints that are not writes of a signed-in person; the last two have tests of their own."""
DESK: Final = "support@example.com"
SERVER: Final = MailServer("main", host="127.0.0.1", port=9, tls="none", auth="none", username=DESK, from_address=DESK)
SALES: Final = an_inbox(
    "sales", protocol="imap", host="127.0.0.1", port=9, tls="none", username="x", password=Secret("${NOT_SET_HERE}")
)
NEW = {"protocol": "none", "name": "help", "address": "help@example.com"}


NEW_SERVER: Final = {
    "protocol": "smtp",
    "name": "other",
    "host": "127.0.0.1",
    "port": "9",
    "tls": "none",
    "auth": "none",
    "username": DESK,
    "from_address": DESK,
}


@dataclass(frozen=True, slots=True)
class Done:
    """What a write is kept as, with the fields of its form. `of_mail`: the mail whose journal has it too.

    `page` has the form, with hidden fields that have to come back.
    """

    what: Write
    fields: Mapping[str, str] = field(default_factory=dict)
    of_mail: str = ""
    needs_job: bool = False
    page: str = ""


WRITES: Final = {
    "/access/users": Done(Write.ADDED_USER, {"name": "Eve", "role": "viewer", "password": PASSWORD}),
    "/access/users/{name}/remove": Done(Write.REMOVED_USER),
    "/access/sessions/{id}/revoke": Done(Write.ENDED_SESSION),
    "/access/tokens": Done(Write.MADE_TOKEN, {"inbox": "support"}),
    "/access/tokens/{id}/revoke": Done(Write.REVOKED_TOKEN),
    "/access/versions/{revision}/roll-back": Done(Write.ROLLED_BACK, page="/access/versions/{revision}"),
    "/dead-letters/causes/{cause}": Done(Write.MADE_JOB, {"verb": "discard"}, "dead", needs_job=True),
    "/dead-letters/{letter}/replay": Done(Write.REPLAYED_LETTER, of_mail="dead"),
    "/dead-letters/{letter}/discard": Done(Write.DISCARDED_LETTER, of_mail="dead"),
    "/inboxes/new": Done(Write.MADE_INBOX, NEW),
    "/inboxes/{name}/settings": Done(
        Write.SAVED_INBOX, {**NEW, "name": "sales", "address": "new@example.com"}, page="/inboxes/sales/settings"
    ),
    "/inboxes/{name}/delete": Done(Write.DELETED_INBOX, {"confirm": "sales"}, page="/inboxes/sales/delete"),
    "/inboxes/{name}/test": Done(Write.TESTED_INBOX),
    "/inboxes/{name}/clear-test": Done(Write.CLEARED_INBOX_TEST),
    "/inboxes/{name}/fetch": Done(Write.ASKED_FOR_VISIT),
    "/inboxes/{name}/stop": Done(Write.STOPPED_INBOX),
    "/inboxes/{name}/start": Done(Write.STARTED_INBOX),
    "/inboxes/{name}/test-mail": Done(Write.SENT_TEST_MAIL, {"to": "kim@example.com"}),
    "/jobs/{job}/stop": Done(Write.STOPPED_JOB),
    "/mail-servers/new": Done(Write.MADE_SERVER, NEW_SERVER),
    "/mail-servers/{name}/settings": Done(
        Write.SAVED_SERVER, {**NEW_SERVER, "name": "main", "port": "10"}, page="/mail-servers/main/settings"
    ),
    "/mail-servers/{name}/delete": Done(Write.DELETED_SERVER, {"confirm": "main"}, page="/mail-servers/main/delete"),
    "/mail-servers/{name}/test": Done(Write.TESTED_SERVER),
    "/mail-servers/{name}/clear-test": Done(Write.CLEARED_SERVER_TEST),
    "/mail-servers/{name}/test-mail": Done(Write.SENT_TEST_MAIL, {"to": "kim@example.com"}),
    "/mails/act": Done(
        Write.MADE_JOB,
        {"verb": "release", "scope": "all", "outcome": "rejected", "number": "1", "token": "t"},
        "rejected",
        needs_job=True,
    ),
    "/mails/{mail}/release": Done(Write.RELEASED_MAIL, of_mail="rejected"),
    "/mails/{mail}/replay": Done(Write.REPLAYED_MAIL, of_mail="dead"),
    "/mails/{mail}/discard": Done(Write.DISCARDED_MAIL, of_mail="dead"),
    "/mails/{mail}/edit": Done(Write.HANDED_IN_COPY, {"Subject": "Help", "token": "t"}, "rejected"),
    "/mails/{mail}/allow": Done(Write.ALLOWED_SENDER, of_mail="rejected"),
    "/outbox/{mail}/send": Done(Write.SENT_OUTGOING, of_mail="recorded"),
    "/outbox/{mail}/hold": Done(Write.HELD_OUTGOING, of_mail="recorded"),
    "/outbox/{mail}/cancel": Done(Write.CANCELLED_OUTGOING, of_mail="recorded"),
    "/queues/{stage}/pause": Done(Write.PAUSED_STAGE),
    "/queues/{stage}/resume": Done(Write.RESUMED_STAGE),
    "/sign-out": Done(Write.SIGNED_OUT),
    "/try/backtest": Done(Write.BEGAN_BACKTEST, {"configuration": "settings: {}"}),
    "/try/backtest/{run}/stop": Done(Write.STOPPED_BACKTEST),
}
SIGNING_IN: Final = {
    Write.MADE_FIRST_USER,
    Write.SIGNED_IN,
    Write.SIGNED_IN_BY_PROXY,
    Write.SIGNED_IN_BY_PROVIDER,
}
"""Each has a test below, the last one in `test_oidc.py`."""
POSTS = [each for each in all_endpoints() if each.method != "GET" and each.path not in ELSEWHERE]


@dataclass(slots=True)
class Scene:
    """A desk with something to do for every endpoint; `mails`: the ids of mails by their outcome."""

    desk: Desk
    client: Client
    mails: dict[str, str]

    def path(self, template: str) -> str:
        """The path of an endpoint, with what there is in place of each value."""
        app = self.desk.app
        if template.startswith("/mails/{mail}"):
            return template.replace("{mail}", self.mails[WRITES[template].of_mail])
        places: dict[str, Any] = {
            "/access/users/{name}": lambda: "Bob",
            "/access/sessions/{id}": lambda: app.access.sessions.of("Bob")[0].id,
            "/access/tokens/{id}": lambda: add_token(app, "support", "olga").row.id,
            "/access/versions/{revision}": lambda: revision(app.documents) - 1,
            "/dead-letters/causes/{cause}": lambda: causes(app).causes[0].id,
            "/dead-letters/{letter}": lambda: self.desk.dead_letters()[0]["_id"],
            "/inboxes/{name}": lambda: "sales",
            "/jobs/{job}": self.a_job,
            "/mail-servers/{name}": lambda: "main",
            "/outbox/{mail}": lambda: self.desk.outbox()[0]["_id"],
            "/queues/{stage}/resume": self.a_stage,
            "/queues/{stage}": lambda: "filter",
            "/try/backtest/{run}": self.a_backtest,
        }
        for start, value in places.items():
            if template.startswith(start):
                return re.sub(r"\{\w+\}", str(value()), template)
        return template

    def a_job(self) -> str:
        """A job that somebody made."""
        chosen = jobs.Chosen(ids=(self.mails["rejected"],))
        return jobs.make_job(self.desk.app, jobs.NewJob(verb="release", chosen=chosen, by="bob", token="b")).id

    def a_stage(self) -> str:
        """A stage that is paused."""
        pause_stage(self.desk.app, "parser", by="bob", reason="x")
        return "parser"

    def a_backtest(self) -> str:
        """A back-test of the console."""
        self.client.submit("/try/backtest", configuration="settings: {}")
        return next(iter(_runs(self.desk).every())).id


def _runs(desk: Desk) -> Runs:
    from services.console.screens.backtest import runs_of

    return runs_of(desk.app)


@pytest.fixture
def scene(desk: Desk, clients: Clients) -> Iterator[Scene]:
    inboxes = (an_inbox("support", commands=CommandPolicy(reply_on_create=True)), SALES)
    desk.configure(a_configuration(*inboxes))
    (recorded,) = desk.receive(a_mail(), inbox="support")
    (rejected,) = desk.receive(a_mail(subject="Out of office"), inbox="support")
    (dead,) = desk.receive(a_mail(subject="Chairs"), inbox="support")
    desk.configure(a_configuration(*inboxes, mail_servers=(SERVER,)))
    message = Message("dead", "filter", b"{}", headers={"reason": "gone", "stage": "filter", "queue": "filter"})
    desk.app.dead_letters.keep(message, mail_id=dead["_id"], inbox="support", at=desk.clock.now())
    bob = access.add_user(desk.app, "Bob", "viewer")
    access.sign_in(desk.app, bob, "test")
    mails = {"recorded": recorded["_id"], "rejected": rejected["_id"], "dead": dead["_id"]}
    yield Scene(desk, clients("administrator"), mails)
    _runs(desk).end()


@pytest.mark.req("VS-12")
@pytest.mark.parametrize("endpoint", POSTS, ids=lambda each: each.path)
def test_a_write_is_kept_with_who_what_when_and_why(scene: Scene, endpoint: Endpoint) -> None:
    desk, done = scene.desk, WRITES[endpoint.path]
    path, since = scene.path(endpoint.path), desk.clock.now()
    fields = hidden(scene.client.get(scene.path(done.page)).text) if done.page else {}
    answer: Any = scene.client.submit(path, **{**fields, **done.fields, "reason": REASON})
    assert answer.status_code in {200, 303}, answer.text
    entry = desk.app.access.audit.recent(1)[0]
    assert (entry.who, entry.what, entry.why) == ("administrator-1", done.what, _why(endpoint))
    assert entry.at >= since
    assert entry.about or done.what == Write.SIGNED_OUT
    if done.what != Write.SIGNED_OUT:
        assert done.what in scene.client.get("/access").text
    if done.of_mail:
        if done.needs_job:
            JobSource(desk.app).once()
        journal = journal_of(desk.app, scene.mails[done.of_mail])
        assert [each for each in journal if "administrator-1" in each.why and REASON in each.why]


def _why(endpoint: Endpoint) -> str:
    return "the last 30 days" if endpoint.path == "/try/backtest" else REASON


def test_every_write_is_in_a_table() -> None:
    """A new endpoint, or a new kind of write, needs its line."""
    assert {each.path for each in POSTS} == set(WRITES)
    assert {each.what for each in WRITES.values()} | set(OF_COMMANDS) | SIGNING_IN == set(Write)


def test_signing_in_is_kept(desk: Desk, clients: Clients) -> None:
    token = access.offered_set_up(desk.app)
    own = {"Origin": "http://localhost"}
    clients().post("/set-up", data={"token": token, "name": "Ann", "password": PASSWORD}, headers=own)
    clients().post("/sign-in", data={"name": "Ann", "password": PASSWORD}, headers=own)
    options = Options(trusted_proxies=("10.0.0.1",), user_header="x-user")
    behind = TestClient(build(desk.app, options), base_url="http://localhost", client=("10.0.0.1", 1))
    behind.get("/sign-in", headers={"X-User": "Ann"}, follow_redirects=False)
    kept = [(each.who, each.what) for each in reversed(desk.app.access.audit.recent(9))]
    assert kept == [("Ann", Write.MADE_FIRST_USER), ("Ann", Write.SIGNED_IN), ("Ann", Write.SIGNED_IN_BY_PROXY)]


def test_a_write_that_is_refused_leaves_no_line(scene: Scene) -> None:
    for path in ("/access/sessions/unknown/revoke", "/mails/unknown/release", "/jobs/unknown/stop", "/outbox/x/hold"):
        assert scene.client.submit(path, reason=REASON).status_code == 404, path  # type: ignore[attr-defined]
    assert scene.desk.app.access.audit.recent(9) == []
