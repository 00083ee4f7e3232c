"""The forms of Mailgun, SendGrid and Postmark: each by its documented proof, each within bounds."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator, Mapping
from urllib.parse import urlencode

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from services.console.intake import forms
from services.console.intake.mail_services import SIGNATURE_HEADER, TIMESTAMP_HEADER
from services.console.intake.receive import Intake
from services.operator.errors import NotAvailable
from services.operator.permissions.intake_keys import set_key
from services.operator.permissions.intake_tokens import add_token
from shared.config.model import Settings
from tests.builders import a_configuration, a_mail, an_inbox
from tests.desk import Desk
from tests.services.console.intake.test_receive import Client, on_intake

KEY = "key-of-the-account"
MAIL = a_mail()
MAX_BYTES = 4_000
PRIVATE = ec.generate_private_key(ec.SECP256R1())
PUBLIC = base64.b64encode(PRIVATE.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


@pytest.fixture
def at_desk(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desk whose inbox `support` takes the forms of all services."""
    monkeypatch.setenv("MAILGUN_KEY", KEY)
    desk.configure(a_configuration(an_inbox(), settings=Settings(max_mail_size=MAX_BYTES)))
    set_key(desk.app, "support", "mailgun", "${MAILGUN_KEY}", "olga")
    set_key(desk.app, "support", "sendgrid", PUBLIC, "olga")
    return desk


@pytest.fixture
def client(at_desk: Desk) -> Iterator[Client]:
    """A mail service."""
    intake = Intake(at_desk.app)
    yield Client(intake)
    intake.stop()


def signed(token: str = "t" * 50, at: float | None = None, key: str = KEY, **more: str) -> dict[str, str]:
    """The fields of a form of Mailgun."""
    timestamp = str(int(time.time() if at is None else at))
    signature = hmac.new(key.encode(), (timestamp + token).encode(), hashlib.sha256).hexdigest()
    return {"timestamp": timestamp, "token": token, "signature": signature, "body-mime": MAIL.decode(), **more}


def mailgun(client: Client, fields: Mapping[str, str], inbox: str = "support") -> int:
    """The answer to a form of Mailgun, as it is sent without files."""
    return client.post(f"/intake/{inbox}/mailgun/mime", data=dict(fields)).status_code


def multipart(fields: Mapping[str, str]) -> tuple[bytes, str]:
    """A form of several parts, and its content type."""
    files = {name: (None, value.encode()) for name, value in fields.items()}
    request = httpx.Request("POST", "http://x", files=files)
    return request.read(), request.headers["content-type"]


def sendgrid(client: Client, body: bytes, kind: str, *, at: float | None = None, tampered: bytes = b"") -> int:
    """The answer to a form of SendGrid; what is sent may differ from what was signed."""
    timestamp = str(int(time.time() if at is None else at))
    signature = base64.b64encode(PRIVATE.sign(timestamp.encode() + body, ec.ECDSA(SHA256()))).decode()
    headers = {"Content-Type": kind, SIGNATURE_HEADER: signature, TIMESTAMP_HEADER: timestamp}
    return client.post("/intake/support/sendgrid", content=body + tampered, headers=headers).status_code


def the_mail(desk: Desk) -> bytes:
    """The bytes of the only mail."""
    desk.work()
    (mail,) = desk.mails()
    assert mail["outcome"] == "recorded"
    return desk.store.get_blob(mail["raw"])


def test_a_form_of_mailgun_becomes_a_record(at_desk: Desk, client: Client) -> None:
    assert mailgun(client, signed(sender="anna@customer.example", recipient="support@example.com")) == 200
    assert the_mail(at_desk) == MAIL


def test_mailgun_may_send_several_parts(at_desk: Desk, client: Client) -> None:
    body, kind = multipart(signed())
    headers = {"Content-Type": kind}
    assert client.post("/intake/support/mailgun/mime", content=body, headers=headers).status_code == 200
    assert the_mail(at_desk) == MAIL


