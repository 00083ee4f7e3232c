"""The redirect of a sign-in: one answer with the right state, from this machine, and nothing else counts."""

from __future__ import annotations

import pytest
import requests

from shared.mail_network.loopback_redirect import MAX_BYTES, LoopbackRedirect
from tests.servers.presence import PATIENCE_SECONDS


def post(redirect: LoopbackRedirect, path: str = "/", **form: str) -> requests.Response:
    return requests.post(f"{redirect.url}{path}", data=form, timeout=PATIENCE_SECONDS)


def test_the_answer_with_the_right_state_is_taken_and_the_page_does_not_repeat_it() -> None:
    with LoopbackRedirect() as redirect:
        redirect.expect("s1")
        page = post(redirect, state="s1", code="c1")
        assert redirect.wait(PATIENCE_SECONDS) == {"state": "s1", "code": "c1"}
    assert page.status_code == 200
    assert "c1" not in page.text
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["Referrer-Policy"] == "no-referrer"


def test_an_answer_in_the_address_is_not_taken() -> None:
    with LoopbackRedirect() as redirect:
        redirect.expect("s1")
        assert requests.get(f"{redirect.url}/?state=s1&code=c1", timeout=PATIENCE_SECONDS).status_code == 404
        with pytest.raises(TimeoutError):
            redirect.wait(0.05)


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/favicon.ico", {}),
        ("/", {"state": "other", "code": "c"}),
        ("/", {"code": "c"}),
        ("/", {"state": "s1"}),
        ("/elsewhere", {"state": "s1", "code": "c"}),
        ("/", {"state": "s1", "code": "x" * MAX_BYTES}),
    ],
    ids=["icon", "other state", "no state", "no code", "other path", "too long"],
)
def test_other_requests_change_nothing(path: str, form: dict[str, str]) -> None:
    with LoopbackRedirect() as redirect:
        redirect.expect("s1")
        assert post(redirect, path, **form).status_code == 404
        post(redirect, state="s1", error="access_denied")
        assert redirect.wait(PATIENCE_SECONDS) == {"state": "s1", "error": "access_denied"}


def test_before_a_sign_in_has_begun_nothing_is_taken() -> None:
    with LoopbackRedirect() as redirect:
        assert post(redirect, state="", code="c").status_code == 404
        with pytest.raises(TimeoutError):
            redirect.wait(0.05)
