"""The headers that an administrator's rule asks for are read from the raw mail."""

from __future__ import annotations

import tracemalloc

import pytest

from services.filter.stage import header_in


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_every_value_of_a_header_is_read_and_nothing_of_the_body(end: bytes) -> None:
    raw = end.join([b"X-Class: one", b"Subject: s", b"x-class: two", b"", b"X-Class: body", b""])
    assert header_in(raw, "X-Class") == "one two"
    assert header_in(raw, "X-Other") == ""


def test_headers_without_a_body_are_read() -> None:
    assert header_in(b"X-Class: one", "x-class") == "one"


def test_reading_headers_takes_no_memory_for_the_body() -> None:
    raw = b"X-Class: one\r\n\r\n" + b"line\r\n" * 500_000
    tracemalloc.start()
    assert header_in(raw, "X-Class") == "one"
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100_000