@pytest.mark.parametrize(
    "fields",
    [
        signed(key="another key"),
        {**signed(), "token": "other"},
        {**signed(), "signature": ""},
        {name: value for name, value in signed().items() if name != "signature"},
        signed(at=time.time() - 13 * 3600),
        signed(at=time.time() + 6 * 3600),
        {"body-mime": "x"},
    ],
    ids=["key", "token", "empty", "none", "old", "future", "unsigned"],
)
def test_a_form_that_mailgun_did_not_sign_now_is_refused(at_desk: Desk, client: Client, fields: dict[str, str]) -> None:
    assert (mailgun(client, fields), on_intake(at_desk)) == (401, 0)


def test_a_signature_of_mailgun_counts_for_one_mail_alone(at_desk: Desk, client: Client) -> None:
    form = signed()
    assert [mailgun(client, form), mailgun(client, form)] == [200, 200]  # Mailgun tries again when an answer is lost
    assert mailgun(client, {**form, "body-mime": "Subject: planted\r\n\r\nby who saw the signature"}) == 401
    assert the_mail(at_desk) == MAIL


def test_an_inbox_that_does_not_exist_is_answered_like_a_wrong_signature(client: Client) -> None:
    wrong = client.post("/intake/support/mailgun/mime", data=signed(key="another key"))
    nowhere = client.post("/intake/nowhere/mailgun/mime", data=signed())
    assert (wrong.status_code, wrong.content, dict(wrong.headers)) == (401, nowhere.content, dict(nowhere.headers))
    malformed = client.post("/intake/support/mailgun/mime", content=b"x", headers={"Content-Type": "text/plain"})
    assert malformed.status_code == 401


def test_without_raw_mail_the_answer_says_what_to_switch_on(client: Client) -> None:
    form = {name: value for name, value in signed().items() if name != "body-mime"}
    answer = client.post("/intake/support/mailgun/mime", data=form)
    assert (answer.status_code, "/mime" in answer.json()["detail"]) == (400, True)


def test_a_form_of_sendgrid_becomes_a_record(at_desk: Desk, client: Client) -> None:
    envelope = json.dumps({"to": ["support@example.com"], "from": "anna@customer.example"})
    assert sendgrid(client, *multipart({"email": MAIL.decode(), "envelope": envelope})) == 200
    assert the_mail(at_desk) == MAIL


@pytest.mark.parametrize(("tampered", "late"), [(b" ", 0), (b"", 13 * 3600), (b"", -900)])
def test_a_form_that_sendgrid_did_not_sign_now_is_refused(
    at_desk: Desk, client: Client, tampered: bytes, late: float
) -> None:
    body, kind = multipart({"email": MAIL.decode()})
    assert (sendgrid(client, body, kind, at=time.time() - late, tampered=tampered), on_intake(at_desk)) == (401, 0)


def test_a_form_of_sendgrid_without_signature_is_refused(client: Client) -> None:
    body, kind = multipart({"email": MAIL.decode()})
    for signature in ("", "!", "AAAA", "A" * 1000):
        headers = {"Content-Type": kind, SIGNATURE_HEADER: signature, TIMESTAMP_HEADER: str(int(time.time()))}
        assert client.post("/intake/support/sendgrid", content=body, headers=headers).status_code == 401


def test_a_form_of_sendgrid_that_is_posted_again_makes_no_other_mail(at_desk: Desk, client: Client) -> None:
    """Who saw a signed form can send it again; it stays what it was."""
    form = multipart({"email": MAIL.decode()})
    assert [sendgrid(client, *form), sendgrid(client, *form)] == [200, 200]
    at_desk.work()
    assert len(at_desk.mails()) == 1


@pytest.mark.parametrize("password", [None, "", "guessed"])
def test_a_form_of_postmark_needs_its_password(at_desk: Desk, client: Client, password: str | None) -> None:
    auth = {} if password is None else {"auth": ("postmark", password)}
    answer = client.request("POST", "/intake/support/postmark", json={"RawEmail": MAIL.decode()}, **auth)
    assert (answer.status_code, on_intake(at_desk)) == (401, 0)


