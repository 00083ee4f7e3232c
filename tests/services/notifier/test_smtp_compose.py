"""Outgoing mail as bytes: what a strict reader makes of it."""

from __future__ import annotations

import email
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import default

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notifier import body, compose
from services.notifier.body import File
from services.notifier.compose import BadAddress, Outgoing
from shared.config.model import MailServer
from shared.contracts.errors import Misconfigured
from shared.contracts.mail import Address

SERVER = MailServer("default", host="localhost", from_address="desk@example.com")
PLAIN = Outgoing(
    message_id="<7.1@example.com>",
    date=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    to=(Address("Jane Doe", "jane@example.com"),),
    subject="Call 7 has been updated",
    text="Hello Jane\n",
    automatic="auto-replied",
    loop="desk-1",
    in_reply_to="<q@example.com>",
    references=("<p@example.com>", "<q@example.com>"),
)


def parsed(outgoing: Outgoing) -> EmailMessage:
    return email.message_from_bytes(compose.build(outgoing, SERVER), policy=default)


def test_an_automatic_answer_has_these_headers_and_no_others() -> None:
    mail = parsed(PLAIN)
    assert {name: str(value) for name, value in mail.items()} == {
        "Date": "Fri, 02 Jan 2026 03:04:05 +0000",
        "From": "desk@example.com",
        "To": "Jane Doe <jane@example.com>",
        "Subject": "Call 7 has been updated",
        "Message-ID": "<7.1@example.com>",
        "In-Reply-To": "<q@example.com>",
        "References": "<p@example.com> <q@example.com>",
        "Auto-Submitted": "auto-replied",
        "X-Auto-Response-Suppress": "All",
        "X-Postroom-Loop": "desk-1",
        "MIME-Version": "1.0",
        "Content-Type": 'text/plain; charset="utf-8"',
        "Content-Transfer-Encoding": "7bit",
    }
    assert mail.get_content() == "Hello Jane\r\n"


def test_mail_of_a_person_is_not_marked_as_automatic() -> None:
    mail = parsed(replace(PLAIN, automatic=None))
    assert mail["Auto-Submitted"] is mail["X-Auto-Response-Suppress"] is None


def test_bcc_is_not_in_the_mail() -> None:
    assert b"secret" not in compose.build(replace(PLAIN, bcc=(Address("", "secret@example.com"),)), SERVER)


@pytest.mark.parametrize(
    "mail",
    [PLAIN, replace(PLAIN, html="<p>Hello</p>"), replace(PLAIN, files=(File("a.txt", "text/plain", b"x"),))],
    ids=["plain", "HTML", "a file"],
)
def test_the_same_mail_is_the_same_bytes(mail: Outgoing) -> None:
    """Boundaries included: a retry has to send what was sent before."""
    assert compose.build(mail, SERVER) == compose.build(mail, SERVER)


def test_lines_end_in_crlf_and_stay_short() -> None:
    mail = replace(PLAIN, subject="ä" * 500, text="x" * 5000 + "\nü\r\nend")
    lines = compose.build(mail, SERVER).split(b"\r\n")
    assert not any(b"\n" in line or b"\r" in line for line in lines)
    assert max(map(len, lines)) <= 78


def test_long_message_ids_are_never_encoded() -> None:
    ids = tuple(f"<{'x' * 150}{number}@example.com>" for number in range(20))
    raw = compose.build(replace(PLAIN, references=ids, in_reply_to=ids[-1], message_id=ids[3]), SERVER)
    unfolded = raw.replace(b"\r\n ", b" ")
    assert b"References: " + " ".join(ids).encode() + b"\r\n" in unfolded
    assert b"Message-ID: " + ids[3].encode() + b"\r\n" in unfolded


def test_long_threads_keep_their_root_and_newest_ancestors() -> None:
    ids = tuple(f"<{number}@example.com>" for number in range(500))
    found = str(parsed(replace(PLAIN, references=ids, in_reply_to=ids[-1]))["References"]).split()
    assert (found[0], found[-1], len(found)) == (ids[0], ids[-1], compose.REFERENCES)


