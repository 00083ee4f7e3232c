"""Events on the wire: golden files of every version, leniency about members, strictness about the rest."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.contracts import codec
from shared.contracts.errors import NewerVersion, Undecodable
from shared.contracts.events import Envelope, Event, MailParsed
from shared.contracts.mail import ParsedMail
from shared.contracts.mapping import to_plain
from tests.shared.contracts.samples import SAMPLES

GOLDEN = Path(__file__).parent / "golden"
FILES = sorted(GOLDEN.glob("*.json"))
CURRENT = [GOLDEN / f"{name}.v{codec.VERSION}.json" for name in codec.EVENTS]


def named(path: Path) -> tuple[str, int]:
    """Event and version in the name of a golden file."""
    found = re.fullmatch(r"(\w+)\.v(\d+)\.json", path.name)
    assert found, path.name
    return found[1], int(found[2])


def golden(name: str) -> dict[str, Any]:
    """A fresh copy of what travels as this event today."""
    found: dict[str, Any] = json.loads((GOLDEN / f"{name}.v{codec.VERSION}.json").read_bytes())
    return found


def read(name: str, value: object) -> Event:
    """Decode a changed golden value."""
    return codec.decode(name, json.dumps(value).encode())


# -- golden files


def test_every_event_has_a_golden_file_and_a_sample() -> None:
    assert {path for path in CURRENT if not path.exists()} == set()
    assert set(SAMPLES) == set(codec.EVENTS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_today_s_code_reads_every_version_ever_written(path: Path) -> None:
    name, version = named(path)
    assert isinstance(codec.decode(name, path.read_bytes(), version), codec.EVENTS[name])


@pytest.mark.parametrize("path", CURRENT, ids=lambda path: path.stem)
def test_the_golden_file_reads_as_the_sample(path: Path) -> None:
    name, version = named(path)
    assert codec.decode(name, path.read_bytes(), version) == SAMPLES[name]


@pytest.mark.parametrize("path", CURRENT, ids=lambda path: path.stem)
def test_the_sample_is_written_exactly_as_in_the_golden_file(path: Path) -> None:
    """Same order, same values; without white space, and without members that have their default."""
    sample = SAMPLES[named(path)[0]]
    value, written = json.loads(path.read_bytes()), codec.encode(sample)
    assert codec.dumps(to_plain(type(sample))(sample)) == compact(value)
    assert written == compact(only(value, json.loads(written)))
    assert codec.decode(type(sample).__name__, written) == sample


def compact(value: Any) -> bytes:
    """The shortest JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def only(value: Any, members: Any) -> Any:
    """The same value, of its objects those members alone that are in `members`."""
    if isinstance(value, dict) and isinstance(members, dict):
        return {name: only(each, members[name]) for name, each in value.items() if name in members}
    if isinstance(value, list):
        return [only(*each) for each in zip(value, members, strict=True)]
    return value


def test_every_member_of_every_sample_says_something() -> None:
    """A golden file with nothing but defaults would not notice a lost member."""
    said = "".join(codec.encode(sample).decode() for sample in SAMPLES.values())
    for member in set(re.findall(r'"(\w+)":', said)) - {"html"}:
        assert re.search(rf'"{member}":(?!null|""|\[\])', said), member


def test_members_that_have_their_default_are_left_out() -> None:
    """Decision 0194: most members of most mails."""
    event = MailParsed(Envelope("m", "support", "2024-05-14T09:30:00Z"), ParsedMail("0" * 64, 1, subject="Printer"))
    assert json.loads(codec.encode(event)) == {
        "envelope": {"mail_id": "m", "inbox": "support", "received_at": "2024-05-14T09:30:00Z"},
        "mail": {"sha256": "0" * 64, "size": 1, "subject": "Printer"},
    }