def test_a_form_of_postmark_becomes_a_record(at_desk: Desk, client: Client) -> None:
    token = add_token(at_desk.app, "support", "olga").secret
    body = {"RawEmail": MAIL.decode(), "OriginalRecipient": "support@example.com", "Attachments": []}
    answer = client.request("POST", "/intake/support/postmark", json=body, auth=("postmark", token))
    assert answer.status_code == 200
    assert the_mail(at_desk) == MAIL


def test_postmark_is_never_answered_with_403(at_desk: Desk, client: Client) -> None:
    token = add_token(at_desk.app, "support", "olga").secret
    for path, password in (("support", "wrong"), ("nowhere", token)):
        answer = client.request("POST", f"/intake/{path}/postmark", json={}, auth=("postmark", password))
        assert (answer.status_code, answer.headers["www-authenticate"].split()[0]) == (401, "Basic")


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"RawEmail": 7}', b"[" * 100_000])
def test_json_of_postmark_without_raw_mail_is_refused(at_desk: Desk, client: Client, body: bytes) -> None:
    token = add_token(at_desk.app, "support", "olga").secret
    at_desk.configure(a_configuration(an_inbox()))
    answer = client.request("POST", "/intake/support/postmark", content=body, auth=("postmark", token))
    assert answer.status_code == 400


def test_the_mail_in_a_form_is_not_larger_than_a_mail(at_desk: Desk, client: Client) -> None:
    assert mailgun(client, signed(**{"body-mime": "x" * (MAX_BYTES + 1)})) == 413
    at_desk.work()
    assert at_desk.mails() == []


def test_a_form_is_bounded_before_it_is_read(client: Client) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=x", "Content-Length": str(3 * MAX_BYTES + 2_000_000)}
    assert client.post("/intake/support/mailgun/mime", content=b"", headers=headers).status_code == 413


def part(name: str, value: str = "v", more: str = "") -> bytes:
    """A part of a form."""
    return f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n{more}\r\n{value}\r\n'.encode()


KIND = "multipart/form-data; boundary=b"
BOMBS = {
    "many parts": (KIND, b"".join(part("x") for _ in range(forms.MAX_FIELDS + 1)) + b"--b--\r\n"),
    "a large header": (KIND, part("x", more=f"X-Y: {'z' * 20_000}\r\n") + b"--b--\r\n"),
    "many headers": (KIND, part("x", more="X-Y: z\r\n" * 100) + b"--b--\r\n"),
    "no end": (KIND, part("token")),
    "no boundary": ("multipart/form-data", part("token") + b"--b--\r\n"),
    "a long boundary": (f"multipart/form-data; boundary={'b' * 5_000}", b""),
    "a field twice": (KIND, part("token") * 2 + b"--b--\r\n"),
    "many fields": ("application/x-www-form-urlencoded", b"x=1&" * 1_000),
    "a field twice in short": ("application/x-www-form-urlencoded", b"token=1&token=2"),
    "no form": ("application/json", b"{}"),
}


@pytest.mark.parametrize(("kind", "body"), BOMBS.values(), ids=BOMBS)
def test_a_form_beyond_its_bounds_is_not_read(kind: str, body: bytes) -> None:
    with pytest.raises(forms.Malformed):
        forms.read_form(kind, body, {"token"})


def test_bytes_of_a_field_stay_what_they_are() -> None:
    raw = bytes(range(256))
    assert forms.read_form("application/x-www-form-urlencoded", urlencode({"token": raw}).encode(), {"token"}) == {
        "token": raw
    }
    body = b'--b\r\nContent-Disposition: form-data; name="token"\r\n\r\n' + raw + b"\r\n--b--\r\n"
    assert forms.read_form(KIND, body, {"token"}) == {"token": raw}


@pytest.mark.parametrize(("service", "key"), [("mailgun", "in clear"), ("sendgrid", "nonsense"), ("sendgrid", "AAAA")])
def test_a_key_that_cannot_be_one_is_refused(at_desk: Desk, service: str, key: str) -> None:
    with pytest.raises(NotAvailable) as refused:
        set_key(at_desk.app, "support", service, key, "olga")  # type: ignore[arg-type]
    assert key not in str(refused.value)
