"""The fuzzer finds what it is there for: cost that grows faster than the mail."""

from __future__ import annotations

import base64
import random
from collections.abc import Callable

import pytest

from tests.fuzz import parser as fuzz
from tests.fuzz.growth import Growing, growing, times_for
from tests.fuzz.parser import Cost

COLONS = Growing("repeat b':'", b"To: ", lambda times: b":" * times, b"\r\n\r\nx")


def reader(seconds: Callable[[float], float], megabytes: Callable[[float], float]) -> Callable[[bytes], Cost]:
    """A parser whose cost depends on the mail's size in units of 40 KB."""
    return lambda mail: Cost(seconds(len(mail) / 40_000), megabytes(len(mail) / 40_000))


@pytest.mark.parametrize(
    ("seconds", "megabytes", "words"),
    [
        (lambda n: 0.05 * n**2, lambda n: n, "time grows from"),
        (lambda n: 0.01 * n, lambda n: 4.4 * n**2, "memory grows from"),
        (lambda n: 2.0 * n, lambda n: n, "took 4.00 s for 0.08 MB"),
        (lambda n: 0.01 * n, lambda n: 100.0 * n, "took 200 MB for 0.08 MB"),
        (lambda n: 0.2 * n, lambda n: 9 * n, None),
        (lambda n: 0.02 * n**2, lambda n: 0.5 * n**2, None),
    ],
    ids=["quadratic time", "quadratic memory", "slow", "large", "linear", "too little to tell"],
)
def test_a_cost_that_grows_faster_than_the_mail_is_a_complaint(
    monkeypatch: pytest.MonkeyPatch,
    seconds: Callable[[float], float],
    megabytes: Callable[[float], float],
    words: str | None,
) -> None:
    monkeypatch.setattr(fuzz, "cost", reader(seconds, megabytes))
    wrong, mail, _ = fuzz.growth_complaint(COLONS, limit=1.0)
    assert (wrong is None) if words is None else (wrong is not None and wrong.startswith(words))
    assert mail.startswith(b"To: :::")


def test_one_disturbance_of_the_machine_causes_no_complaint(monkeypatch: pytest.MonkeyPatch) -> None:
    costs = iter([Cost(0.1, 1), Cost(0.5, 1), Cost(0.6, 1)])
    monkeypatch.setattr(fuzz, "cost", lambda _: next(costs))
    assert fuzz.growth_complaint(COLONS, limit=1.0)[0] is None


def test_whatever_grows_gets_larger_by_about_as_much_as_asked() -> None:
    rng = random.Random(20_261_126)
    for mail in fuzz.seeds():
        grown = growing(mail, fuzz.TOKENS, rng)
        times = times_for(grown, 4_000)
        assert 1_000 < len(grown.mail(times)) - len(grown.mail(0)) < 40_000, grown.words


def test_what_lies_in_base64_grows_inside() -> None:
    mail = b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(
        b"<b>bold</b> and so on, for a while, on and on"
    )
    rng = random.Random(1)
    found = [made for made in (growing(mail, fuzz.TOKENS, rng) for _ in range(20)) if made.wrap is base64.encodebytes]
    assert found
    for made in found:
        assert base64.b64decode(made.mail(50).split(b"\r\n\r\n")[1])


def test_the_properties_of_a_winmail_dat_grow_with_their_length_and_checksum() -> None:
    stream = bytes(range(64))
    data = b"head" + b"\x03\x90\x06\x00" + len(stream).to_bytes(4, "little") + stream + b"ck" + b"tail" * 9
    mail = b"Content-Type: application/ms-tnef\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(data)
    rng = random.Random(1)
    made = next(each for each in iter(lambda: growing(mail, fuzz.TOKENS, rng), None) if "winmail" in each.words)
    inner = base64.b64decode(made.mail(10).split(b"\r\n\r\n")[1])
    length = int.from_bytes(inner[8:12], "little")
    assert inner[12 + length :][:2] == (sum(inner[12 : 12 + length]) & 0xFFFF).to_bytes(2, "little")
    assert inner.endswith(b"tail" * 9)