@pytest.mark.parametrize("name", sorted(codec.EVENTS))
def test_what_earlier_revisions_wrote_with_all_members_is_read(name: str) -> None:
    whole = to_plain(codec.EVENTS[name])(SAMPLES[name])
    assert read(name, whole) == SAMPLES[name]
    assert codec.decode(name, codec.dumps(whole)) == SAMPLES[name]


# -- round trip

st.register_type_strategy(int, st.integers(0, (1 << 63) - 1))
EVENTS = st.one_of(*(st.from_type(cls) for cls in codec.EVENTS.values()))


@settings(suppress_health_check=[HealthCheck.too_slow])  # events are large, and a machine may be busy
@given(EVENTS)
def test_any_event_survives_the_wire(event: Event) -> None:
    if too_long_for_the_wire(codec.encode(event)):
        return
    assert codec.decode(type(event).__name__, codec.encode(event)) == event


def too_long_for_the_wire(body: bytes) -> bool:
    """Whether an integer is none that an event can mean."""
    return re.search(rb"\d{%d}" % (codec.MAX_DIGITS + 1), body) is not None


@given(st.sampled_from(sorted(codec.EVENTS)), st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_in_words(name: str, body: bytes) -> None:
    with pytest.raises(Undecodable):
        codec.decode(name, body)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=12,
)


@given(st.sampled_from(sorted(codec.EVENTS)), st.data())
def test_any_member_with_any_value_is_read_or_refused_in_words(name: str, data: st.DataObject) -> None:
    value = golden(name)
    where: Any = value
    key = data.draw(st.sampled_from(sorted(where)))
    while isinstance(where[key], dict) and where[key] and data.draw(st.booleans()):
        where, key = where[key], data.draw(st.sampled_from(sorted(where[key])))
    where[key] = data.draw(JSON_VALUES)
    try:
        event = read(name, value)
    except Undecodable:
        return
    assert codec.decode(name, codec.encode(event)) == event


# -- lenient about what it does not know


@pytest.mark.parametrize("name", sorted(codec.EVENTS))
def test_members_that_a_newer_sender_added_are_ignored(name: str) -> None:
    value = golden(name) | {"added_later": {"deep": [1, 2.5, None, True]}}
    for member in value.values():
        if isinstance(member, dict):
            member["also_added"] = "x"
    assert read(name, value) == SAMPLES[name]


def test_members_that_have_a_default_may_be_missing() -> None:
    value = {
        "envelope": {"mail_id": "m", "inbox": "support", "received_at": "2024-05-14T09:30:00Z"},
        "mail": {"sha256": "0" * 64, "size": 1},
    }
    event = read("MailAccepted", value)
    assert codec.decode("MailAccepted", codec.encode(event)) == event


# -- strict about the rest


def required() -> list[tuple[str, str]]:
    """Each event with each member that has no default."""
    schema = {name: golden(name) for name in sorted(codec.EVENTS)}
    optional = {"answers", "commands", "original"}
    return [(name, member) for name, value in schema.items() for member in value if member not in optional]


@pytest.mark.parametrize(("name", "member"), required())
def test_a_missing_member_is_refused_by_name(name: str, member: str) -> None:
    value = golden(name)
    del value[member]
    with pytest.raises(Undecodable, match=f"{name} has no {member}"):
        read(name, value)