EVIL = "a\r\nBcc: victim@example.com\r\n\r\nbody\x00\x85\u2028\ud800"


@pytest.mark.parametrize(
    "evil",
    [
        replace(PLAIN, subject=EVIL),
        replace(PLAIN, to=(Address(EVIL, "jane@example.com"),)),
        replace(PLAIN, loop=EVIL),
        replace(PLAIN, in_reply_to=EVIL),
        replace(PLAIN, references=(EVIL, "<a@b>\r\nBcc: victim@example.com")),
    ],
    ids=["subject", "name", "loop", "parent", "references"],
)
def test_nothing_from_outside_adds_a_header(evil: Outgoing) -> None:
    head = compose.build(evil, SERVER).partition(b"\r\n\r\n")[0]
    assert not any(line.lower().startswith(b"bcc") for line in head.split(b"\r\n"))
    assert parsed(evil)["Bcc"] is None
    assert parsed(evil)["MIME-Version"] == "1.0"


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "jane",
        "@example.com",
        "jane@",
        "a b@example.com",
        "a@b@",
        "x@exa mple.com",
        "a\r\n@b.c",
        "<a@b.c>",
        "a@-x-.com",
        ".a@b.c",
        "a@[b.c]",
        "a@[127.0.0.12",
        "a@[]",
        "a@[IPv6:127.0.0.1]",
    ],
)
def test_an_invalid_address_is_refused(bad: str) -> None:
    with pytest.raises(BadAddress):
        compose.address(bad)


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("jane@example.com", "jane@example.com"),
        ("Jane+x@BÜCHER.example", "Jane+x@xn--bcher-kva.example"),
        ("jürgen@example.com", "jürgen@example.com"),
        ('"jane doe"@example.com', '"jane doe"@example.com'),
        ("jane@[127.0.0.1]", "jane@[127.0.0.1]"),
        ("jane@[ipv6:2001:db8::0:1]", "jane@[IPv6:2001:db8::1]"),
    ],
)
def test_an_address_is_sent_with_its_domain_in_a_labels(given: str, sent: str) -> None:
    assert compose.address(given) == sent


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("Jane Doe", "Jane Doe <j@example.com>"),
        ("Doe, Jane", '"Doe, Jane" <j@example.com>'),
        ('The "Boss" \\o/', '"The \\"Boss\\" \\\\o/" <j@example.com>'),
        ("J. Doe", '"J. Doe" <j@example.com>'),
        ("", "j@example.com"),
        ("Jürgen", "=?utf-8?b?SsO8cmdlbg==?= <j@example.com>"),
        ("=?utf-8?q?x?=", "=?utf-8?b?PT91dGYtOD9xP3g/PQ==?= <j@example.com>"),
    ],
)
def test_names_are_quoted_or_encoded(name: str, header: str) -> None:
    assert compose.written(Address(name, "j@example.com")) == header


@given(st.text(max_size=300))
def test_any_subject_survives_but_for_what_no_header_can_carry(text: str) -> None:
    raw = compose.build(replace(PLAIN, subject=f"x{text}x"), SERVER)
    read = email.message_from_bytes(raw, policy=default)
    assert " ".join(str(read["Subject"]).split()) == " ".join(compose.clean(f"x{text}x").split())


def test_a_subject_loses_nothing_but_control_characters_and_halves_of_characters() -> None:
    read = parsed(replace(PLAIN, subject="Grüße\x07 你好 \U0001f600 <b>\ud800!"))
    assert str(read["Subject"]) == "Grüße  你好 \U0001f600 <b>\ufffd!"


@given(st.text(max_size=300))
def test_any_body_survives_but_for_its_line_ends(text: str) -> None:
    read = parsed(replace(PLAIN, text=text)).get_content().replace("\r\n", "\n")
    assert read.rstrip("\n") == body.lines(text).rstrip("\n")


def test_mail_without_any_from_is_refused() -> None:
    with pytest.raises(Misconfigured, match="from_address"):
        compose.build(PLAIN, MailServer("default"))
