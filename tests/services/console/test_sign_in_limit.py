"""Refused sign-ins: counted by address, by name, and by browser; nobody is locked out by a stranger for long."""

from __future__ import annotations

from typing import Any

import pytest

from services.console import sign_in_limit
from services.console.application import build
from services.console.guards import client_address
from services.console.options import Options
from services.console.screens.sign_in import LIMIT
from services.console.sign_in_limit import (
    MAX_OF_ADDRESS,
    MAX_OF_NAME,
    MAX_OF_PAIR,
    SECONDS,
    Attempt,
    SignInLimit,
    counted_address,
)
from services.operator.permissions import access
from tests.desk import Desk
from tests.services.console.conftest import Client

PASSWORD = "correct horse battery"


class Seconds:
    """A monotonic clock that a test moves."""

    at = 0.0

    def __call__(self) -> float:
        """The time."""
        return self.at


@pytest.fixture
def time() -> Seconds:
    """The clock of the limit."""
    return Seconds()


@pytest.fixture
def limit(time: Seconds) -> SignInLimit:
    """A limit that has counted nothing."""
    return SignInLimit(time)


def refused(limit: SignInLimit, attempt: Attempt, times: int) -> None:
    for _ in range(times):
        assert limit.why_to_wait(attempt) is None
        limit.refused(attempt)


def test_one_address_cannot_try_many_names(limit: SignInLimit, time: Seconds) -> None:
    for number in range(MAX_OF_ADDRESS):
        refused(limit, Attempt(f"name-{number}", "192.0.2.1"), 1)
    assert limit.why_to_wait(Attempt("another", "192.0.2.1")) is not None
    assert limit.why_to_wait(Attempt("another", "192.0.2.2")) is None
    time.at += SECONDS
    assert limit.why_to_wait(Attempt("another", "192.0.2.1")) is None


def test_a_stranger_at_another_address_locks_out_nobody(limit: SignInLimit) -> None:
    refused(limit, Attempt("Ann", "203.0.113.9"), MAX_OF_PAIR)
    assert limit.why_to_wait(Attempt("ann", "203.0.113.9")) is not None
    assert limit.why_to_wait(Attempt("Ann", "192.0.2.1")) is None


def test_many_addresses_that_try_one_name_are_stopped_and_a_known_browser_is_not(limit: SignInLimit) -> None:
    mark = limit.mark_for("Ann")
    for number in range(MAX_OF_NAME):
        refused(limit, Attempt("Ann", f"10.0.{number}.1"), 1)
    assert limit.why_to_wait(Attempt("Ann", "192.0.2.1")) is not None
    assert limit.why_to_wait(Attempt("Ann", "10.0.0.1", mark)) is None
    refused(limit, Attempt("ann", "10.0.0.1", mark), 5)
    assert limit.why_to_wait(Attempt("Ann", "10.0.0.1", mark)) is not None


@pytest.mark.parametrize("forged", ["", ".", "x.y", "x." + "0" * 64, "é.é"])
def test_a_mark_that_is_not_of_this_process_and_name_counts_for_nothing(limit: SignInLimit, forged: str) -> None:
    for mark in (forged, limit.mark_for("eve"), SignInLimit().mark_for("ann")):
        limit.clear()
        refused(limit, Attempt("Ann", "192.0.2.1", mark), MAX_OF_PAIR)
        assert limit.why_to_wait(Attempt("Ann", "192.0.2.1")) is not None


def test_what_is_remembered_is_bounded(limit: SignInLimit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sign_in_limit, "MAX_KEYS", 3)
    for number in range(10):
        limit.refused(Attempt(f"name-{number}", f"10.0.0.{number}"))
        limit.refused(Attempt("ann", "192.0.2.1", limit.mark_for("ann")))
    assert list(limit.by_name._times) == ["name-7", "name-8", "name-9"]
    assert [len(each._times) for each in (limit.by_address, limit.by_pair, limit.by_browser)] == [3, 3, 3]
    for _ in range(1000):
        limit.by_name.add("ann")
    assert len(limit.by_name._times["ann"]) == MAX_OF_NAME


