"""HTTP intake under kill -9: every mail that was answered with 202 is there, and nothing is duplicated."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from services.operator.permissions.intake_tokens import add_token
from shared.app import Location
from tests.builders import a_configuration, a_mail, an_inbox
from tests.desk import Desk
from tests.servers.presence import PATIENCE_SECONDS

MAILS, THREADS, KILLED_AFTER = 240, 8, 60
SERVER = (sys.executable, "-m", "services.cli.main", "worker", "http-intake", "--listen", "127.0.0.1:0")


@contextmanager
def server(data: Path, **environment: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """HTTP intake in a process of its own, and its port."""
    env = {**os.environ, "POSTROOM_DATA": str(data), "POSTROOM_LOG": "ERROR", **environment}
    process = subprocess.Popen(SERVER, env=env, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        assert "listens on" in line, line
        yield process, int(line.rsplit(":", 1)[1].split("/")[0])
    finally:
        process.kill()
        process.communicate(timeout=PATIENCE_SECONDS)


def post(connection: http.client.HTTPConnection, token: str, number: int, mail: bytes) -> str:
    """The id of the mail, once it was answered with 202."""
    headers = {
        "Authorization": f"Bearer {token}",
        "Content-Type": "message/rfc822",
        "Idempotency-Key": f"order-{number}",
    }
    connection.request("POST", "/intake/support", mail, headers)
    answer = connection.getresponse()
    content = answer.read()
    assert answer.status == 202, content
    return str(json.loads(content)["mail_id"])


def post_all(port: int, token: str, mails: dict[int, bytes], after: Callable[[int], object]) -> dict[int, str]:
    """Post mails over several connections, until the server goes; the ids of those that were answered with 202.

    `after` is called behind each answer, with the number of answers so far.
    """
    left, answered = list(mails), dict[int, str]()

    def work() -> None:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)) as connection:
            while left:
                number = left.pop()
                try:
                    answered[number] = post(connection, token, number, mails[number])
                except (OSError, http.client.HTTPException):
                    return
                after(len(answered))

    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    return answered


@pytest.mark.req("PR-11")
def test_after_kill_9_every_202_is_there_and_nothing_twice(tmp_path: Path) -> None:
    data = tmp_path / "data"
    desk = Desk(Location(data))
    desk.configure(a_configuration(an_inbox()))
    token = add_token(desk.app, "support", "olga", rate=1_000_000).secret
    mails = {number: a_mail(subject=f"Order {number}") for number in range(MAILS)}
    with server(data) as (process, port):
        first = post_all(port, token, mails, lambda count: count >= KILLED_AFTER and process.kill())
    assert KILLED_AFTER <= len(first) < MAILS
    with server(data) as (_, port):
        again = post_all(port, token, mails, lambda _: None)
    assert len(again) == MAILS
    assert {number: again[number] for number in first} == first
    desk.work()
    found = desk.mails()
    assert {mail["_id"] for mail in found} == set(again.values())
    assert Counter(mail["outcome"] for mail in found) == {"recorded": MAILS}
    assert Counter(record["subject"] for record in desk.records()) == dict.fromkeys(
        (f"Order {number}" for number in mails), 1
    )
    desk.close()


def test_a_mail_of_a_process_that_dies_before_the_202_is_taken_once_when_it_comes_again(tmp_path: Path) -> None:
    data = tmp_path / "data"
    desk = Desk(Location(data))
    desk.configure(a_configuration(an_inbox()))
    token = add_token(desk.app, "support", "olga").secret
    mail = a_mail()
    with (
        server(data, POSTROOM_CRASH_AT="intake.counted:1") as (_, port),
        closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)) as connection,
        pytest.raises((OSError, http.client.HTTPException)),
    ):
        post(connection, token, 1, mail)
    with (
        server(data) as (_, port),
        closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)) as connection,
    ):
        post(connection, token, 1, mail)
    desk.work()
    assert (len(desk.mails()), len(desk.records())) == (1, 1)
    desk.close()
