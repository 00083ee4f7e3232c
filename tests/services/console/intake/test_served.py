"""HTTP intake on the console's own address: no session, no form token, and still only with a token of its own."""

from __future__ import annotations

import httpx
import pytest

from services.operator.permissions.intake_tokens import add_token
from tests.builders import a_mail
from tests.desk import Desk


@pytest.mark.parametrize("origin", [{}, {"Origin": "https://evil.example"}])
def test_the_console_takes_mail_too(desk: Desk, served: str, origin: dict[str, str]) -> None:
    token = add_token(desk.app, "support", "olga").secret
    headers = {"Content-Type": "message/rfc822", **origin}
    with httpx.Client(base_url=served) as client:
        refused = client.post("/intake/support", content=a_mail(), headers=headers)
        taken = client.post(
            "/intake/support", content=a_mail(), headers={**headers, "Authorization": f"Bearer {token}"}
        )
    assert (refused.status_code, taken.status_code) == (401, 202)
    desk.work()
    assert [mail["_id"] for mail in desk.mails()] == [taken.json()["mail_id"]]
