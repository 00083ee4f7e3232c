"""What is printed for machines."""

from __future__ import annotations

import io
import json
import re
import time

import pytest
import regex

from services.cli.output import emit, quoted, safe, table, watching
from tests.builders import a_mail
from tests.servers.presence import PATIENCE_SECONDS
from tests.services.cli.conftest import Run

TRICKY = "a\u2028b\u2029c\x85d\x0be\x0cf\x1cg\x9bh\nGr\u00f6\u00dfe"


def test_one_object_is_one_line_whatever_a_reader_takes_for_the_end_of_a_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    emit({"text": TRICKY})
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line) == {"text": TRICKY}
    assert "Gr\u00f6\u00dfe" in line


WHY = "Incident 1 is named, but no person has the sender's address"
HEADINGS = ("mail", "at", "subject", "why")
ROW = ("7a42a7ed35d2", "2026-11-21 01:10:12", "無線LAN " * 8, WHY)


@pytest.mark.parametrize("width", range(30, 200, 7))
def test_a_table_on_a_terminal_fits_or_is_plain_and_cuts_no_reason_and_wraps_no_time(
    width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.cli.output.is_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", str(width))
    table(HEADINGS, [ROW])
    lines = capsys.readouterr().out.splitlines()
    assert set(WHY.split()) <= set(" ".join(lines).split())
    assert any("11-21 01:10" in line for line in lines)
    assert all(columns(line) <= width for line in lines) or width < 12 + 11 + 10 + 4
    assert any(ROW[1] in line for line in lines) == (width >= columns("  ".join(ROW)))


def columns(text: str) -> int:
    return sum(2 if each in "無線" else 1 for each in text)


@pytest.mark.parametrize(
    ("words", "heading"),
    [
        (("mails", "list", "--outcome", "rejected"), "mail "),
        (("mails", "list"), "mail "),
        (("outbox", "list"), "outbox "),
        (("inbox", "list"), "inbox "),
        (("dead-letters", "list"), "letter "),
        (("records", "list"), "number "),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, tuple) else "",
)
def test_lists_fit_on_80_columns_with_whole_reasons_and_times(
    run: Run, words: tuple[str, ...], heading: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = "a subject that is far too long for any terminal of eighty columns " * 3
    run("publish", "-", stdin=a_mail(subject=long, Auto_Submitted="auto-replied"))
    run("publish", "-", stdin=a_mail(subject=long, Message_ID="<one@customer.example>"))
    run("publish", "-", "--inbox", "nowhere", stdin=a_mail(subject=long, sender="x" * 60 + "@customer.example"))
    run("up", "--once")
    run("publish", "-", stdin=a_mail("and?\n", subject=f"Re: {long}", In_Reply_To="<one@customer.example>"))
    run("up", "--once")
    run("inbox", "stop", "support", "--reason", long)
    monkeypatch.setattr("services.cli.output.is_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    lines = run(*words).out.splitlines()
    assert lines[0].startswith(heading)
    assert max(map(len, lines)) <= 80
    rows = [line for line in lines[1:] if not line.startswith("  ")]
    assert all(re.search(r"\d\d-\d\d \d\d:\d\d", row) for row in rows) or words[0] == "inbox"
    reasons = {"rejected": "an automatic reply, no request", "dead-letters": "there is no inbox 'nowhere'"}
    expected = long.strip() if words[0] == "inbox" else reasons.get(words[-1], reasons.get(words[0], ""))
    assert expected in " ".join(" ".join(lines).split())


class Terminal(io.StringIO):
    """Standard error with a person behind it."""

    def isatty(self) -> bool:
        return True


def test_what_takes_long_says_so_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Terminal()
    monkeypatch.setattr("sys.stderr", seen)
    monkeypatch.setattr("services.cli.output.PROGRESS_DELAY_SECONDS", 0.0)
    with watching("reading"):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while "reading: " not in seen.getvalue() and time.monotonic() < deadline:
            time.sleep(0.01)
    assert "reading: " in seen.getvalue()


def test_what_is_quick_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Terminal()
    monkeypatch.setattr("sys.stderr", seen)
    monkeypatch.setattr("services.cli.output.PROGRESS_DELAY_SECONDS", 3600.0)
    with watching("reading"):
        pass
    assert seen.getvalue() == ""


def test_nothing_that_is_not_seen_is_printed() -> None:
    """Whatever Unicode ignores by default, orders or breaks lines with (UAX 44); a table of ranges says it here."""
    hides = regex.compile(r"[\p{Default_Ignorable_Code_Point}\p{Bidi_Control}\p{Cc}\p{Cs}\p{Zl}\p{Zp}]")
    hidden = [chr(code) for code in range(0x110000) if hides.match(chr(code)) and chr(code) not in "\t\n"]
    assert [each for each in hidden if each in safe(each)] == []
    assert safe("é漢字🖨 ½") == "é漢字🖨 ½"


def test_json_escapes_what_is_not_seen_and_means_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    text = "pay\u00adpal \U000e0041\u202e\x7f\x1b ö"
    emit({"subject": text})
    line = capsys.readouterr().out
    assert json.loads(line) == {"subject": text}
    assert not set(line) & set("\u00ad\U000e0041\u202e\x7f\x1b")


def test_lines_of_a_mail_pass_for_no_line_of_ours() -> None:
    body = "hi\n2026-11-20 12:00:00  Ann Analyst  note\n\n  [contract.pdf]\r\u2028x"
    assert [line[:1] for line in quoted(body).splitlines()] == ["|"] * 4
