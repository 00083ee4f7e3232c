"""The headers that an administrator's rule asks for are read from the raw mail."""

from __future__ import annotations

import tracemalloc

import pytest

from services.filter.stage import reader_of_headers


def header_in(raw: bytes, name: str) -> str:
    return reader_of_headers(lambda: raw)(name)


@pytest.mark.req("TI-20")
def test_a_header_with_encoded_words_is_read_as_written_and_as_a_person_reads_it() -> None:
    raw = b"X-Class: =?utf-8?q?Fr=C3=BChling?=\nX-Bad: =?no-such?q?x?= =?utf-8?b?%?=\n\n"
    assert header_in(raw, "x-class") == "=?utf-8?q?Fr=C3=BChling?= Frühling"
    assert header_in(raw, "x-bad").startswith("=?no-such?q?x?=")


def test_the_raw_mail_is_read_once_for_any_number_of_headers() -> None:
    reads: list[int] = []
    read = reader_of_headers(lambda: reads.append(1) or b"A: one\nB: two\n\n")  # type: ignore[func-returns-value]
    assert reads == []
    assert [read(name) for name in ("A", "B", "C")] == ["one", "two", ""]
    assert reads == [1]


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