@pytest.mark.parametrize(
    ("written", "counted"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("testclient", "testclient"),
    ],
)
def test_an_address_is_counted_by_what_one_customer_has(written: str, counted: str) -> None:
    assert counted_address(written) == counted


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("192.0.2.1", "", "192.0.2.1"),
        ("192.0.2.1", "203.0.113.9", "192.0.2.1"),
        ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "198.51.100.1, 203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "198.51.100.1, 203.0.113.9, 10.0.0.2", "203.0.113.9"),
        ("10.0.0.1", "203.0.113.9:4711", "203.0.113.9"),
        ("10.0.0.1", "[2001:db8::1]:443", "2001:db8::1"),
        ("10.0.0.1", "2001:db8::1", "2001:db8::1"),
        ("10.0.0.1", "unknown", "10.0.0.1"),
        ("10.0.0.1", "10.0.0.7", "10.0.0.7"),
    ],
)
def test_a_listed_proxy_says_whose_request_it_is_and_nobody_else(peer: str, forwarded: str, address: str) -> None:
    assert client_address(peer, forwarded, ["10.0.0.0/8"]) == address


def browser(desk: Desk, peer: str = "192.0.2.1", **options: Any) -> Client:
    """A browser at an address."""
    return Client(build(desk.app, Options(**options)), base_url="http://localhost", client=(peer, 1234))


def signed_in(client: Client, name: str, password: str, **headers: str) -> Any:
    """The answer to a sign-in."""
    headers = {"Origin": "http://localhost", **headers}
    return client.post("/sign-in", data={"name": name, "password": password}, headers=headers, follow_redirects=False)


def test_a_stranger_waits_and_the_browser_of_the_user_does_not(desk: Desk) -> None:
    """Both at one address, as behind a proxy that is not listed."""
    access.add_user(desk.app, "Ann", "viewer", PASSWORD)
    own, stranger = browser(desk), browser(desk)
    assert signed_in(own, "Ann", PASSWORD).status_code == 303
    assert signed_in(stranger, "Ann", "wrong password").status_code == 403
    for _ in range(MAX_OF_PAIR - 1):
        LIMIT.refused(Attempt("Ann", "192.0.2.1"))
    waiting = signed_in(stranger, "Ann", PASSWORD)
    assert waiting.status_code == 429
    assert waiting.headers["Retry-After"] == "300"
    assert "Too many refused sign-ins for this name; try again in 5 minutes." in waiting.text
    own.cookies.delete("postroom")
    assert signed_in(own, "Ann", PASSWORD).status_code == 303
    assert own.cookies["postroom-known"] not in repr([*desk.store.find("console_sessions", {})])


def test_behind_a_listed_proxy_the_forwarded_address_is_counted_and_shown(desk: Desk) -> None:
    access.add_user(desk.app, "Ann", "viewer", PASSWORD)
    proxy = browser(desk, "10.0.0.1", trusted_proxies=("10.0.0.0/8",))
    for _ in range(MAX_OF_PAIR):
        LIMIT.refused(Attempt("Ann", "203.0.113.9"))
    assert signed_in(proxy, "Ann", PASSWORD, **{"X-Forwarded-For": "203.0.113.9"}).status_code == 429
    assert signed_in(proxy, "Ann", PASSWORD, **{"X-Forwarded-For": "198.51.100.1"}).status_code == 303
    assert [each.client for each in desk.app.access.sessions.of("ann")] == ["198.51.100.1"]
    forging = browser(desk, "203.0.113.9", trusted_proxies=("10.0.0.0/8",))
    assert signed_in(forging, "Ann", PASSWORD, **{"X-Forwarded-For": "198.51.100.7"}).status_code == 429
