"""Events as messages, and what may arrive on a queue instead of one."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import pytest

from shared.contracts import codec
from shared.contracts.errors import Undecodable
from shared.contracts.events import MailParsed
from shared.ids import derived_id
from shared.runtime import envelope as parcel
from shared.runtime.broker import JSON, REFERENCE, RFC822, Message
from tests.shared.contracts.samples import MAIL_ID, SAMPLES

CAUSE = Message("cause-1", "intake", b"", correlation_id=MAIL_ID)


class Shelf:
    """Blobs in a dict."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def keep(self, body: bytes, mail_id: str, queue: str) -> str:
        sha256 = derived_id("blob", mail_id, queue) * 2
        self.kept[sha256] = body
        return sha256

    def get_blob(self, sha256: str) -> bytes:
        return self.kept[sha256]


def packed(event: Any, shelf: Shelf, **changes: Any) -> Message:
    """The message of an event, changed."""
    message = parcel.pack(event, "filter", cause=CAUSE, stage="parser", index=0, large=shelf)
    return replace(message, **changes)


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_an_event_is_unpacked_as_it_was_packed(name: str) -> None:
    shelf = Shelf()
    message = packed(SAMPLES[name], shelf)
    assert parcel.unpack(message, shelf) == SAMPLES[name]
    mail_id = "" if name == "ServiceTargetReached" else MAIL_ID  # the clock is its cause
    assert (message.type, message.correlation_id, shelf.kept) == (name, mail_id, {})


def test_a_large_event_travels_as_a_reference() -> None:
    shelf, sample = Shelf(), SAMPLES["MailParsed"]
    assert isinstance(sample, MailParsed)
    large = replace(sample, mail=replace(sample.mail, text="ü" * parcel.INLINE))
    message = packed(large, shelf)
    assert (message.content_type, len(message.body) < 200) == (parcel.LARGE_EVENT, True)
    assert parcel.unpack(message, shelf) == large


def test_the_same_cause_stage_and_index_make_the_same_id() -> None:
    first, again = (packed(SAMPLES["MailParsed"], Shelf()) for _ in range(2))
    other = parcel.pack(SAMPLES["MailParsed"], "filter", cause=CAUSE, stage="parser", index=1, large=Shelf())
    assert first.id == again.id != other.id


def test_a_trace_goes_on_from_its_cause() -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    cause = CAUSE.with_headers(traceparent=f"00-{trace}-00f067aa0ba902b7-01")
    child = parcel.child_trace(cause, "parser")
    assert child == f"00-{trace}-{parcel.span_id(cause, 'parser')}-01"
    assert child != parcel.child_trace(cause, "filter")


@pytest.mark.parametrize(
    "odd", ["", "00-short-x-01", 7, "x" * 55, "ff-" + "a" * 52, f"00-{'0' * 32}-{'1' * 16}-01"], ids=repr
)
def test_a_trace_that_makes_no_sense_starts_a_new_one(odd: str | int) -> None:
    cause = CAUSE.with_headers(traceparent=odd)
    version, trace, span, flags = parcel.child_trace(cause, "parser").split("-")
    assert (version, len(trace), len(span), flags) == ("00", 32, 16, "01")
    assert trace != "0" * 32
    assert parcel.trace_of(cause) == (trace, None)


@pytest.mark.parametrize(
    "content_type",
    ["application/x-python-serialize", "application/x-yaml", "application/gzip", "text/plain", RFC822, REFERENCE, ""],
)
def test_work_queues_carry_json_only(content_type: str) -> None:
    """Row 99 and 105: what is not JSON is never looked into."""
    shelf = Shelf()
    message = packed(SAMPLES["MailRejected"], shelf, content_type=content_type, body=pickle.dumps(print))
    with pytest.raises(Undecodable, match="not read from work queues"):
        parcel.unpack(message, shelf)


def test_a_message_without_a_version_is_refused() -> None:
    """Row 98."""
    shelf = Shelf()
    with pytest.raises(Undecodable, match="schema version None"):
        parcel.unpack(packed(SAMPLES["MailRejected"], shelf, headers={}), shelf)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b'"abc"',
        b'{"blob":7}',
        b'{"blob":null}',
        b'{"blob":{"$gt":""}}',
        b'{"blob":"../../etc/passwd"}',
        codec.dumps({"blob": "A" * 64}),
        codec.dumps({"blob": "0" * 63}),
        codec.dumps({"blob": "0" * 65}),
    ],
    ids=repr,
)
def test_a_reference_is_a_hash_or_is_refused(body: bytes) -> None:
    with pytest.raises(Undecodable):
        parcel.reference(body)


def test_a_reference_to_nothing_is_distinguished_from_a_wrong_one() -> None:
    shelf = Shelf()
    body = codec.dumps({"blob": "0" * 64})
    with pytest.raises(LookupError):
        parcel.unpack(packed(SAMPLES["MailRejected"], shelf, content_type=parcel.LARGE_EVENT, body=body), shelf)


def test_json_is_the_content_type_of_every_small_event() -> None:
    assert {packed(sample, Shelf()).content_type for sample in SAMPLES.values()} == {JSON}
