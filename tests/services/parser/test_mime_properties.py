"""Any bytes at all: a reading or a named refusal, and nothing that JSON or BSON would refuse."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from services.parser import mime
from services.parser.bounds import Bounds
from shared.contracts import codec
from shared.contracts.errors import BoundExceeded
from tests.fuzz import parser as fuzz

PIECES = st.sampled_from([*fuzz.TOKENS, b"a", b"\r\n", b"From: a@b.example", b"\xe4", b"--x", b"--x--"]) | st.binary(
    max_size=12
)
MAILS = st.lists(PIECES, max_size=60).map(b"".join)
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(
            [b"From", b"To", b"Subject", b"Date", b"Content-Type", b"Message-ID", b"References", b"Sender"]
        ),
        MAILS,
    ),
    max_size=6,
).map(lambda pairs: b"".join(name + b": " + value + b"\r\n" for name, value in pairs))


def survives(raw: bytes, bounds: Bounds = Bounds()) -> None:  # noqa: B008 frozen default
    try:
        reading = mime.read(raw, bounds=bounds)
    except BoundExceeded:
        return
    said = json.dumps(codec.mail_to_json(reading.mail), ensure_ascii=False).encode("utf-8")
    assert codec.mail_from_json(json.loads(said)) == reading.mail
    assert {item.sha256 for item in reading.mail.attachments} == set(reading.contents)
    assert all(len(reading.contents[item.sha256]) == item.size for item in reading.mail.attachments)
    assert "\n" not in reading.mail.subject
    assert "\0" not in reading.mail.text + reading.mail.subject


@given(st.binary(max_size=2_000))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_read(raw: bytes) -> None:
    survives(raw)


@given(MAILS)
@settings(max_examples=300, deadline=None)
def test_any_sequence_of_mail_tokens_is_read(raw: bytes) -> None:
    survives(raw)


@given(HEADERS, MAILS)
@settings(max_examples=300, deadline=None)
def test_any_headers_with_any_body_are_read(headers: bytes, body: bytes) -> None:
    survives(headers + b"\r\n" + body)


@given(
    MAILS,
    st.builds(
        Bounds, nesting=st.integers(1, 4), parts=st.integers(1, 5), headers=st.integers(1, 9), text=st.integers(1, 60)
    ),
)
@settings(max_examples=200, deadline=None)
def test_any_bounds_are_kept(raw: bytes, bounds: Bounds) -> None:
    survives(raw, bounds)


def test_a_short_run_of_the_fuzzer_finds_nothing() -> None:
    """`.ci/run` has a long one, with another seed, beside the tests."""
    tally = fuzz.run(1_000, seed=20_261_120, limit=5.0)
    assert tally.executions == 1_000
    assert [wrong for wrong, _ in tally.failures] == []


def test_the_fuzzer_is_decided_by_its_seed() -> None:
    assert list(fuzz.mails(400, 3)) == list(fuzz.mails(400, 3))
