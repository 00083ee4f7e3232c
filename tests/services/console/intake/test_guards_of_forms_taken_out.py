"""Each guard of the forms of mail services is missed by a test when it is taken out."""

from __future__ import annotations

import hmac
import time
import uuid
from types import SimpleNamespace

import pytest

from tests.services.console.intake import test_posted
from tests.services.console.intake.test_guards_taken_out import admitted
from tests.services.console.intake.test_posted import BOMBS, at_desk, client, signed
from tests.services.console.taken_out import Guard, assert_missed

__all__ = ["at_desk", "client"]
SERVICES, FORMS = "services.console.intake.mail_services", "services.console.intake.forms"
HOURS_13 = 13 * 3600


def always(*_: object) -> bool:
    return True


def nothing(*_: object) -> None:
    return None


def the_last_one(found: dict[str, bytes], name: str, value: bytes) -> None:
    found[name] = value


GUARDS = (
    Guard(
        "Mailgun's signature",
        {f"{SERVICES}.hmac": SimpleNamespace(new=hmac.new, compare_digest=always)},
        test_posted.test_a_form_that_mailgun_did_not_sign_now_is_refused,
        "== (401, 0)",
        {"fields": signed(key="another key")},
    ),
    Guard(
        "the time of Mailgun's signature",
        {f"{SERVICES}._require_recent": nothing},
        test_posted.test_a_form_that_mailgun_did_not_sign_now_is_refused,
        "== (401, 0)",
        {"fields": signed(at=time.time() - HOURS_13)},
    ),
    Guard(
        "Mailgun's signature counts for one mail",
        {"shared.store.intake_keys.IntakeKeys.belongs_to": always},
        test_posted.test_a_signature_of_mailgun_counts_for_one_mail_alone,
        "== 401",
    ),
    Guard(
        "SendGrid's signature",
        {f"{SERVICES}.verify_sendgrid": nothing},
        test_posted.test_a_form_that_sendgrid_did_not_sign_now_is_refused,
        "== (401, 0)",
        {"tampered": b" ", "late": 0},
    ),
    Guard(
        "SendGrid's signature is there",
        {f"{SERVICES}.verify_sendgrid": nothing},
        test_posted.test_a_form_of_sendgrid_without_signature_is_refused,
        "== 401",
    ),
    Guard(
        "the time of SendGrid's signature",
        {f"{SERVICES}._require_recent": nothing},
        test_posted.test_a_form_that_sendgrid_did_not_sign_now_is_refused,
        "== (401, 0)",
        {"tampered": b"", "late": HOURS_13},
    ),
    Guard(
        "a form of SendGrid that comes again is the same mail",
        {"services.parser.stage.mail_id": lambda *_: uuid.uuid4().hex},
        test_posted.test_a_form_of_sendgrid_that_is_posted_again_makes_no_other_mail,
        "== 1",
    ),
    Guard(
        "the password of Postmark's address",
        {"services.console.intake.admission.Admission._look": admitted},
        test_posted.test_a_form_of_postmark_needs_its_password,
        "== (401, 0)",
        {"password": "guessed"},
    ),
    Guard(
        "the declared length of a form",
        {"services.console.intake.body._declared_length": nothing},
        test_posted.test_a_form_is_bounded_before_it_is_read,
        "== 413",
    ),
    *(
        Guard(
            f"the bounds of a form: {bomb}",
            {place: value},
            test_posted.test_a_form_beyond_its_bounds_is_not_read,
            "pytest.raises(forms.Malformed)",
            dict(zip(("kind", "body"), BOMBS[bomb], strict=True)),
        )
        for bomb, place, value in (
            ("many parts", f"{FORMS}.MAX_FIELDS", 1 << 30),
            ("many fields", f"{FORMS}.MAX_FIELDS", 1 << 30),
            ("many headers", f"{FORMS}.MAX_PART_HEADERS", 1 << 30),
            ("a large header", f"{FORMS}.MAX_PART_HEADER_BYTES", 1 << 30),
            ("a field twice", f"{FORMS}._keep", the_last_one),
            ("a field twice in short", f"{FORMS}._keep", the_last_one),
        )
    ),
)


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_a_guard_that_is_taken_out_is_missed(guard: Guard, request: pytest.FixtureRequest) -> None:
    assert_missed(guard, request)
