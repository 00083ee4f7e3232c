"""Each guard of HTTP intake is missed by a test when it is taken out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from services.console.intake.admission import Admission, Admitted
from shared.store.intake_tokens import IntakeToken
from tests.desk import NOW
from tests.services.console.intake import test_receive
from tests.services.console.intake.test_receive import at_desk, client, intake, token
from tests.services.console.taken_out import Guard, assert_missed

__all__ = ["at_desk", "client", "intake", "token"]
_look = Admission._look
BODY = "services.console.intake.body"


def admitted(_: object, id_: str) -> Admitted:
    """What is known of any token: that it is one."""
    made = IntakeToken(id=id_, inbox="support", rate=1_000, added_at=NOW, added_by="olga")
    return Admitted(made, inbox_exists=True, max_mail_size=test_receive.MAX_BYTES, until=float("inf"))


class _AnyInbox(str):
    """Equal to every name."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, _: object) -> bool:
        return True

    def __ne__(self, _: object) -> bool:
        return False


def admitted_everywhere(self: Admission, id_: str) -> Admitted | None:
    found = _look(self, id_)
    return found and replace(found, token=replace(found.token, inbox=_AnyInbox(found.token.inbox)))


async def whole_body(request: Any, _most: int, _share: object) -> bytes:
    return b"".join([each async for each in request.stream()])


def nothing(*_: object, **__: object) -> None:
    return None


GUARDS = (
    Guard(
        "the token",
        {"services.console.intake.admission.Admission._look": admitted},
        test_receive.test_no_body_is_read_without_a_valid_token,
        "== 401",
    ),
    Guard(
        "the inbox of a token",
        {"services.console.intake.admission.Admission._look": admitted_everywhere},
        test_receive.test_a_token_says_nothing_of_other_inboxes,
        "== [403, 403]",
    ),
    Guard(
        "the end of a token that was revoked",
        {"shared.store.intake_tokens.IntakeToken.is_valid": True},
        test_receive.test_a_revoked_token_is_refused_within_two_seconds,
        "== 401",
    ),
    Guard(
        "how long a token is remembered",
        {"services.console.intake.admission.REMEMBERED_SECONDS": 1e9},
        test_receive.test_a_revoked_token_is_refused_within_two_seconds,
        "== 401",
    ),
    Guard(
        "the declared length, before the body is read",
        {f"{BODY}._declared_length": nothing},
        test_receive.test_a_declared_length_above_the_bound_is_refused_before_the_body_is_read,
        "connection.read == 0",
    ),
    Guard(
        "the length of a body",
        {f"{BODY}._read": whole_body},
        test_receive.test_without_a_length_reading_ends_at_the_bound,
        "== 413",
    ),
    Guard(
        "the memory of all bodies",
        {f"{BODY}.Share.grow_to": nothing},
        test_receive.test_bodies_that_wait_share_a_bound_of_memory,
        "== 503",
    ),
    Guard(
        "the rate of a token",
        {"services.console.intake.rate.Rates.take": lambda *_: 0},
        test_receive.test_a_token_has_a_rate_of_its_own,
        "429]",
    ),
)


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_a_guard_that_is_taken_out_is_missed(guard: Guard, request: pytest.FixtureRequest) -> None:
    assert_missed(guard, request)
