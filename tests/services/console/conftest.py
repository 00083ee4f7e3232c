"""A console on a desk: a client signed in by role for tests of the server, and a real browser."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from argon2 import PasswordHasher

from services.console import server
from services.console.application import build
from services.console.guards import form_token
from services.console.options import Options
from services.console.screens import sign_in
from services.operator.permissions import access
from tests.desk import Desk
from tests.servers import browser
from tests.servers.presence import PATIENCE_SECONDS

if TYPE_CHECKING:
    from playwright.sync_api import Browser

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it prefers a successor of httpx
    from starlette.testclient import TestClient

ROLES = ("viewer", "operator", "administrator")


class Client(TestClient):
    """A browser without a screen: sends the form token and an origin with every write, as pages of the console do."""

    secret = ""

    def submit(self, path: str, **fields: object) -> object:
        """Send a form of a page."""
        data = {"form_token": form_token(self.secret), **fields}
        return self.post(path, data=data, headers={"Origin": "http://localhost"}, follow_redirects=False)


Clients = Callable[..., Client]


@pytest.fixture(autouse=True)
def _no_failures_before() -> None:
    """Refused sign-ins of other tests do not count."""
    sign_in.LIMIT.clear()


@pytest.fixture(autouse=True)
def _quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hash of a password takes a third of a second with the product's costs, which `test_access` looks at."""
    monkeypatch.setattr(access, "_hasher", lambda: PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@pytest.fixture
def clients(desk: Desk) -> Iterator[Clients]:
    """Makes clients: `clients("operator", inboxes=["support"])`; without a role nobody is signed in."""
    application = build(desk.app, Options())
    made = list[Client]()

    def client(role: str = "", **rights: object) -> Client:
        one = Client(application, base_url="http://localhost")
        made.append(one)
        if role:
            name = f"{role}-{len(made)}"
            user = access.add_user(desk.app, name, role, **rights)
            one.secret = access.sign_in(desk.app, user, "test")
            one.cookies.set("postroom", one.secret)
        return one

    yield client
    for each in made:
        each.close()


@pytest.fixture
def served(desk: Desk) -> Iterator[str]:
    """The address of the console of a desk, served on loopback."""
    options = Options(port=0)
    listening = server.bound(options)
    stop = threading.Event()
    thread = threading.Thread(target=server.serve, args=(desk.app, options, listening, stop))
    thread.start()
    yield server.address(listening)
    stop.set()
    thread.join(PATIENCE_SECONDS)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser. While it is there, no test of the same process can run an event loop."""
    with browser.chromium() as started:
        yield started
