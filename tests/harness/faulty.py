"""A parser process that does as mails say: the fixture `faulty`, and the mails (see `tests.harness.parser_child`)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from services.parser import process
from services.parser.process import ParserProcess
from tests.builders import a_mail
from tests.harness.parser_child import FAULT

ODD = b"X-Odd: " + b"x" * 2_000 + b"\r\n"
"""A header that brings a mail into the parser process."""


def a_faulty_mail(name: str, *, odd: bool = True, **keys: str) -> bytes:
    """A mail that breaks its reader in the way of this name."""
    return FAULT + name.encode() + b"\r\n" + ODD * odd + a_mail("It burns.\n", subject="Fire", **keys)


@pytest.fixture
def faulty(monkeypatch: pytest.MonkeyPatch) -> Iterator[ParserProcess]:
    """In the place of this process's own, and given time: on a busy machine two seconds of a processor take long."""
    monkeypatch.setattr(process, "GRACE_SECONDS", 150.0)
    monkeypatch.setattr(process, "ENTRY", "tests.harness.parser_child")
    made = ParserProcess()
    monkeypatch.setattr(process, "PARSER_PROCESS", made)
    yield made
    made.close()