@pytest.mark.parametrize(
    ("place", "wrong", "says"),
    [
        (("envelope",), [], "MailParsed.envelope must be a JSON object"),
        (("envelope", "mail_id"), 7, "MailParsed.envelope.mail_id must be text"),
        (("envelope", "mail_id"), None, "mail_id must be text"),
        (("envelope", "mail_id"), "\ud800", "mail_id must be text without lone surrogates"),
        (("envelope", "envelope_to"), "a@b", "envelope_to must be a list"),
        (("envelope", "envelope_to"), ["a@b", 1], "MailParsed.envelope.envelope_to[1] must be text"),
        (("mail", "size"), "1", "size must be a whole number"),
        (("mail", "size"), True, "size must be a whole number"),
        (("mail", "size"), 1.0, "size must be a whole number"),
        (("mail", "size"), -1, "size must be a whole number from 0 to 2^63-1"),
        (("mail", "automatic"), 1, "automatic must be true or false"),
        (("mail", "automatic"), "false", "automatic must be true or false"),
        (("mail", "kind"), "poem", "kind must be one of message, bounce"),
        (("mail", "kind"), ["message"], "kind must be one of message, bounce"),
        (("mail", "from"), "zoe@shop.example", "MailParsed.mail.from must be a JSON object"),
        (("mail", "from"), {"$gt": ""}, "MailParsed.mail.from has no name"),
        (("mail", "from"), {"name": {"$gt": ""}, "address": "x"}, "MailParsed.mail.from.name must be text"),
        (("mail", "bounce"), {"recipients": [{"smtp_code": "550"}]}, "mail.bounce.recipients[0] has no address"),
        (("mail", "routing"), None, "routing must be a JSON object"),
    ],
    ids=str,
)
def test_a_value_of_another_type_is_refused_with_its_place(place: tuple[str, ...], wrong: object, says: str) -> None:
    value = golden("MailParsed")
    where = value
    for member in place[:-1]:
        where = where[member]
    where[place[-1]] = wrong
    with pytest.raises(Undecodable, match=re.escape(says)):
        read("MailParsed", value)


BODIES = {
    "row 95, not JSON": b"<xml/>",
    "row 95, empty": b"",
    "row 95, cut short": codec.encode(SAMPLES["MailRejected"])[:-1],
    "row 95, two documents": codec.encode(SAMPLES["MailRejected"]) * 2,
    "row 95, not UTF-8": b'{"mail_id":"\xff"}',
    "row 95, UTF-16": codec.encode(SAMPLES["MailRejected"]).decode().encode("utf-16"),
    "row 95, byte order mark": b"\xef\xbb\xbf" + codec.encode(SAMPLES["MailRejected"]),
    "row 95, no object": b'["MailRejected"]',
    "row 95, null": b"null",
    "row 96, deep lists": b"[" * 100_000,
    "row 96, deep and closed": b"[" * 100_000 + b"]" * 100_000,
    "row 96, deep objects in an unknown member": b'{"x":' * 50_000 + b"1" + b"}" * 50_000,
    "row 97, NaN": b'{"mail_id":NaN}',
    "row 97, infinity": b'{"x":-Infinity}',
    "row 97, 5,000 digits": b'{"x":' + b"9" * 5000 + b"}",
    "row 97, 5,000 digits and a minus": b'{"x":-' + b"9" * 5000 + b"}",
    "row 97, more than 64 bits": b'{"x":9223372036854775808}',
    "a name twice": b'{"mail_id":"a","mail_id":"b"}',
    "a name twice within": b'{"x":{"y":1,"y":1}}',
}
"""What no stage may take for an event; the row numbers are those of the list of bad inputs."""


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_what_is_not_strict_json_is_refused(body: bytes) -> None:
    with pytest.raises(Undecodable):
        codec.decode("MailRejected", body)


def test_an_event_that_nobody_knows_is_refused() -> None:
    with pytest.raises(Undecodable, match="unknown event 'MailEaten'"):
        codec.decode("MailEaten", b"{}")


@pytest.mark.parametrize("version", [None, "1", "", 0, -1, 1.0, True, [1]], ids=repr)
def test_an_invalid_version_is_refused(version: object) -> None:
    with pytest.raises(Undecodable, match="invalid schema version"):
        codec.decode("MailRejected", codec.encode(SAMPLES["MailRejected"]), version)


@pytest.mark.parametrize("version", [codec.VERSION + 1, 2**40])
def test_a_version_of_the_future_is_distinguished_from_a_wrong_one(version: int) -> None:
    with pytest.raises(NewerVersion, match=str(version)):
        codec.decode("MailRejected", b"not even JSON any more", version)
